"""Asking as a reader does, but for documents by their source ids."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.answering.service import GROUP_DEPTH, Answering, Mode, PipelineOf
from orchestrator.domain.answers import Query
from orchestrator.domain.errors import Unavailable
from orchestrator.domain.identity import Scope
from orchestrator.domain.passages import Passage, Retrieval
from orchestrator.indexing.library import Library


@dataclass(frozen=True, slots=True)
class Asking:
    """Retrieval as the workspace is configured, then its reranker, then each document once.

    A `mode` takes the place of the workspace's retriever and reranker, as in `/v1/search`.
    """

    library: Library
    answering: Answering
    pipeline_of: PipelineOf
    workspace: str
    mode: Mode | None = None

    async def ranking(self, text: str, wanted: int) -> list[str]:
        """The source ids of the best `wanted` documents, best first.

        Raises:
            Unavailable: when a stage did not answer: what is left is not what is to be measured.
        """
        found = await self.passages(text, wanted)
        return list(dict.fromkeys(one.chunk.source_id for one in found))[:wanted]

    async def timed(self, text: str, wanted: int) -> tuple[list[str], float]:
        """The same, and the milliseconds that it took."""
        began = time.perf_counter()
        found = await self.ranking(text, wanted)
        return found, (time.perf_counter() - began) * 1e3

    async def passages(self, text: str, wanted: int) -> Sequence[Passage]:
        """Passages of the best `wanted` documents, best first; a document may have several."""
        pipeline = self.pipeline_of(await self.library.pin(self.workspace))
        query = Query(text, Scope(self.workspace), wanted)
        depth = pipeline.rerank_depth
        if self.mode or not depth:
            found, _ = await self.answering.search(query, mode=self.mode, by_document=True)
            return _whole(found)
        query = Query(text, query.scope, max(wanted * GROUP_DEPTH, depth))
        found, _ = await self.answering.search(query)
        passages = _whole(found)
        first = await pipeline.reranker.rerank(query, passages[:depth], limit=depth)
        return [*first, *passages[depth:]]


def _whole(found: Retrieval) -> Sequence[Passage]:
    if found.degraded:
        raise Unavailable("retrieval", f"it answered without {', '.join(found.degraded)}")
    return found.passages
