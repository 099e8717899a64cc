"""The re-indexer: what readers see is cut and embedded once more, beside it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from adapters.embedder.mock import MockEmbedder
from adapters.parser.registry import ParserRegistry
from orchestrator.contracts.blobs import put
from orchestrator.domain.errors import Rejected, Unavailable
from orchestrator.domain.reindexing import Models, State
from orchestrator.domain.workspaces import Chunking
from orchestrator.ingestion import reindexer as reindexer_module
from orchestrator.ingestion.reindexer import IDLE_S, Reindexer
from tests.unit.fakes import Watcher, until

RULES = "\n\n".join(f"Rule {n} says that cupboard {n} is locked in the evening." for n in range(9))


class Parsers(ParserRegistry):
    """Counts what it reads, and fails while it is `broken`."""

    broken: Exception | None = None
    read_so_far = 0

    async def parse(self, file, media_type, **more):
        self.read_so_far += 1
        if self.broken:
            raise self.broken
        return await super().parse(file, media_type, **more)


class Embedder(MockEmbedder):
    """Notes what it embeds, and fails while it is `down`."""

    def __init__(self):
        super().__init__()
        self.down = None
        self.texts = []

    async def embed(self, texts):
        if self.down:
            raise self.down
        self.texts += texts
        return await super().embed(texts)


class Bench:
    """A workspace of documents, and a re-indexer of it."""

    def __init__(self, catalog, blobs, clerk):
        self.catalog, self.blobs, self.clerk = catalog, blobs, clerk
        self.parsers, self.embedder, self.watcher = Parsers(), Embedder(), Watcher()
        self.reindexer = Reindexer(
            catalog, blobs, self.parsers, lambda _: self.embedder, self.watcher, parallel=2
        )

    async def keep(self, *texts, source_id="rules.txt"):
        document = await self.clerk.keep(*texts, source_id=source_id)
        key = f"{self.clerk.uid}/{document.id}/{document.content_hash}"
        await put(self.blobs, key, "\n\n".join(texts).encode())
        return document

    async def begin(self, **changes):
        workspace = await self.catalog.workspaces.by_uid(self.clerk.uid)
        after = replace(workspace.config.footing, **(changes or {"chunking": Chunking(tokens=32)}))
        models = Models("old", self.embedder.digest)
        return await self.catalog.reindexings.begin(self.clerk.uid, after, models, automatic=True)

    async def work(self):
        while await self.reindexer.step():
            continue

    async def now(self):
        return await self.catalog.reindexings.latest(self.clerk.uid)

    async def beside(self, document):
        chunks = await self.catalog.chunks.of(document.id, generation=2, after=0, limit=99)
        return [one.text for one in chunks]


@pytest.fixture
def bench(catalog, blobs, clerk):
    return Bench(catalog, blobs, clerk)


async def test_another_chunking_cuts_the_file_anew(bench):
    document = await bench.keep(RULES)
    await bench.begin()

    await bench.work()

    texts = await bench.beside(document)
    assert len(texts) > 1
    assert "\n\n".join(texts) == RULES
    assert (await bench.now()).behind == 0


async def test_another_embedder_alone_reads_no_file_and_keeps_the_chunks(bench):
    document = await bench.keep("One.", "Two.")
    await bench.begin(embedder="other")

    await bench.work()

    assert await bench.beside(document) == ["One.", "Two."]
    assert bench.parsers.read_so_far == 0
    assert bench.embedder.texts == ["Refund policy\nDelays\nOne.", "Refund policy\nDelays\nTwo."]


async def test_what_is_embedded_already_is_not_embedded_again(bench):
    for number in range(3):
        await bench.keep("The same.", source_id=f"{number}.txt")
    await bench.begin(embedder="other")

    await bench.work()

    assert len(bench.embedder.texts) == 1


@pytest.mark.parametrize("error", [Rejected("too deep"), RecursionError("too deep")])
async def test_a_document_that_can_no_longer_be_read_keeps_its_chunks(bench, error):
    document = await bench.keep(RULES)
    bench.parsers.broken = error
    await bench.begin()

    await bench.work()

    assert await bench.beside(document) == [RULES]
    assert [one for _, one in bench.watcher.stumbles] == [error]
    assert (await bench.now()).state is State.BUILDING


async def test_what_changes_and_comes_meanwhile_is_brought_over_too(bench):
    changed = await bench.keep("old")
    await bench.begin(embedder="other")
    await bench.work()

    await bench.keep("new")
    later = await bench.keep("later", source_id="later.txt")
    await bench.work()

    assert await bench.beside(changed) == ["new"]
    assert await bench.beside(later) == ["later"]
    assert (await bench.now()).behind == 0


async def test_more_than_a_batch_is_brought_over_in_pages(bench, monkeypatch):
    monkeypatch.setattr(reindexer_module, "BATCH", 2)
    for number in range(5):
        await bench.keep(f"Text {number}.", source_id=f"{number}.txt")
    await bench.begin(embedder="other")

    sizes = [await bench.reindexer.step() for _ in range(5)]

    assert sizes[:3] == [2, 2, 1]
    assert (await bench.now()).behind == 0


async def test_where_one_document_fails_no_other_is_worked_on_unattended(bench):
    for number in range(3):
        await bench.keep(f"Text {number}.", source_id=f"{number}.txt")
    await bench.begin()
    working, parse = set(), bench.parsers.parse

    async def parsing(file, media_type, **more):
        working.add(file)
        try:
            if len(working) == 2:
                raise Unavailable("the parser", "down")
            await asyncio.sleep(60)
            return await parse(file, media_type, **more)
        finally:
            working.discard(file)

    bench.parsers.parse = parsing
    with pytest.raises(Unavailable):
        await bench.reindexer.step()

    assert working == set()


async def test_an_embedder_that_is_away_is_waited_for(bench, monkeypatch):
    document = await bench.keep("One.")
    monkeypatch.setattr(reindexer_module, "IDLE_S", 0.01)
    monkeypatch.setattr(reindexer_module, "EAGER_S", 0.01)
    bench.embedder.down = Unavailable("the embedder", "down")
    await bench.begin(embedder="other")
    working = asyncio.create_task(bench.reindexer.run())
    await until(lambda: len(bench.watcher.waits) > 1)

    bench.embedder.down = None
    async with asyncio.timeout(60):
        while not await bench.beside(document):  # noqa: ASYNC110  # it sets no event
            await asyncio.sleep(0.01)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)

    assert IDLE_S == 1.0
    assert (await bench.now()).behind == 0


async def test_an_embedder_that_refuses_ends_it_before_the_switch(bench):
    await bench.keep("One.")
    bench.embedder.down = Rejected("the model does not take this")
    await bench.begin(embedder="other")

    await bench.work()

    now = await bench.now()
    assert (now.state, now.reason) == (State.FAILED, "the model does not take this")


async def test_after_the_switch_what_comes_is_brought_back_and_a_refusal_ends_nothing(bench):
    document = await bench.keep("One.")
    one = await bench.begin(embedder="other")
    await bench.work()
    assert await bench.catalog.reindexings.switch(one)
    await bench.clerk.hand_in("Two.", source_id="rules.txt")
    await bench.clerk.publish("Two.", generation=2)
    bench.embedder.down = Rejected("the model does not take this")
    with pytest.raises(Rejected):
        await bench.work()
    refused = await bench.now()

    bench.embedder.down = None
    await bench.work()

    assert refused.state is State.SWITCHED
    chunks = await bench.catalog.chunks.of(document.id, generation=1, after=0, limit=9)
    assert [chunk.text for chunk in chunks] == ["Two."]


async def test_two_runners_do_not_work_on_one_workspace_at_once(bench):
    await bench.keep("One.")
    one = await bench.begin(embedder="other")
    await bench.catalog.reindexings.take(one, "another", seconds=60)

    assert await bench.reindexer.step() == 0
    assert bench.embedder.texts == []


async def test_where_nothing_is_copied_there_is_nothing_to_do(bench):
    await bench.keep("One.")
    await bench.begin(vectors="other")

    assert await bench.reindexer.step() == 0
