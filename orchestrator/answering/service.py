"""Answering and searching, as the API and the command line call them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Final, Literal, TypeAlias

from orchestrator.answering.pipeline import Pipeline
from orchestrator.domain.answers import Answer, Done, Event, Query
from orchestrator.domain.context import begin_timings
from orchestrator.domain.errors import Conflict
from orchestrator.domain.passages import Passage, Retrieval
from orchestrator.indexing.library import Library, Moment
from orchestrator.ports.retriever import Retriever

Mode: TypeAlias = Literal["hybrid", "dense", "keyword"]
ATTEMPTS: Final = 3
GROUP_DEPTH: Final = 4
"""Grouping by document looks at so many passages for each document wanted."""

PipelineOf: TypeAlias = Callable[[Moment], Pipeline]
RetrieverOf: TypeAlias = Callable[[Moment, Mode | None], Retriever]


class Answering:
    """The use cases of a reader; every one begins by pinning the workspace's revision."""

    def __init__(
        self, library: Library, pipeline_of: PipelineOf, retriever_of: RetrieverOf
    ) -> None:
        self._library = library
        self._pipeline_of = pipeline_of
        self._retriever_of = retriever_of

    async def stream(self, query: Query) -> AsyncGenerator[Event]:
        """Answer a question as events; raises what `Pipeline.stream` raises, and `NotFound`."""
        async with aclosing(await self._begin(query)) as events:
            async for event in events:
                yield event

    async def answer(self, query: Query) -> Answer:
        """The stream, collected; asks again when a source was withdrawn before all was said."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with aclosing(await self._begin(query)) as events:
                    async for event in events:
                        if isinstance(event, Done):
                            return event.answer
            except Conflict:
                if attempt == ATTEMPTS:
                    raise
        raise AssertionError("a stream ends with Done or an error")

    async def _begin(self, query: Query) -> AsyncGenerator[Event]:
        query = query.understood()
        moment = await self._library.pin(query.scope.workspace)
        return self._pipeline_of(moment).stream(query.at(moment.revision), moment)

    async def search(
        self, query: Query, *, mode: Mode | None = None, by_document: bool = False
    ) -> tuple[Retrieval, dict[str, float]]:
        """Retrieval alone, and its timings in milliseconds; `mode` overrides the workspace's."""
        timings = begin_timings()
        query = query.understood()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._searched(query, mode, by_document=by_document), timings
            except Conflict:
                if attempt == ATTEMPTS:
                    raise
        raise AssertionError("a search ends with passages or an error")

    async def _searched(self, query: Query, mode: Mode | None, *, by_document: bool) -> Retrieval:
        moment = await self._library.pin(query.scope.workspace)
        query = query.at(moment.revision)
        limit = query.top_k * GROUP_DEPTH if by_document else query.top_k
        found = await self._retriever_of(moment, mode).retrieve(query, limit=limit)
        passages = _best_of_each(found.passages) if by_document else list(found.passages)
        passages = passages[: query.top_k]
        await self._library.confirm(moment, passages, query.scope)
        return replace(found, passages=passages)


def _best_of_each(passages: Sequence[Passage]) -> list[Passage]:
    best: dict[str, Passage] = {}
    for passage in passages:
        best.setdefault(passage.chunk.document_id, passage)
    return list(best.values())
