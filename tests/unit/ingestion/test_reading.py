"""What is kept of a reading: all of it within bounds, nothing that could not be shown."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta

from orchestrator.domain.documents import ParsedDocument
from orchestrator.ingestion.reading import (
    MAX_CHARACTERS,
    MAX_PROPERTIES,
    MAX_WARNINGS,
    Stopwatch,
    reading_of,
)


def test_pages_warnings_and_properties_are_kept():
    parsed = ParsedDocument(
        "a b",
        pages=[0, 2],
        properties={"author": "Ada", "language": "en"},
        warnings=["page 2 has no text layer"],
    )

    reading = reading_of(parsed)

    assert (reading.pages, reading.warnings) == (2, ["page 2 has no text layer"])
    assert reading.properties == {"author": "Ada", "language": "en"}


def test_a_format_without_pages_has_none():
    assert reading_of(ParsedDocument("a")).pages is None


def test_of_very_many_warnings_the_first_are_kept_and_the_others_counted():
    warnings = [f"page {number} has no text layer" for number in range(MAX_WARNINGS + 7)]

    kept = reading_of(ParsedDocument("a", warnings=warnings)).warnings

    assert list(kept[:-1]) == warnings[:MAX_WARNINGS]
    assert kept[-1] == "and 7 more warnings"
    assert (
        reading_of(ParsedDocument("a", warnings=warnings[:MAX_WARNINGS])).warnings
        == (warnings[:MAX_WARNINGS])
    )


def test_a_file_may_say_anything_of_itself_at_any_length():
    properties = {f"name {number}": "x" * 10**6 for number in range(1000)}

    kept = reading_of(ParsedDocument("a", properties=properties)).properties

    assert len(kept) == MAX_PROPERTIES
    assert {len(value) for value in kept.values()} == {MAX_CHARACTERS}


def test_what_no_response_could_carry_is_left_out():
    properties = {"author": "A\x00da\ud800 \x1b[31mLove\u202elace"}

    (author,) = reading_of(ParsedDocument("a", properties=properties)).properties.values()

    assert author == "A da?  [31mLove lace"
    assert json.dumps(author, ensure_ascii=False).encode()


def test_a_stopwatch_tells_every_stage_and_the_whole_way():
    watch = Stopwatch(datetime.now(UTC) - timedelta(seconds=5))
    time.sleep(0.02)
    watch.ended("parsing")
    watch.ended("chunking")

    timings = watch.timings(embedding=0.25)

    assert list(timings) == ["queued", "parsing", "chunking", "embedding", "total"]
    assert 5.0 <= timings["queued"] < timings["total"] < 15.0
    assert 0.02 <= timings["parsing"] < 5.0
    assert timings["chunking"] < timings["parsing"]
    assert timings["embedding"] == 0.25


def test_a_clock_that_was_set_back_makes_no_time_negative():
    watch = Stopwatch(datetime.now(UTC) + timedelta(hours=1))

    assert watch.timings(embedding=0.0)["queued"] == 0.0
