"""What is counted of searches, what is kept of their words, and what happens when it cannot be."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry

from orchestrator.domain.analytics import LONGEST, Policy
from orchestrator.domain.answers import Usage
from orchestrator.domain.errors import NotFound, Unavailable
from orchestrator.domain.understanding import Correction, Understood
from orchestrator.telemetry import recorder as module
from orchestrator.telemetry.metrics import Metrics
from orchestrator.telemetry.recorder import Recorder

CORRECTED = Understood("lookup", "", "refund", corrections=(Correction("refnud", "refund"),))
MISSPELT = Understood("lookup", "", "Kowalski", corrections=(Correction("Kowalsky", "Kowalski"),))


class Table:
    """Analytics and workspaces in one; `down` is raised by every write, `slow` has it wait."""

    def __init__(self):
        self.created = datetime.now(UTC) - timedelta(days=9)
        self.kept = {}
        self.down = None
        self.slow = False
        self.forgotten = []
        self.texts = 0
        self.asked, self.added, self.swept = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def get(self, name):
        if name == "gone":
            raise NotFound("gone")
        return SimpleNamespace(uid=f"uid of {name}", created_at=self.created)

    async def add(self, counts, *, texts):
        self.asked.set()
        if self.slow:
            await asyncio.sleep(60)
        if self.down:
            raise self.down
        self.texts = texts
        self.added.set()
        for one, number in counts.items():
            key = (one.workspace, one.kind, one.name)
            self.kept[key] = self.kept.get(key, 0) + number

    async def forget(self, day):
        self.forgotten.append(day)
        self.swept.set()

    def of(self, kind):
        return {name: n for (_, k, name), n in self.kept.items() if k == kind}


@pytest.fixture
def table():
    return Table()


@pytest.fixture
def make(table):
    def made(**settings):
        return Recorder(table, table, Policy(**settings), Metrics(CollectorRegistry()))

    return made


async def test_without_leave_no_word_of_a_question_is_kept(table, make):
    recorder = make()

    recorder.searched("legal", "A secret?", "none", {"embed": 1.0}, understood=CORRECTED)
    await recorder.flush()

    assert table.of("outcome") == {"none": 1}
    assert table.of("note") == {"corrected": 1}
    assert {kind for _, kind, _ in table.kept} == {"outcome", "note", "stage"}
    assert "secret" not in str(table.kept)


async def test_what_answers_cost_adds_up_by_workspace_and_model(table, make):
    recorder = make()

    for _ in range(3):
        recorder.searched("legal", "one", "found", {}, usage=[Usage(100, 20, "small", 0.0002)])
    recorder.searched("legal", "one", "found", {}, usage=[Usage(completion_tokens=5)])
    await recorder.flush()

    assert table.of("usage") == {"prompt:small": 300, "completion:small": 60, "cost:small": 60}


async def test_with_leave_the_texts_of_weak_questions_alone_are_kept(table, make):
    recorder = make(questions=True, max_questions=7)

    recorder.searched("legal", "How  TALL?", "weak", {})
    recorder.searched("legal", "how tall?", "weak", {})
    recorder.searched("legal", "x" * 4_000, "none", {})
    await recorder.flush()

    assert table.of("weak") == {"how tall?": 2}
    assert table.of("none") == {"x" * LONGEST: 1}
    assert table.texts == 7


async def test_of_a_corrected_word_only_what_was_asked_is_kept_and_nothing_of_what_was_found(
    table, make
):
    recorder = make(questions=True)

    recorder.searched("legal", "Kowalsky?", "found", {}, understood=MISSPELT)
    await recorder.flush()
    found = str(table.kept)
    recorder.searched("legal", "Kowalsky!", "weak", {}, understood=MISSPELT)
    await recorder.flush()

    assert "kowalsk" not in found.casefold()
    assert table.of("note") == {"corrected": 2}
    assert table.of("misread") == {"kowalsky": 1}
    assert "kowalski" not in str(table.kept).casefold()


async def test_text_that_no_store_can_keep_is_left_out(table, make):
    recorder = make(questions=True)

    recorder.searched("legal", "null \x00", "none", {})
    await recorder.flush()

    assert table.of("none") == {}
    assert table.of("outcome") == {"none": 1}


async def test_what_could_not_be_written_is_counted_still(table, make):
    recorder = make()
    recorder.searched("legal", "one", "none", {})
    table.down = Unavailable("catalog", "down")
    with pytest.raises(Unavailable):
        await recorder.flush()

    table.down = None
    recorder.searched("legal", "two", "none", {})
    await recorder.flush()
    await recorder.flush()

    assert table.of("outcome") == {"none": 2}


async def test_what_was_being_written_when_it_was_stopped_is_not_lost(table, make, monkeypatch):
    monkeypatch.setattr(module, "EVERY_S", 0.01)
    recorder, table.slow = make(), True
    running = asyncio.create_task(recorder.run())
    recorder.searched("legal", "one", "found", {})
    await asyncio.wait_for(table.asked.wait(), 60)
    table.slow = False
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert running.cancelled()
    assert table.of("outcome") == {"found": 1}


async def test_counts_of_a_workspace_that_is_gone_or_made_anew_are_dropped(table, make):
    recorder = make()

    recorder.searched("gone", "one", "none", {})
    recorder.searched("anew", "one", "none", {})
    table.created = datetime.now(UTC) + timedelta(seconds=1)
    await recorder.flush()

    assert table.kept == {}


async def test_what_is_held_in_memory_is_bounded(table, make, monkeypatch):
    monkeypatch.setattr(module, "MOST", 3)
    recorder = make(questions=True)

    for n in range(9):
        recorder.searched("legal", f"question {n}", "none", {})
    await recorder.flush()

    assert len(table.kept) == 3
    assert table.of("outcome") == {"none": 9}


async def test_counts_are_written_every_few_seconds_and_when_it_is_stopped(
    table, make, monkeypatch
):
    monkeypatch.setattr(module, "EVERY_S", 0.01)
    recorder = make(retention_days=3)
    running = asyncio.create_task(recorder.run())
    recorder.searched("legal", "one", "found", {})
    await asyncio.wait_for(table.swept.wait(), 60)
    written = dict(table.of("outcome"))
    monkeypatch.setattr(module, "EVERY_S", 60.0)
    await asyncio.sleep(0.05)
    recorder.searched("legal", "two", "found", {})
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert written == {"found": 1}
    assert table.of("outcome") == {"found": 2}
    assert table.forgotten == [datetime.now(UTC).date() - timedelta(days=3)]


async def test_a_catalog_that_is_down_stops_nothing(table, make, monkeypatch):
    monkeypatch.setattr(module, "EVERY_S", 0.01)
    recorder, table.down = make(), Unavailable("catalog", "down")
    running = asyncio.create_task(recorder.run())
    recorder.searched("legal", "one", "found", {})
    await asyncio.sleep(0.05)
    assert not running.done()
    table.down = None
    await asyncio.wait_for(table.added.wait(), 60)
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert table.of("outcome") == {"found": 1}
