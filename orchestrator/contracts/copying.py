"""The promises of a `Keeper`, and of `Copies` of what it keeps."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import numpy as np
import pytest

from orchestrator.contracts.clerk import MODEL, Clerk
from orchestrator.domain.documents import Document
from orchestrator.domain.errors import Conflict, NotFound
from orchestrator.domain.filters import Metadata
from orchestrator.domain.identity import ANONYMOUS
from orchestrator.domain.sessions import Cited, Exchange
from orchestrator.domain.workspaces import Workspace
from orchestrator.ports.catalog import Catalog
from orchestrator.ports.keeping import NOTHING, Copies, Keeper
from orchestrator.ports.queue import Queue

Use = Callable[[], AbstractAsyncContextManager[tuple[Catalog, Queue]]]
METADATA: Metadata = {
    "year": 2026,
    "draft": False,
    "ratio": 0.1,
    "tags": ["a", "ß"],
    "nothing": None,
}


async def _clerk(catalog: Catalog, queue: Queue, name: str = "policies") -> Clerk:
    try:
        found: Workspace = await catalog.workspaces.get(name)
    except NotFound:
        return await Clerk.of(catalog, queue, name)
    return Clerk(catalog, queue, found)


class KeeperContract:
    """Needs `keeper` and `copies`, and `use`, which opens the same, empty catalog as any process.

    `other` is the keeper of another, empty catalog, and `use_other` opens that; it may be of
    another kind.
    """

    @pytest.fixture
    def copy(self, tmp_path: Path) -> Path:
        return tmp_path / "copy.db"

    async def test_a_copy_is_of_one_moment_and_hinders_no_writer(
        self, keeper: Keeper, copies: Copies, use: Use, copy: Path
    ) -> None:
        async with use() as (catalog, queue):
            clerk = await _clerk(catalog, queue)
            kept = await clerk.keep("Refunds are paid.", source_id="refunds.txt")
            await keeper.copy(copy)
            await clerk.keep("Lunch is at noon.", source_id="lunch.txt")
            revision = (await catalog.workspaces.get("policies")).revision

        contents = await copies.contents(copy)
        assert contents.rows["documents"] == 1
        assert contents.names == {clerk.uid: "policies"}
        assert contents.revisions == {clerk.uid: revision - 1}
        assert not contents.untouched
        assert [one.document_id for one in copies.originals(copy)] == [kept.id]

    async def test_nothing_is_lost_on_the_way_there_and_back(
        self, keeper: Keeper, copies: Copies, use: Use, copy: Path, other: Keeper, use_other: Use
    ) -> None:
        async with use() as (catalog, queue):
            clerk = await _clerk(catalog, queue)
            kept = await _told(clerk)
            doomed = await clerk.keep("Gone.", source_id="gone.txt")
            receipt = await catalog.deletions.document(doomed.id)
            vectors = await _vectors(clerk)
            await clerk.hand_in(source_id="waiting.txt")
            await keeper.copy(copy)
        await copies.renew(copy, beyond=NOTHING)

        await other.replace(copy)

        async with use_other() as (catalog, queue):
            again = await _clerk(catalog, queue)
            assert await catalog.documents.get(kept.id) == kept
            assert (await catalog.documents.get(doomed.id)).receipt == receipt
            assert await _vectors(again) == vectors
            assert (await queue.backlog()).waiting == 1
            assert again.uid == clerk.uid
            assert (await again.claim()).attempts == 1

    async def test_what_was_given_away_is_not_given_again(
        self, keeper: Keeper, copies: Copies, use: Use, copy: Path, other: Keeper, use_other: Use
    ) -> None:
        async with use() as (catalog, queue):
            clerk = await _clerk(catalog, queue)
            await clerk.keep("One.", source_id="one.txt")
            await keeper.copy(copy)
            later = await clerk.keep("Two.", source_id="two.txt")
            used = max(await clerk.chunk_ids())
            revision = (await catalog.workspaces.get("policies")).revision
        await copies.renew(copy, beyond=NOTHING)

        await other.replace(copy)

        async with use_other() as (catalog, queue):
            again = await _clerk(catalog, queue)
            assert (await catalog.workspaces.get("policies")).revision > revision
            assert await again.find("two.txt") is None
            await again.keep("Three.", source_id="three.txt")
            assert max(await again.chunk_ids()) > used
            assert (await catalog.log.since(again.uid, revision)).revision > revision
        assert later.id in await other.deleted([later.id])

    async def test_it_goes_on_beyond_what_it_replaces(
        self, keeper: Keeper, copies: Copies, use: Use, copy: Path, tmp_path: Path
    ) -> None:
        async with use() as (catalog, queue):
            clerk = await _clerk(catalog, queue)
            await clerk.keep("One.")
            await keeper.copy(copy)
        first, second = tmp_path / "first.db", tmp_path / "second.db"
        for path, before in ((first, NOTHING), (second, None)):
            await asyncio.to_thread(shutil.copy, copy, path)
            beyond = before or await copies.contents(first)

            await copies.renew(path, beyond=beyond)

        one, two = await copies.contents(first), await copies.contents(second)
        assert two.revisions[clerk.uid] > one.revisions[clerk.uid]
        assert two.used["chunks"] > one.used["chunks"] > 0
        assert two.used["jobs"] > one.used["jobs"] > 0

    async def test_whoever_worked_when_it_was_copied_holds_nothing(
        self, keeper: Keeper, copies: Copies, use: Use, copy: Path, other: Keeper, use_other: Use
    ) -> None:
        async with use() as (catalog, queue):
            clerk = await _clerk(catalog, queue)
            await clerk.hand_in()
            claimed = await clerk.claim()
            await catalog.replies.begin("me", "key", "print", workspace=clerk.uid, seconds=600)
            await keeper.copy(copy)
        await copies.renew(copy, beyond=NOTHING)
        await other.replace(copy)

        async with use_other() as (catalog, queue):
            job = await (await _clerk(catalog, queue)).claim()
            held = await catalog.replies.begin(
                "me", "key", "print", workspace=clerk.uid, seconds=600
            )

        assert (job.id, job.attempts) == (claimed.id, claimed.attempts)
        assert held is None

    async def test_a_catalog_that_is_used_is_not_replaced(
        self, keeper: Keeper, copies: Copies, use: Use, copy: Path
    ) -> None:
        async with use() as (catalog, queue):
            clerk = await _clerk(catalog, queue)
            kept = await clerk.keep("One.")
            await keeper.copy(copy)
            await copies.renew(copy, beyond=NOTHING)

            with pytest.raises(Conflict):
                await keeper.require_alone()
            with pytest.raises(Conflict):
                await keeper.replace(copy)

            assert await catalog.documents.get(kept.id) == kept
            assert (await catalog.workspaces.get("policies")).revision == kept.revision
        await keeper.require_alone()

    async def test_what_was_deleted_since_is_known_and_can_be_forgotten(
        self, keeper: Keeper, copies: Copies, use: Use, copy: Path
    ) -> None:
        async with use() as (catalog, queue):
            clerk = await _clerk(catalog, queue)
            kept = await clerk.keep("One.", source_id="one.txt")
            doomed = await clerk.keep("A secret of two.", source_id="two.txt")
            await keeper.copy(copy)
            await catalog.deletions.document(doomed.id)

        assert await keeper.deleted([kept.id, doomed.id, "unknown"]) == {doomed.id, "unknown"}
        await copies.forget(copy, [doomed.id])

        assert [one.document_id for one in copies.originals(copy)] == [kept.id]
        assert b"A secret of two." not in await asyncio.to_thread(copy.read_bytes)

    async def test_conversations_come_along_without_what_was_deleted_since(
        self, keeper: Keeper, copies: Copies, use: Use, copy: Path, other: Keeper, use_other: Use
    ) -> None:
        async with use() as (catalog, queue):
            clerk = await _clerk(catalog, queue)
            kept = await clerk.keep("One.", source_id="one.txt")
            doomed = await clerk.keep("Two.", source_id="two.txt")
            session = await catalog.sessions.create(clerk.uid, "anonymous", title="Told")
            for one in (kept, doomed):
                asked = Exchange("What?", one.id, True, (Cited(one.id, "1", True),))
                await catalog.sessions.append(session.id, asked)
            await keeper.copy(copy)
            await catalog.deletions.document(doomed.id)
        await copies.forget(copy, [doomed.id])
        await copies.renew(copy, beyond=NOTHING)
        await other.replace(copy)

        async with use_other() as (catalog, _):
            again = await catalog.sessions.get(session.id, subject="anonymous")
            said = await catalog.sessions.exchanges(
                session.id, principal=ANONYMOUS, before=None, limit=9
            )

        assert (again.title, again.created_at) == ("Told", session.created_at)
        assert [(one.question, one.answer) for one in said] == [("What?", kept.id), ("What?", None)]

    async def test_a_failed_document_says_so(
        self, keeper: Keeper, copies: Copies, use: Use, copy: Path
    ) -> None:
        async with use() as (catalog, queue):
            clerk = await _clerk(catalog, queue)
            await clerk.hand_in(source_id="bad.txt")
            await queue.fail(await clerk.claim(), "it is harmful", "infected")
            await clerk.keep("Good.", source_id="good.txt")
            await keeper.copy(copy)

        assert sorted(one.failed for one in copies.originals(copy)) == [False, True]


async def _told(clerk: Clerk) -> Document:
    await clerk.hand_in(source_id="told.txt", metadata=METADATA, acl={"hr", "legal"})
    return await clerk.publish("Refunds are paid – 返金.", "A second piece.")


async def _vectors(clerk: Clerk) -> list[tuple[int, bytes]]:
    ids = np.array(await clerk.chunk_ids(), np.int64)
    return [
        (int(one), vector.tobytes())
        async for batch, vectors in clerk.catalog.vectors.vectors(MODEL, ids)
        for one, vector in zip(batch, vectors, strict=True)
    ]
