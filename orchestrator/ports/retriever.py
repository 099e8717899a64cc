"""Retrieval: a question to passages."""

from typing import Protocol

from orchestrator.domain.answers import Query
from orchestrator.domain.passages import Retrieval


class Retriever(Protocol):
    """Finds passages; where a part of it is down, says so in `Retrieval.degraded`."""

    async def retrieve(self, query: Query, *, limit: int) -> Retrieval:
        """The best `limit` passages within the query's scope, best first.

        Raises:
            Unavailable: when nothing that it searches answers; never an empty list instead.
        """
        ...
