"""A retriever whose hits bring what is around them: more of the best documents, neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from orchestrator.answering.retrieval import Reader
from orchestrator.domain.answers import Query
from orchestrator.domain.identity import Scope
from orchestrator.domain.passages import Candidate, Passage, Retrieval, StageScore
from orchestrator.domain.workspaces import Reach
from orchestrator.ports.retriever import Retriever

Around: TypeAlias = Callable[[int, Scope, int], Sequence[int]]
"""A chunk to those before and after it that the scope may see."""

DEEPER: Final = 4
"""To look into few documents, so many times more passages are looked at than are wanted."""


class ReachingRetriever:
    """`orchestrator.ports.retriever.Retriever`; what comes with a hit is read in its scope."""

    def __init__(self, inner: Retriever, reach: Reach, around: Around, read: Reader) -> None:
        self._inner = inner
        self._reach = reach
        self._around = around
        self._read = read

    async def retrieve(self, query: Query, *, limit: int) -> Retrieval:
        """Search, keep to the best documents, and let each hit be followed by its neighbours."""
        deeper = limit * DEEPER if self._reach.documents else limit
        found = await self._inner.retrieve(query, limit=deeper)
        passages = found.passages
        if self._reach.documents:
            passages = of_documents(passages, self._reach.documents)
        passages = passages[:limit]
        if self._reach.neighbours:
            passages = await self._followed(passages, query.scope)
        return replace(found, passages=passages[:limit])

    async def _followed(self, passages: Sequence[Passage], scope: Scope) -> Sequence[Passage]:
        hits = {one.chunk.id for one in passages}
        order: list[Passage | Candidate] = []
        for rank, hit in enumerate(passages, start=1):
            order.append(hit)
            for chunk_id in self._around(hit.chunk.id, scope, self._reach.neighbours):
                if chunk_id not in hits:
                    hits.add(chunk_id)
                    stages = {"neighbour": StageScore(hit.score, rank)}
                    order.append(Candidate(chunk_id, hit.score, stages))
        candidates = [one for one in order if isinstance(one, Candidate)]
        beside = {one.chunk.id: one for one in await self._read(candidates, scope)}
        places = (one if isinstance(one, Passage) else beside.get(one.chunk_id) for one in order)
        return [one for one in places if one]


def of_documents(passages: Sequence[Passage], count: int) -> Sequence[Passage]:
    """The passages of the best documents, each as good as its best passage, in their order."""
    best: dict[str, StageScore] = {}
    for one in passages:
        if one.chunk.document_id not in best:
            best[one.chunk.document_id] = StageScore(one.score, len(best) + 1)
    return [
        replace(one, stages={**one.stages, "document": best[one.chunk.document_id]})
        for one in passages
        if best[one.chunk.document_id].rank <= count
    ]
