"""What a catalog's `Log` promises of sweeping: what nobody needs any more, and nothing else."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

from orchestrator.contracts.clerk import MODEL, Clerk
from orchestrator.contracts.deletions import key_of
from orchestrator.ports.catalog import Catalog


class SweepingContract:
    """Needs the fixtures `catalog`, and `clerk`, of a workspace in it that has no documents."""

    async def test_a_sweep_erases_what_was_superseded_long_ago(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.keep("old")
        await clerk.keep("new")
        (kept,) = await clerk.chunk_ids()

        erased = await catalog.log.sweep(seconds=-1)

        assert erased == 1
        assert [row.chunk_id for row in (await clerk.since(0)).rows] == [kept]
        hashes = [key_of("old"), key_of("new")]
        assert await catalog.vectors.known(MODEL, hashes) == {hashes[1]}

    async def test_a_sweep_leaves_what_was_superseded_just_now(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.keep("old")
        await clerk.keep("new")

        erased = await catalog.log.sweep(seconds=60)

        assert erased == 0
        assert len((await clerk.since(0)).rows) == 2

    async def test_a_sweep_leaves_a_superseded_chunks_vector_that_another_needs(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.keep("old", source_id="a")
        await clerk.keep("old", source_id="b")
        await clerk.keep("new", source_id="a")

        await catalog.log.sweep(seconds=-1)

        assert await catalog.vectors.known(MODEL, [key_of("old")]) == {key_of("old")}

    async def test_a_sweep_erases_vectors_that_nothing_will_need(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        document = (await clerk.hand_in("lost")).document
        await clerk.publication(await clerk.claim(), "lost")
        await catalog.deletions.document(document.id)

        await catalog.log.sweep(seconds=60)

        assert await catalog.vectors.known(MODEL, [key_of("lost")]) == frozenset()

    async def test_a_sweep_leaves_vectors_that_a_coming_publication_needs(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.keep("old", source_id="a")
        await clerk.keep("new", source_id="a")
        await clerk.hand_in("coming", source_id="b")
        publication = await clerk.publication(await clerk.claim(), "coming")

        await catalog.log.sweep(seconds=-1)
        await catalog.log.publish([publication])

        texts = [chunk.text for chunk in await catalog.chunks.read(await clerk.chunk_ids())]
        assert sorted(texts) == ["coming", "new"]
