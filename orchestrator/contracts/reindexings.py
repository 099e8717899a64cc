"""What a catalog promises of re-indexings: readers see one footing, whole, or the other."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from orchestrator.contracts.clerk import MODEL, Clerk, in_pieces, vectors_of
from orchestrator.contracts.deletions import key_of
from orchestrator.domain.documents import text_hash
from orchestrator.domain.errors import Conflict
from orchestrator.domain.reindexing import Models, Reindexing, State
from orchestrator.domain.workspaces import Chunking, WorkspaceConfig
from orchestrator.ports.catalog import Catalog
from orchestrator.ports.catalog.reindexings import Edition, Lagging

NOW = WorkspaceConfig().footing
OTHER_STORE = replace(NOW, vectors="other")
CUT_SMALLER = replace(NOW, chunking=Chunking(tokens=64))
OTHER_MODEL = "c0ffee00"
MODELS = Models(MODEL, OTHER_MODEL)


async def edition_of(catalog: Catalog, one: Reindexing, lagging: Lagging, *texts: str) -> Edition:
    """An edition of these chunks, their vectors stored already."""
    pieces = in_pieces(texts)
    hashes = [text_hash(piece.embedded("Refund policy")) for piece in pieces]
    await catalog.vectors.put(one.model, hashes, vectors_of(hashes))
    return Edition(
        lagging.document_id,
        lagging.version,
        lagging.seen,
        one.beside.generation,
        one.model,
        pieces,
        hashes,
    )


async def fill(catalog: Catalog, one: Reindexing, *texts: str) -> None:
    """Put an edition of these chunks beside, of every document that lacks one."""
    for lagging in await catalog.reindexings.lagging(one, after="", limit=100):
        edition = await edition_of(catalog, one, lagging, *texts)
        await catalog.reindexings.publish(one, [edition])


async def seen(catalog: Catalog, clerk: Clerk) -> list[str]:
    """The texts that readers see now."""
    generation = (await catalog.workspaces.by_uid(clerk.uid)).config.generation
    rows = (await clerk.since(0)).rows
    ids = [r.chunk_id for r in rows if r.removed is None and r.generation == generation]
    return sorted(chunk.text for chunk in await catalog.chunks.read(ids))


class ReindexingsContract:
    """Needs the fixtures `catalog`, and `clerk`, of a workspace in it that has no documents."""

    async def test_a_reindexing_that_changes_stores_keeps_the_chunks(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        one = await self.begun(catalog, clerk, OTHER_STORE)

        assert (one.state, one.before, one.after) == (State.BUILDING, NOW, OTHER_STORE)
        assert not one.copies

    async def test_one_that_cuts_anew_has_a_generation_that_never_was(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        first = await self.begun(catalog, clerk, CUT_SMALLER)
        await catalog.reindexings.settle(first, State.CANCELLED)

        second = await self.begun(catalog, clerk, CUT_SMALLER)

        assert [one.after.generation for one in (first, second)] == [2, 3]

    async def test_there_is_one_at_a_time_and_never_one_that_changes_nothing(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        with pytest.raises(Conflict) as nothing:
            await self.begun(catalog, clerk, replace(NOW, generation=7))
        one = await self.begun(catalog, clerk, OTHER_STORE)
        with pytest.raises(Conflict) as second:
            await self.begun(catalog, clerk, CUT_SMALLER)

        assert nothing.value.code == "nothing_to_reindex"
        assert second.value.code == "reindexing_in_progress"
        assert [found.id for found in await catalog.reindexings.open()] == [one.id]

    async def test_while_one_is_open_the_footing_cannot_be_configured_and_the_rest_can(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await self.begun(catalog, clerk, OTHER_STORE)
        config = WorkspaceConfig()

        with pytest.raises(Conflict) as refused:
            await catalog.workspaces.configure(
                clerk.name, replace(config, keywords="other"), expected=1
            )
        changed = await catalog.workspaces.configure(
            clerk.name, replace(config, depth=7), expected=1
        )

        assert refused.value.code == "reindexing_in_progress"
        assert changed.config.depth == 7

    async def test_what_lags_is_what_readers_see_and_the_new_footing_lacks(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        kept = await clerk.keep("one", "two")
        await clerk.hand_in("not yet indexed", source_id="b")
        one = await self.begun(catalog, clerk)

        (lagging,) = await catalog.reindexings.lagging(one, after="", limit=10)

        assert (lagging.document_id, lagging.version) == (kept.id, 1)
        assert (lagging.seen, lagging.title) == (kept.revision, "Refund policy")
        assert lagging.document
        assert lagging.document.source_id == "refunds.txt"
        assert await catalog.reindexings.lagging(one, after=kept.id, limit=10) == []

    async def test_of_a_document_whose_next_version_waits_the_seen_one_is_taken(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.keep("old")
        old = clerk.arrival("old", document_id="x").blob_key.rpartition("/")[2]
        await clerk.hand_in("new")
        one = await self.begun(catalog, clerk)

        (lagging,) = await catalog.reindexings.lagging(one, after="", limit=10)

        assert lagging.version == 1
        assert lagging.blob_key.endswith(old)

    async def test_an_edition_beside_is_not_what_readers_see(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.keep("old")
        one = await self.begun(catalog, clerk)

        await fill(catalog, one, "o", "ld")

        assert await seen(catalog, clerk) == ["old"]
        progress = await catalog.reindexings.latest(clerk.uid)
        assert progress
        assert (progress.documents, progress.behind) == (1, 0)

    @pytest.mark.parametrize(
        ("old", "new", "indexed"),
        [
            ("a b", "c d e", ["a\nb", "b\na", "c", "d", "e"]),
            ("a b c", "d e", ["a", "b", "c", "d\ne", "e\nd"]),
        ],
    )
    async def test_what_is_indexed_of_a_short_document_depends_on_no_other_footing(
        self, catalog: Catalog, clerk: Clerk, old: str, new: str, indexed: list[str]
    ) -> None:
        await clerk.keep(*old.split())
        one = await self.begun(catalog, clerk)
        await fill(catalog, one, *new.split())
        ids = np.array(sorted(row.chunk_id for row in (await clerk.since(0)).rows), np.int64)

        before = [texts async for _, texts in catalog.chunks.texts(ids, whole=2)]
        assert await catalog.reindexings.switch(one)
        after = [texts async for _, texts in catalog.chunks.texts(ids, whole=2)]

        assert before == after == [[f"Refund policy\nDelays\n{words}" for words in indexed]]

    async def test_after_the_switch_only_what_came_since_lags(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        one = await self.switched(catalog, clerk)
        before = await catalog.reindexings.lagging(one, after="", limit=10)

        await clerk.hand_in("new")
        await clerk.publish("n", "ew", generation=one.after.generation)
        after = await catalog.reindexings.lagging(one, after="", limit=10)

        assert (before, [each.version for each in after]) == ([], [2])

    async def test_an_edition_of_what_readers_no_longer_see_is_left_out(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.keep("old")
        one = await self.begun(catalog, clerk)
        (lagging,) = await catalog.reindexings.lagging(one, after="", limit=10)
        outdated = await edition_of(catalog, one, lagging, "o", "ld")
        await clerk.keep("new")

        await catalog.reindexings.publish(one, [outdated])

        (still,) = await catalog.reindexings.lagging(one, after="", limit=10)
        assert still.version == 2

    async def test_an_edition_of_a_deleted_document_is_left_out(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        document = await clerk.keep("old")
        one = await self.begun(catalog, clerk)
        (lagging,) = await catalog.reindexings.lagging(one, after="", limit=10)
        outdated = await edition_of(catalog, one, lagging, "o", "ld")
        await catalog.deletions.document(document.id)

        await catalog.reindexings.publish(one, [outdated])

        assert (await clerk.since(0)).rows == []

    async def test_an_edition_whose_vectors_are_missing_is_refused(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.keep("old")
        one = await self.begun(catalog, clerk)
        (lagging,) = await catalog.reindexings.lagging(one, after="", limit=10)
        edition = await edition_of(catalog, one, lagging, "o")

        with pytest.raises(Conflict):
            await catalog.reindexings.publish(one, [replace(edition, hashes=[b"0" * 16])])
        assert len(await catalog.reindexings.lagging(one, after="", limit=10)) == 1

    async def test_a_switch_waits_for_what_lags_and_holds_publications_back_meanwhile(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.keep("old")
        one = await self.begun(catalog, clerk)
        before = await catalog.reindexings.held(clerk.uid)

        switched = await catalog.reindexings.switch(one)

        assert switched is None
        assert (before, await catalog.reindexings.held(clerk.uid)) == (False, True)
        assert (await catalog.workspaces.by_uid(clerk.uid)).config_version == 1

    async def test_a_switch_is_one_configuration_and_one_revision(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.keep("old")
        one = await self.begun(catalog, clerk)
        await fill(catalog, one, "o", "ld")
        before = await clerk.revision()

        switched = await catalog.reindexings.switch(one)

        assert switched
        assert switched == await catalog.workspaces.by_uid(clerk.uid)
        assert (switched.config_version, switched.revision) == (2, before + 1)
        assert switched.config == WorkspaceConfig().on(one.after)
        assert await seen(catalog, clerk) == ["ld", "o"]
        document = await clerk.find("refunds.txt")
        assert document
        assert document.chunks == 2
        (version,) = await catalog.versions.list(document.id, before=None, limit=5)
        assert version.chunks == 2

    async def test_what_was_configured_meanwhile_is_kept_by_the_switch(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        one = await self.begun(catalog, clerk, OTHER_STORE)
        await catalog.workspaces.configure(
            clerk.name, replace(WorkspaceConfig(), depth=7), expected=1
        )

        switched = await catalog.reindexings.switch(one)

        assert switched
        assert (switched.config.depth, switched.config.vectors) == (7, "other")

    async def test_what_was_made_for_the_old_footing_is_refused_after_the_switch(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        one = await self.begun(catalog, clerk)
        await clerk.hand_in("new")
        publication = await clerk.publication(await clerk.claim(), "new")
        assert await catalog.reindexings.switch(one)

        with pytest.raises(Conflict):
            await catalog.log.publish([publication])
        assert await seen(catalog, clerk) == []

    async def test_the_way_back_waits_until_the_old_footing_has_what_came_since(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        one = await self.switched(catalog, clerk)
        await clerk.hand_in("new")
        await clerk.publish("n", "ew", generation=one.after.generation)
        assert await catalog.reindexings.switch(one) is None

        await fill(catalog, one, "new")
        back = await catalog.reindexings.switch(one)

        assert back
        assert back.config == WorkspaceConfig()
        assert await seen(catalog, clerk) == ["new"]
        ended = await catalog.reindexings.latest(clerk.uid)
        assert ended
        assert ended.state is State.ROLLED_BACK

    async def test_a_sweep_takes_neither_footing_while_it_is_open(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await self.switched(catalog, clerk)

        erased = await catalog.log.sweep(seconds=-1)

        assert erased == 0
        assert len((await clerk.since(0)).rows) == 3

    async def test_a_confirmed_one_is_erased_chunks_and_vectors_and_no_more(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        one = await self.switched(catalog, clerk)
        assert await catalog.reindexings.settle(one, State.CONFIRMED)

        (due,) = await catalog.reindexings.unerased(seconds=-1)
        while await catalog.reindexings.erase(due):
            pass
        await catalog.reindexings.erased(due)

        assert await seen(catalog, clerk) == ["ld", "o"]
        assert {row.generation for row in (await clerk.since(0)).rows} == {2}
        assert await catalog.vectors.known(MODEL, [key_of("old")]) == frozenset()
        assert len(await catalog.vectors.known(OTHER_MODEL, keys("o", "ld"))) == 2
        assert await catalog.reindexings.unerased(seconds=-1) == []

    async def test_vectors_of_the_model_that_was_left_go_unless_another_workspace_has_the_text(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        other = await Clerk.of(catalog, clerk.queue, "other")
        await other.keep("shared")
        await clerk.keep("shared", source_id="a")
        await clerk.keep("own", source_id="b")
        one = await self.begun(catalog, clerk, replace(NOW, embedder="other"))
        for lagging in await catalog.reindexings.lagging(one, after="", limit=9):
            assert lagging.document
            text = "shared" if lagging.document.source_id == "a" else "own"
            edition = await edition_of(catalog, one, lagging, text)
            await catalog.reindexings.publish(one, [edition])
        assert await catalog.reindexings.switch(one)
        (open_,) = await catalog.reindexings.open()
        await catalog.reindexings.settle(open_, State.CONFIRMED)

        (due,) = await catalog.reindexings.unerased(seconds=-1)
        while await catalog.reindexings.erase(due):
            pass

        assert await catalog.vectors.known(MODEL, keys("shared", "own")) == set(keys("shared"))
        assert len(await catalog.vectors.known(OTHER_MODEL, keys("shared", "own"))) == 2

    async def test_a_cancelled_one_leaves_what_readers_see(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.keep("old")
        one = await self.begun(catalog, clerk)
        await fill(catalog, one, "o", "ld")
        await catalog.reindexings.settle(one, State.CANCELLED)

        (due,) = await catalog.reindexings.unerased(seconds=60)
        while await catalog.reindexings.erase(due):
            pass

        assert await seen(catalog, clerk) == ["old"]
        assert len((await clerk.since(0)).rows) == 1
        assert await catalog.vectors.known(OTHER_MODEL, keys("o", "ld")) == frozenset()

    async def test_what_a_cancelled_one_left_is_kept_where_a_later_one_uses_the_model(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.keep("old")
        first = await self.begun(catalog, clerk, replace(NOW, embedder="other"))
        await fill(catalog, first, "old")
        await catalog.reindexings.settle(first, State.CANCELLED)
        second = await self.begun(catalog, clerk, replace(NOW, embedder="other"))
        await fill(catalog, second, "old")

        await self.cleared(catalog)
        while_open = await catalog.vectors.known(OTHER_MODEL, keys("old"))
        assert await catalog.reindexings.switch(second)
        (switched,) = await catalog.reindexings.open()
        await catalog.reindexings.settle(switched, State.CONFIRMED)
        await self.cleared(catalog)

        assert while_open == set(keys("old"))
        assert await catalog.vectors.known(OTHER_MODEL, keys("old")) == set(keys("old"))
        assert await catalog.vectors.known(MODEL, keys("old")) == frozenset()
        assert {row.generation for row in (await clerk.since(0)).rows} == {3}

    async def test_a_model_that_was_left_and_serves_again_keeps_its_vectors(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.keep("old")
        one = await self.begun(catalog, clerk, replace(NOW, embedder="other"))
        await fill(catalog, one, "old")
        assert await catalog.reindexings.switch(one)
        (switched,) = await catalog.reindexings.open()
        await catalog.reindexings.settle(switched, State.CONFIRMED)
        back = await catalog.reindexings.begin(
            clerk.uid, NOW, Models(OTHER_MODEL, MODEL), automatic=True
        )
        await fill(catalog, back, "old")
        assert await catalog.reindexings.switch(back)

        (switched,) = await catalog.reindexings.open()
        await catalog.reindexings.settle(switched, State.CONFIRMED)
        await self.cleared(catalog)

        assert await catalog.vectors.known(MODEL, keys("old")) == set(keys("old"))
        assert await catalog.vectors.known(OTHER_MODEL, keys("old")) == frozenset()

    async def test_the_old_footing_is_not_due_while_readers_may_be_on_it(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        one = await self.switched(catalog, clerk)
        assert await catalog.reindexings.unerased(seconds=-1) == []
        await catalog.reindexings.settle(one, State.CONFIRMED)

        assert await catalog.reindexings.unerased(seconds=60) == []

    async def test_a_deletion_erases_the_chunks_and_vectors_of_both_footings(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await self.switched(catalog, clerk)
        document = await clerk.find("refunds.txt")
        assert document

        await catalog.deletions.document(document.id)

        assert (await clerk.since(0)).rows == []
        assert not await catalog.vectors.known(MODEL, keys("old"))
        assert not await catalog.vectors.known(OTHER_MODEL, keys("o", "ld"))

    async def test_one_runner_holds_it_until_its_claim_ends_or_is_given_back(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        one = await self.begun(catalog, clerk)

        async def take(runner: str) -> bool:
            return await catalog.reindexings.take(one, runner, seconds=60)

        first, second, again = await take("a"), await take("b"), await take("a")
        await catalog.reindexings.release("a")

        assert (first, second, again, await take("b")) == (True, False, True, True)

    @pytest.mark.parametrize("state", [State.CANCELLED, State.FAILED, State.VERIFIED])
    async def test_what_serves_since_a_switch_can_only_be_confirmed_or_rolled_back(
        self, catalog: Catalog, clerk: Clerk, state: State
    ) -> None:
        one = await self.switched(catalog, clerk)

        assert not await catalog.reindexings.settle(one, state)
        assert await catalog.reindexings.open() == [one]

    async def test_what_has_not_been_switched_cannot_be_confirmed(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        one = await self.begun(catalog, clerk)

        assert not await catalog.reindexings.settle(one, State.CONFIRMED)

    async def test_one_that_moved_on_is_not_settled_by_who_saw_it_before(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        one = await self.begun(catalog, clerk, OTHER_STORE)
        assert await catalog.reindexings.switch(one)

        moved = await catalog.reindexings.settle(one, State.FAILED, reason="late")

        assert not moved
        now = await catalog.reindexings.of(clerk.uid)
        assert now
        assert now.state is State.SWITCHED

    async def begun(
        self, catalog: Catalog, clerk: Clerk, after: object = CUT_SMALLER
    ) -> Reindexing:
        return await catalog.reindexings.begin(clerk.uid, after, MODELS, automatic=True)  # type: ignore[arg-type]  # a footing

    async def cleared(self, catalog: Catalog) -> None:
        """Erase what the ended ones left, oldest first."""
        for due in await catalog.reindexings.unerased(seconds=-1):
            while await catalog.reindexings.erase(due):
                pass
            await catalog.reindexings.erased(due)

    async def switched(self, catalog: Catalog, clerk: Clerk) -> Reindexing:
        """One document, `old` in one chunk before the switch, `o` and `ld` after it."""
        await clerk.keep("old")
        one = await self.begun(catalog, clerk)
        await fill(catalog, one, "o", "ld")
        assert await catalog.reindexings.switch(one)
        (now,) = await catalog.reindexings.open()
        return now


def keys(*texts: Sequence[str] | str) -> list[bytes]:
    """The hashes of what is embedded of these texts."""
    return [key_of(str(text)) for text in texts]
