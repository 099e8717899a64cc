"""The parts of `rag ingest` by themselves: what is said, what is shown, and the queue's room."""

from __future__ import annotations

import asyncio
import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from orchestrator.cli import handing, progress
from orchestrator.cli.handing import CREDIT, Handing
from orchestrator.cli.ingesting import said_of_all
from orchestrator.cli.outcomes import Summary, amount, report
from orchestrator.cli.progress import Course, Display
from orchestrator.cli.sources import Said, Source
from orchestrator.domain.errors import Exhausted, Unavailable
from orchestrator.ports.catalog import Registered


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("year=2026", 2026),
        ("share=0.5", 0.5),
        ("draft=true", True),
        ('id="007"', "007"),
        ("id=007", "007"),
        ("name=a=b", "a=b"),
        ("none=null", "null"),
        ("odd=NaN", "NaN"),
        ("huge=1e999", "1e999"),
        ("empty=", ""),
    ],
)
def test_metadata_is_read_as_json_has_it_or_is_text(given, value):
    assert list(said_of_all([], [given]).metadata.values()) == [value]


def test_a_key_that_comes_twice_is_a_list():
    assert said_of_all(["staff"], ["tag=a", "tag=b"]) == Said(
        metadata={"tag": ["a", "b"]}, acl=frozenset({"staff"})
    )


def test_sizes_are_told_in_units_of_a_thousand():
    assert [amount(one) for one in (0, 999, 1000, 1_234_567, 5e9)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "1.2 MB",
        "5.0 GB",
    ]


def test_the_rest_is_estimated_from_the_last_half_minute():
    now = 0.0
    course = Course(1000, lambda: now)
    for _ in range(500):
        course.advance(0)  # there already, in no time
    for second in range(1, 101):
        now = float(second)
        course.advance(2_000_000)
        told = course.sentence()

    assert told == "600 of 1,000 documents, 1.0/s, 2.0 MB/s, 0:01:40 elapsed, 0:06:40 left"


def test_nothing_done_is_no_estimate():
    assert "-:--:-- left" in Course(3, lambda: 1.0).sentence()


@pytest.mark.parametrize(("quiet", "lines"), [(False, 1), (True, 0)])
def test_lines_are_printed_where_there_is_no_terminal(monkeypatch, quiet, lines):
    monkeypatch.setattr(progress, "LINE_S", 0.0)
    written = io.StringIO()

    with Display(Course(2), Console(file=written), quiet=quiet) as display:
        display.advance(10)

    assert len(written.getvalue().splitlines()) == lines


def test_many_with_one_reason_are_one_line(capsys):
    summary = Summary()
    for number in range(1200):
        summary.fail(f"a/{number}.txt", f"'{number}.txt' is empty", 10)
    summary.fail("b.pdf", "it is encrypted")

    report(summary, json=False)

    assert capsys.readouterr().out.splitlines()[5:] == [
        "total                1,201     12.0 kB in 0.0 s",
        "  failed: 1,200 documents: it is empty: a/0.txt, a/1.txt, a/2.txt and 1,197 more",
        "  failed: b.pdf: it is encrypted",
    ]


def test_what_was_indexed_in_part_is_told(capsys):
    summary = Summary()
    summary.index("a.pdf", 5000, ["page 3 has no text layer"])
    summary.index("b.pdf", 1000, [])

    report(summary, json=False)

    assert capsys.readouterr().out.splitlines() == [
        "outcome          documents        size",
        "indexed                  2      6.0 kB",
        "  with warnings          1      5.0 kB",
        "unchanged                0         0 B",
        "failed                   0         0 B",
        "skipped                  0         0 B",
        "total                    2      6.0 kB in 0.0 s",
        "  warning: a.pdf: page 3 has no text layer",
    ]


def test_a_name_cannot_steer_the_terminal(capsys):
    summary = Summary()
    summary.fail("a\x1b]0;owned\x07\n.txt", "it is \x1b[2Jbroken")

    report(summary, json=False)

    assert "\x1b" not in capsys.readouterr().out


class Flaky:
    """Is away so many times, then answers."""

    def __init__(self, times):
        self.times = times

    async def __call__(self):
        self.times -= 1
        if self.times >= 0:
            raise Unavailable("the catalog", "it is away", retry_after=0.01)
        return "here"


@pytest.fixture
def patient():
    def made(patience_s):
        return Handing(None, "default", (), Summary(), None, patience_s=patience_s)

    return made


async def test_a_dependency_that_is_away_for_a_moment_is_waited_for(patient):
    assert await patient(10.0)._patiently(Flaky(3)) == "here"


async def test_patience_with_a_dependency_ends(patient):
    with pytest.raises(Unavailable):
        await patient(0.05)._patiently(Flaky(1000))


class Shrunk:
    """An archive that lost its entries since it was looked through."""

    endings = (".zip",)

    def walk(self, archive):
        yield from ()


async def test_an_entry_that_is_gone_from_its_archive_is_told(tmp_path):
    summary = Summary()
    with Display(Course(1), Console(file=io.StringIO()), quiet=True) as display:
        source = Source("a.zip/x.md", tmp_path / "a.zip", 5, Said(), "x.md")

        await Handing(None, "default", (Shrunk(),), summary, display).run([source])

    assert summary.failed == {"a.zip/x.md": "it is no longer in the archive"}


class Service:
    """Takes documents while fewer than `room` wait, and is done with all of them at each look."""

    def __init__(self, room):
        self.room = room
        self.queued, self.taken, self.most = [], [], 0
        self.intake = self.ingestion = self
        self.catalog = SimpleNamespace(documents=self)

    async def admit(self):
        if len(self.queued) >= self.room:
            raise Exhausted("full", code="queue_full")

    async def submit(self, workspace, upload):
        self.queued.append(upload.source_id)
        self.taken.append(upload.source_id)
        self.most = max(self.most, len(self.queued))
        return Registered(SimpleNamespace(id=upload.source_id, status="queued"), duplicate=False)

    async def outcomes(self, ids):
        self.queued.clear()
        return dict.fromkeys(ids)

    async def get(self, document_id):
        return SimpleNamespace(reading=None)


@pytest.mark.parametrize(("room", "followed", "most"), [(3, 500, CREDIT), (500, 5, 5)])
async def test_no_more_is_handed_over_than_there_is_room_for(
    tmp_path, monkeypatch, room, followed, most
):
    monkeypatch.setattr(handing, "FOLLOWED", followed)
    (tmp_path / "x.md").write_text("Text.")
    sources = [Source(f"{n}.md", tmp_path / "x.md", 5, Said()) for n in range(40)]
    service, summary = Service(room), Summary()
    with Display(Course(40), Console(file=io.StringIO()), quiet=True) as display:
        await Handing(service, "default", (), summary, display).run(sources)

    assert service.taken == [one.source_id for one in sources]
    assert (summary.indexed, summary.failed) == (40, {})
    assert service.most == most


class Slow(Service):
    """Takes longer to tell of a document than the command takes to look."""

    async def get(self, document_id):
        await asyncio.sleep(2 * handing.LOOK_S)
        return await super().get(document_id)


async def test_the_last_document_is_counted_however_long_it_takes_to_read_of_it(tmp_path):
    (tmp_path / "x.md").write_text("Text.")
    summary = Summary()
    with Display(Course(1), Console(file=io.StringIO()), quiet=True) as display:
        source = Source("x.md", tmp_path / "x.md", 5, Said())

        await Handing(Slow(1), "default", (), summary, display).run([source])

    assert summary.indexed == 1
