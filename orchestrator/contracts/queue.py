"""The promises of a `Queue`: who has a job, and what becomes of it."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

import pytest

from orchestrator.contracts.claims import ClaimsContract
from orchestrator.contracts.clerk import Clerk
from orchestrator.contracts.failures import FailuresContract
from orchestrator.ports.catalog import Catalog
from orchestrator.ports.queue import Queue


class QueueContract(ClaimsContract, FailuresContract):
    """Needs the fixtures `queue` and `catalog`, both new, where the queue is the catalog's."""

    @pytest.fixture
    async def clerk(self, catalog: Catalog, queue: Queue) -> Clerk:
        return await Clerk.of(catalog, queue)
