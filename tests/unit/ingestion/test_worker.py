"""The worker: every document comes to its end, and only its own fault fails it."""

from __future__ import annotations

import asyncio

import pytest

from adapters.parser.registry import ParserRegistry
from orchestrator.domain.documents import ParsedDocument, Stage, text_hash
from orchestrator.domain.errors import Conflict, Rejected, Unavailable
from orchestrator.domain.likeness import sketch
from orchestrator.domain.workspaces import Chunking, WorkspaceConfig
from orchestrator.ingestion import worker as worker_module
from orchestrator.ingestion.worker import (
    BATCH,
    CLAIM_S,
    IDLE_S,
    LATER_S,
    MAX_ATTEMPTS,
    OUTAGE,
    OUTAGE_S,
    RETRY_S,
)
from tests.unit.fakes import hurried, until, workspace
from tests.unit.ingestion.office import Office


class Parsers(ParserRegistry):
    """Fails on bytes that say so."""

    def read(self, content, media_type, progress):
        if content.startswith(b"explode"):
            raise RecursionError("too deep")
        return super().read(content, media_type, progress)


class Reads:
    """Reads the same from every file."""

    def __init__(self, parsed):
        self.parsed = parsed

    async def parse(self, _file, _media_type, **_):
        return self.parsed


PARTS = "# Terms\n\n## Refunds\n\nPaid in 7 days.\n\n## Fees\n\nNone.\n\n## Law\n\nFrench.\n"


@pytest.fixture
def office():
    return Office(Parsers())


async def ended(working):
    """Cancel the worker, and wait until it has gone."""
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    assert working.cancelled()


def published(office):
    return {one.document_id: one for batch in office.published for one in batch}


async def test_a_document_is_cut_embedded_and_published(office):
    office.hand_in("d1", b"Refund policy\n\nRefunds are paid.")

    taken = await office.worker.step()

    one = published(office)["d1"]
    assert (taken, one.job_id, one.version, one.generation) == (1, 1, 1, 1)
    assert (one.title, one.model) == ("Refund policy", office.embedder.digest)
    assert [piece.text for piece in one.pieces] == ["Refunds are paid."]
    assert one.hashes == [text_hash("Refund policy\nRefunds are paid.")]
    assert list(office.table) == one.hashes
    assert office.watcher.outcomes == {"d1": None}


async def test_without_work_nothing_happens(office):
    assert await office.worker.step() == 0
    assert office.calls == ["claim"]


async def test_vectors_are_stored_before_what_needs_them_is_published(office):
    office.hand_in("d1", b"Refunds are paid.")

    await office.worker.step()

    assert office.calls == ["claim", "get", "put", "publish"]


async def test_a_batch_is_embedded_and_published_at_once(office):
    for number in range(BATCH + 3):
        office.hand_in(f"d{number}", f"Text number {number}.".encode())

    assert await office.worker.step() == BATCH
    assert await office.worker.step() == 3
    assert [len(batch) for batch in office.published] == [BATCH, 3]
    assert [len(batch) for batch in office.embedder.batches] == [BATCH, 3]


async def test_the_same_text_is_embedded_once(office):
    for name in ("d1", "d2"):
        office.hand_in(name, b"Terms\n\nThe same words.", source_id="same.txt")

    await office.worker.step()

    assert office.embedder.batches == [["Terms\nThe same words."]]
    assert published(office)["d1"].hashes == published(office)["d2"].hashes


async def test_what_was_embedded_before_is_not_embedded_again(office):
    office.hand_in("d1", b"Terms\n\nThe same words.")
    await office.worker.step()
    office.hand_in("d2", b"Terms\n\nThe same words.")

    await office.worker.step()

    assert office.embedder.batches == [["Terms\nThe same words."]]
    assert set(published(office)) == {"d1", "d2"}


async def test_of_a_new_version_only_chunks_whose_text_changed_are_embedded(office):
    office.hand_in("d1", PARTS.encode(), source_id="policy.md", media_type="text/markdown")
    await office.worker.step()
    changed = PARTS.replace("7 days", "21 days")
    office.hand_in("d1", changed.encode(), source_id="policy.md", media_type="text/markdown")

    await office.worker.step()

    first, second = office.embedder.batches
    assert len(first) == 3
    assert [text for text in second if "21 days" in text] == second
    assert len(second) == 1
    old, new = (batch[0] for batch in office.published)
    assert len(set(old.hashes) & set(new.hashes)) == 2


async def test_what_was_learnt_by_reading_is_published(office):
    office.hand_in("d1", b"Terms\n\nThe same words.")

    await office.worker.step()

    one = published(office)["d1"]
    assert set(one.reading.timings) == {"queued", "parsing", "chunking", "embedding", "total"}
    assert one.reading.pages is None
    assert one.sketch == sketch("Terms\n\nThe same words.")


async def test_a_document_that_was_read_in_part_is_published_with_what_is_missing():
    parsed = ParsedDocument(
        "Refunds.", pages=[0, 8], warnings=["page 2 has no text layer"], properties={"author": "A"}
    )
    office = Office(Reads(parsed))
    office.hand_in("d1", b"%PDF")

    await office.worker.step()

    reading = published(office)["d1"].reading
    assert (reading.pages, reading.warnings) == (2, ["page 2 has no text layer"])
    assert reading.properties == {"author": "A"}


async def test_a_batch_notes_its_stage_once_and_only_where_there_is_something_to_embed(office):
    for name in ("d1", "d2"):
        office.hand_in(name, name.encode())
    await office.worker.step()
    office.hand_in("d3", b"Nothing new.", source_id="d3.txt")
    office.table[text_hash("d3\nNothing new.")] = [0.0]

    await office.worker.step()

    assert "d3" in published(office)
    assert office.stages == [(Stage.EMBEDDING, ["d1", "d2"])]


async def test_it_is_told_how_long_every_batch_took(office):
    office.hand_in("d1", b"One.")
    office.hand_in("d2", b"Two.")

    await office.worker.step()

    ((documents, seconds),) = office.watcher.batches
    assert documents == 2
    assert 0 < seconds < 10


async def test_a_document_whose_file_is_out_of_reach_holds_up_no_other(office):
    office.hand_in("d1", b"One.", attempts=2)
    office.hand_in("d2", b"Two.")
    office.lost["blob of d1"] = Unavailable("blobs", "an error of the disk")

    await office.worker.step()

    assert list(published(office)) == ["d2"]
    assert office.postponed == {"d1": (2 * LATER_S, True)}
    assert office.watcher.waits == [office.lost["blob of d1"]]


async def test_where_every_file_is_out_of_reach_it_is_no_attempt(office):
    office.hand_in("d1", b"One.")
    office.hand_in("d2", b"Two.")
    office.lost = {f"blob of {one}": Unavailable("blobs", "gone") for one in ("d1", "d2")}

    with pytest.raises(Unavailable):
        await office.worker.step()

    assert office.published == []
    assert office.postponed == {"d1": (OUTAGE_S, False), "d2": (OUTAGE_S, False)}


@hurried
async def test_the_first_few_that_are_out_of_reach_do_not_hold_up_those_behind_them(office):
    office.lost = {f"blob of bad{number}": Unavailable("blobs", "gone") for number in range(OUTAGE)}
    for number in range(OUTAGE):
        office.hand_in(f"bad{number}", b"Bad.")
    for number in range(BATCH):
        office.hand_in(f"good{number}", b"Good.")
    working = asyncio.create_task(office.worker.run())

    await until(lambda: len(published(office)) == BATCH, seconds=RETRY_S * 5)
    await ended(working)

    assert {one for one in published(office) if one.startswith("bad")} == set()


@hurried
async def test_one_that_is_alone_in_its_workspace_holds_up_no_other(office):
    office.lost = {"blob of bad": Unavailable("blobs", "gone")}
    office.hand_in("bad", b"Bad.", workspace="uid of legal")
    office.hand_in("good", b"Good.")
    working = asyncio.create_task(office.worker.run())

    await until(lambda: set(published(office)) == {"good"}, seconds=RETRY_S * 5)
    await ended(working)

    assert list(office.postponed) == ["bad"]


async def test_what_is_embedded_of_a_long_document_is_kept_part_by_part(office, monkeypatch):
    monkeypatch.setattr(worker_module, "EMBEDDED", 2)
    for number in range(5):
        office.hand_in(f"d{number}", f"Text {number}.".encode())

    await office.worker.step()

    assert office.calls.count("put") == 3
    assert len(office.table) == 5
    assert set(published(office)) == {f"d{number}" for number in range(5)}


async def test_documents_of_several_workspaces_are_published_apart(office):
    office.hand_in("d1", b"One.")
    office.hand_in("d2", b"Two.", workspace="uid of legal")

    await office.worker.step()

    assert [[one.document_id for one in batch] for batch in office.published] == [["d1"], ["d2"]]


async def test_a_parser_that_fails_fails_only_its_document_and_says_why(office):
    office.hand_in("bad", b"explode")
    office.hand_in("good", b"Refunds are paid.")

    await office.worker.step()

    assert office.failed == {"bad": "the parser failed: RecursionError: too deep"}
    assert office.codes == {"bad": "parser_failed"}
    assert set(published(office)) == {"good"}
    assert office.watcher.outcomes == {"bad": office.failed["bad"], "good": None}


@pytest.mark.parametrize(
    ("content", "reason", "code"),
    [
        (b"   ", "the document holds no text", "empty_document"),
        (None, "no blob is stored under 'blob of d1'", "not_found"),
    ],
)
async def test_a_document_that_cannot_be_read_fails_with_the_reason(office, content, reason, code):
    office.hand_in("d1", content)
    if content is None:
        office.stored.clear()

    await office.worker.step()

    assert (office.failed, office.codes) == ({"d1": reason}, {"d1": code})


async def test_work_that_is_moot_is_passed_over(office):
    office.hand_in("d1", b"One.")
    office.works.clear()

    assert await office.worker.step() == 1
    assert (published(office), office.failed) == ({}, {})


async def test_work_of_a_deleted_workspace_is_passed_over(office):
    office.hand_in("d1", b"One.", workspace="uid of a deleted one")
    office.hand_in("d2", b"Two.")

    await office.worker.step()

    assert (set(published(office)), office.failed) == ({"d2"}, {})


@pytest.mark.parametrize("attempts", [MAX_ATTEMPTS, MAX_ATTEMPTS + 1])
async def test_after_so_many_attempts_a_document_is_given_up(office, attempts):
    office.hand_in("d1", b"One.", attempts=attempts)

    await office.worker.step()

    if attempts > MAX_ATTEMPTS:
        assert office.failed == {"d1": f"gave up after {MAX_ATTEMPTS} attempts"}
        assert office.codes == {"d1": "too_many_attempts"}
    else:
        assert set(published(office)) == {"d1"}


@pytest.mark.parametrize("what", ["claim", "get", "put", "publish"])
async def test_an_outage_fails_no_document(office, what):
    office.hand_in("d1", b"One.")
    office.down[what] = Unavailable(what, "switched off")

    with pytest.raises(Unavailable):
        await office.worker.step()

    assert (office.failed, office.watcher.outcomes) == ({}, {})


async def test_an_embedder_that_is_down_while_topics_are_sought_fails_no_document(office):
    by_topic = WorkspaceConfig(chunking=Chunking("semantic"))
    office.catalog.known["default"] = workspace("default", config=by_topic)
    office.hand_in("d1", b"One.")
    asked = []

    async def embed(texts):
        asked.append(texts)
        raise Unavailable("embedder", "switched off")

    office.embedder.embed = embed

    with pytest.raises(Unavailable):
        await office.worker.step()

    assert (office.failed, office.watcher.outcomes) == ({}, {})
    assert asked == [["One."]]


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("claim", Unavailable("catalog", "locked")),
        ("get", Unavailable("blobs", "gone")),
        ("publish", Conflict("a vector was erased")),
    ],
)
@hurried
async def test_after_an_outage_the_worker_tries_again(office, what, error):
    office.hand_in("d1", b"One.")
    office.down[what] = error
    working = asyncio.create_task(office.worker.run())
    await asyncio.sleep(RETRY_S / 2)
    waits = list(office.watcher.waits)

    office.down.clear()
    await asyncio.sleep(RETRY_S)

    assert set(waits) == {error}
    assert (set(published(office)), office.failed) == ({"d1"}, {})
    await ended(working)


async def test_work_that_arrives_is_begun_at_once(office):
    async def yield_often():
        for _ in range(20):
            await asyncio.sleep(0)

    working = asyncio.create_task(office.worker.run())
    await yield_often()
    office.hand_in("d1", b"One.")
    before = list(office.calls)

    office.arrived.set()
    await yield_often()

    assert (before, office.calls[1:3]) == (["claim"], ["claim", "get"])
    await ended(working)


@hurried
async def test_without_being_told_a_worker_looks_for_work_by_itself(office):
    working = asyncio.create_task(office.worker.run())
    await asyncio.sleep(IDLE_S / 10)
    office.hand_in("d1", b"One.")

    await until(lambda: published(office), every=IDLE_S)

    assert published(office).keys() == {"d1"}
    await ended(working)


async def test_a_worker_that_is_cancelled_gives_its_claims_back(office):
    office.hand_in("d1", b"One.")
    embedding = asyncio.Event()

    async def embed(_texts):
        embedding.set()
        await asyncio.Event().wait()

    office.embedder.embed = embed
    working = asyncio.create_task(office.worker.run())
    await embedding.wait()

    await ended(working)

    assert [(job.document_id, job.attempts) for job in office.jobs] == [("d1", 1)]
    assert (published(office), office.failed) == ({}, {})


async def test_claims_that_cannot_be_given_back_are_told(office):
    office.down["release"] = Unavailable("catalog", "locked")
    working = asyncio.create_task(office.worker.run())
    await until(lambda: "claim" in office.calls)

    await ended(working)

    assert [str(one) for one in office.watcher.waits] == ["catalog is unavailable: locked"]


@hurried
async def test_claims_are_renewed_while_the_worker_works_and_no_longer(office):
    office.down["renew"] = Unavailable("catalog", "locked")
    working = asyncio.create_task(office.worker.run())
    await asyncio.sleep(CLAIM_S)
    renewed = office.calls.count("renew")

    await ended(working)
    await asyncio.sleep(CLAIM_S)

    assert 2 <= renewed <= 3
    assert office.calls.count("renew") == renewed
    assert office.watcher.waits[0] is office.down["renew"]


@hurried
async def test_a_workspace_whose_embedder_is_gone_waits_until_it_is_back_and_no_other_does(office):
    error = Rejected("there is no embedder named 'small'")
    office.catalog.configure("default", embedder="small")
    missing = {"small"}

    def embedder_of(config):
        if config.embedder in missing:
            raise error
        return office.embedder

    office.worker._embedder_of = embedder_of
    office.hand_in("d1", b"One.", attempts=MAX_ATTEMPTS)
    office.hand_in("d2", b"Two.", workspace="uid of legal")
    working = asyncio.create_task(office.worker.run())
    await asyncio.sleep(IDLE_S * 10)
    before = set(published(office))

    missing.clear()
    await asyncio.sleep(IDLE_S * 2)

    assert (before, set(published(office))) == ({"d2"}, {"d1", "d2"})
    assert office.watcher.waits == [error]
    await ended(working)


async def test_a_defect_ends_the_worker_loudly(office):
    async def embed(_texts):
        raise ZeroDivisionError

    office.hand_in("d1", b"One.")
    office.embedder.embed = embed

    with pytest.raises(ZeroDivisionError):
        await office.worker.run()

    assert office.calls[-1] == "release"
    assert [job.attempts for job in office.jobs] == [2]


@hurried
async def test_an_outage_however_long_gives_no_document_up(office):
    office.hand_in("d1", b"One.")
    office.down["get"] = Unavailable("clamd", "refused")
    working = asyncio.create_task(office.worker.run())
    await asyncio.sleep(RETRY_S * (MAX_ATTEMPTS + 3))

    office.down.clear()
    await asyncio.sleep(RETRY_S * 2)

    assert (set(published(office)), office.failed) == ({"d1"}, {})
    await ended(working)


class Slow:
    """Parsers that count how many documents they have at once."""

    def __init__(self):
        self.now = self.most = 0

    async def parse(self, file, media_type, **_):
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.01)
        self.now -= 1
        return ParsedDocument(file.read_text())


@pytest.mark.parametrize("parallel", [1, 3])
async def test_as_many_documents_are_parsed_at_once_as_there_are_processes(parallel):
    parsers = Slow()
    office = Office(parsers, parallel=parallel)
    for number in range(8):
        office.hand_in(f"d{number}", f"Text {number}.".encode())

    await office.worker.step()

    assert parsers.most == parallel
    assert [one.document_id for one in office.published[0]] == [f"d{n}" for n in range(8)]


async def test_a_slow_document_does_not_hold_up_those_of_its_batch_that_are_ready(monkeypatch):
    class Waiting(Slow):
        async def parse(self, file, media_type, **_):
            if file.read_text() == "Slow.":
                await done.wait()
            return ParsedDocument(file.read_text())

    monkeypatch.setattr(worker_module, "TOGETHER_S", 0.01)
    done, office = asyncio.Event(), Office(Waiting(), parallel=2)
    office.hand_in("slow", b"Slow.")
    for number in range(3):
        office.hand_in(f"d{number}", f"Text {number}.".encode())
    working = asyncio.create_task(office.worker.step())

    await until(lambda: set(published(office)) == {"d0", "d1", "d2"})
    done.set()
    await working

    assert "slow" in published(office)


@hurried
async def test_how_far_documents_are_is_written_with_the_renewal_of_their_claims():
    class Long(Slow):
        async def parse(self, file, media_type, *, progress):
            progress(3, 10)
            await asyncio.sleep(CLAIM_S)
            return ParsedDocument(file.read_text())

    office = Office(Long())
    office.hand_in("d1", b"One.")
    working = asyncio.create_task(office.worker.run())
    await until(lambda: office.published, seconds=CLAIM_S * 2)
    await ended(working)

    assert office.shares == [{"d1": 0.3}]


async def test_an_outage_ends_what_else_is_being_parsed():
    class Failing(Slow):
        async def parse(self, file, media_type, **_):
            if file.read_text() != "Text 1.":
                raise Unavailable("the parser", "gone")
            return await super().parse(file, media_type)

    parsers = Failing()
    office = Office(parsers, parallel=4)
    for number in range(4):
        office.hand_in(f"d{number}", f"Text {number}.".encode())

    with pytest.raises(Unavailable):
        await office.worker.step()
    others = [one for one in asyncio.all_tasks() if one is not asyncio.current_task()]

    assert (office.published, office.failed, others) == ([], {}, [])


async def test_documents_of_a_workspace_that_is_to_catch_up_wait_and_lose_no_attempt(office):
    office.hand_in("d1", b"Refund policy")
    office.catalog.held_back.add("uid of default")

    await office.worker.step()
    waited = dict(office.postponed)
    office.catalog.held_back.clear()
    await office.worker.step()

    assert waited == {"d1": (RETRY_S, False)}
    assert "d1" in published(office)
