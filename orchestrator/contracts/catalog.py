"""The promises of a `Catalog`: those of its parts, and of two processes that share it."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

import asyncio

import pytest

from orchestrator.contracts.analytics import AnalyticsContract
from orchestrator.contracts.batches import BatchesContract
from orchestrator.contracts.chunks import ChunksContract, VectorTableContract
from orchestrator.contracts.clerk import MODEL, Clerk
from orchestrator.contracts.deletions import DeletionsContract, key_of
from orchestrator.contracts.documents import DocumentsContract
from orchestrator.contracts.errands import ErrandsContract
from orchestrator.contracts.following import FollowingContract
from orchestrator.contracts.history import VersionsContract
from orchestrator.contracts.holds import HoldsContract
from orchestrator.contracts.listing import ListingContract
from orchestrator.contracts.publishing import PublishingContract
from orchestrator.contracts.quotas import QuotaContract
from orchestrator.contracts.registration import RegistrationContract
from orchestrator.contracts.reindexings import ReindexingsContract
from orchestrator.contracts.replies import RepliesContract
from orchestrator.contracts.sessions import SessionsContract
from orchestrator.contracts.sweeping import SweepingContract
from orchestrator.contracts.workspaces import PLAIN, WorkspacesContract
from orchestrator.domain.documents import Status
from orchestrator.ports.catalog import Catalog
from orchestrator.ports.queue import Queue

__all__ = [
    "AnalyticsContract",
    "BatchesContract",
    "CatalogContract",
    "ChunksContract",
    "DeletionsContract",
    "DocumentsContract",
    "ErrandsContract",
    "FollowingContract",
    "HoldsContract",
    "ListingContract",
    "PublishingContract",
    "QuotaContract",
    "RegistrationContract",
    "ReindexingsContract",
    "RepliesContract",
    "SessionsContract",
    "SharingContract",
    "SweepingContract",
    "VectorTableContract",
    "VersionsContract",
    "WorkspacesContract",
]


class SharingContract:
    """Needs `catalog` and `another`, two processes' views of one database, and `clerk`."""

    async def test_one_process_sees_what_another_wrote(
        self, clerk: Clerk, another: Catalog
    ) -> None:
        document = await clerk.keep("Refunds are paid.")
        ids = await clerk.chunk_ids()

        workspace = await another.workspaces.get(clerk.name)
        (chunk,) = await another.chunks.read(ids)

        assert (workspace.uid, workspace.revision) == (clerk.uid, 1)
        assert await another.documents.get(document.id) == document
        assert chunk.text == "Refunds are paid."
        assert await another.vectors.known(MODEL, [key_of(chunk.text)])

    async def test_one_process_deletes_what_another_wrote(
        self, catalog: Catalog, clerk: Clerk, another: Catalog
    ) -> None:
        document = await clerk.keep("Refunds are paid.")

        receipt = await another.deletions.document(document.id)

        assert (await catalog.documents.get(document.id)).receipt == receipt
        assert (await catalog.log.since(clerk.uid, 1)).documents[0].deleted

    async def test_processes_write_side_by_side_and_lose_nothing(
        self, catalog: Catalog, another: Catalog, queue: Queue
    ) -> None:
        one = await Clerk.of(catalog, queue, "one")
        workspace = await another.workspaces.create("two", PLAIN)
        two = Clerk(another, queue, workspace)

        async def write(clerk: Clerk) -> None:
            for number in range(12):
                await clerk.hand_in(f"{number}", source_id=f"{number}")

        await asyncio.gather(write(one), write(two))

        jobs = await queue.claim("a", limit=100, seconds=60)
        assert len({job.document_id for job in jobs}) == 24

    async def test_revisions_of_one_workspace_are_counted_by_both(
        self, catalog: Catalog, clerk: Clerk, another: Catalog
    ) -> None:
        for name in "abcdefgh":
            await clerk.hand_in(name, source_id=name)
        batch = [await clerk.publication(await clerk.claim(), name) for name in "abcdefgh"]

        await asyncio.gather(
            *(
                (catalog if number % 2 else another).log.publish([publication])
                for number, publication in enumerate(batch)
            )
        )

        delta = await clerk.since(0)
        assert delta.revision == 8
        assert sorted(row.added for row in delta.rows) == list(range(1, 9))
        for publication in batch:
            document = await catalog.documents.get(publication.document_id)
            assert document.status is Status.INDEXED

    async def test_a_live_catalog_answers_a_ping(self, catalog: Catalog) -> None:
        await catalog.ping()


class CatalogContract(
    WorkspacesContract,
    RegistrationContract,
    DocumentsContract,
    ListingContract,
    VersionsContract,
    DeletionsContract,
    HoldsContract,
    PublishingContract,
    FollowingContract,
    SweepingContract,
    ChunksContract,
    VectorTableContract,
    BatchesContract,
    ErrandsContract,
    RepliesContract,
    ReindexingsContract,
    AnalyticsContract,
    QuotaContract,
    SessionsContract,
    SharingContract,
):
    """Needs `catalog`, empty, its `queue`, and `another`: a second process's view of the same."""

    @pytest.fixture
    async def clerk(self, catalog: Catalog, queue: Queue) -> Clerk:
        return await Clerk.of(catalog, queue)
