"""Taking documents and workspaces back: hidden now, purged everywhere, with a receipt."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from typing import Final, Protocol

from orchestrator.domain.documents import Receipt
from orchestrator.domain.filters import Filter
from orchestrator.domain.identity import Principal
from orchestrator.indexing.shelf import LEASE_S
from orchestrator.ingestion.purging import Purger
from orchestrator.ports.catalog import Catalog, Wanted, Withdrawn

PURGE_S: Final = 2.0
DELETED_AT_ONCE: Final = 1000
DELETED_TOGETHER: Final = 50
"""Documents whose tombstones one transaction puts up: others wait for it to end."""


class Observer(Protocol):
    """What an operator wants to hear of."""

    def purge_failed(self, document_id: str, error: BaseException) -> None:
        """A deletion's first purge met an error; housekeeping will purge what is left."""
        ...


class Withdrawals:
    """Deletions, each given back when no process can still trust a state from before it."""

    def __init__(self, catalog: Catalog, purger: Purger, observer: Observer) -> None:
        self._catalog = catalog
        self._purger = purger
        self._observer = observer
        self._purges: set[asyncio.Task[Sequence[Receipt]]] = set()

    async def document(self, document_id: str) -> Receipt:
        """Hide the document now, purge it everywhere, and give the receipt."""
        receipt = await self._catalog.deletions.document(document_id)
        hidden = time.monotonic()
        if receipt.complete:
            return receipt
        document = await self._catalog.documents.get(document_id)
        (receipt,) = await self._purged(document.workspace, [receipt], hidden)
        return receipt

    async def matching(
        self, workspace: str, filters: Filter, *, principal: Principal
    ) -> tuple[Withdrawn, bool]:
        """Delete what matches and the principal may see; and whether some of it is left.

        At most about 1,000 go at once. What is under legal hold is left, and told apart.
        """
        found = await self._catalog.workspaces.get(workspace)
        wanted, after = Wanted(filters=filters), None
        receipts: list[Receipt] = []
        held: dict[str, str] = {}
        more = True
        while more and len(receipts) < DELETED_AT_ONCE:
            page = await self._catalog.documents.list(
                found.uid, principal=principal, after=after, limit=DELETED_TOGETHER, wanted=wanted
            )
            outcome = await self._catalog.deletions.documents([one.id for one in page])
            receipts += outcome.receipts
            held |= outcome.held
            more = len(page) == DELETED_TOGETHER
            after = page[-1].id if page else None
        if receipts:
            await self._purged(found.uid, receipts, time.monotonic())
        return Withdrawn(receipts, held), more

    async def workspace(self, name: str) -> None:
        """Delete a workspace with all its documents, from every store that answers."""
        uid = await self._catalog.deletions.workspace(name)
        await self._purger.workspace(uid)
        await asyncio.sleep(LEASE_S)

    async def close(self) -> None:
        """Stop the purges that still run; what they leave is pending."""
        for purge in self._purges:
            purge.cancel()
        await asyncio.gather(*self._purges, return_exceptions=True)

    async def _purged(
        self, workspace: str, receipts: Sequence[Receipt], hidden: float
    ) -> Sequence[Receipt]:
        """The receipts after the purge, or as they are if it takes long; not before the lease."""
        purge = asyncio.create_task(self._purger.several(workspace, receipts))
        self._purges.add(purge)
        purge.add_done_callback(partial(self._ended, receipts[0].document_id))
        done, _ = await asyncio.wait({purge}, timeout=PURGE_S)
        await asyncio.sleep(max(0.0, LEASE_S - (time.monotonic() - hidden)))
        return purge.result() if done else receipts

    def _ended(self, document_id: str, purge: asyncio.Task[Sequence[Receipt]]) -> None:
        self._purges.discard(purge)
        if not purge.cancelled() and (error := purge.exception()):
            self._observer.purge_failed(document_id, error)
