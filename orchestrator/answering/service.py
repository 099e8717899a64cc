"""Answering and searching, as the API and the command line call them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from orchestrator.answering.explaining import Words, explained
from orchestrator.answering.pipeline import Pipeline
from orchestrator.answering.remembering import Talk
from orchestrator.domain.answers import Answer, Done, Event, Query
from orchestrator.domain.context import begin_timings
from orchestrator.domain.errors import Conflict, Unavailable
from orchestrator.domain.passages import Made, Passage, Retrieval
from orchestrator.domain.workspaces import TRIED, WorkspaceConfig
from orchestrator.indexing.library import Library, Moment
from orchestrator.ports.catalog import Sessions
from orchestrator.ports.retriever import Retriever

Mode: TypeAlias = Literal["hybrid", "dense", "keyword"]
ATTEMPTS: Final = 3
GROUP_DEPTH: Final = 4
"""Grouping by document looks at so many passages for each document wanted."""

PipelineOf: TypeAlias = Callable[[Moment], Pipeline]
RetrieverOf: TypeAlias = Callable[[Moment, Mode | None], Retriever]
WordsOf: TypeAlias = Callable[[Moment], Words]
Trial: TypeAlias = Callable[[WorkspaceConfig], WorkspaceConfig]
"""A workspace's configuration to the one that is to be tried."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a search asks for beside its question.

    `mode` overrides the workspace's retriever; `rerank` asks its reranker too, as answers do;
    `explain` adds the reasons; `trial` searches with another configuration, this time alone.
    """

    mode: Mode | None = None
    by_document: bool = False
    rerank: bool = False
    explain: bool = False
    trial: Trial | None = None


class Answering:
    """The use cases of a reader; every one begins by pinning the workspace's revision."""

    def __init__(
        self,
        library: Library,
        pipeline_of: PipelineOf,
        retriever_of: RetrieverOf,
        words_of: WordsOf | None = None,
        sessions: Sessions | None = None,
    ) -> None:
        self._library = library
        self._pipeline_of = pipeline_of
        self._retriever_of = retriever_of
        self._words_of = words_of
        self._sessions = sessions

    async def stream(self, query: Query) -> AsyncGenerator[Event]:
        """Answer a question as events; raises what `Pipeline.stream` raises, and `NotFound`."""
        query = query.understood()
        moment, talk = await self._begun(query)
        if query.model:
            moment = _chosen(moment, query.model)
        if talk:
            query = replace(query, history=talk.history)
        pinned = _pinned(query, moment)
        async with aclosing(self._pipeline_of(moment).stream(pinned, moment)) as events:
            async for event in events:
                if talk and isinstance(event, Done):
                    yield Done(await talk.kept(query, event.answer))
                else:
                    yield event

    async def answer(self, query: Query) -> Answer:
        """The stream, collected; asks again when a source was withdrawn before all was said."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with aclosing(self.stream(query)) as events:
                    async for event in events:
                        if isinstance(event, Done):
                            return event.answer
            except Conflict:
                if attempt == ATTEMPTS:
                    raise
        raise AssertionError("a stream ends with Done or an error")

    async def _begun(self, query: Query) -> tuple[Moment, Talk | None]:
        """The workspace's moment, and the session that the query names if it names one."""
        pinning = self._library.pin(query.scope.workspace)
        if not (query.session and self._sessions):
            return await pinning, None
        moment, talk = await asyncio.gather(pinning, Talk.of(self._sessions, query))
        talk.require_in(moment.workspace.uid)
        return moment, talk

    async def search(
        self, query: Query, *, mode: Mode | None = None, by_document: bool = False
    ) -> tuple[Retrieval, dict[str, float]]:
        """Retrieval alone, and its timings in milliseconds; `mode` overrides the workspace's."""
        return await self.look(query, Wish(mode, by_document))

    async def look(self, query: Query, wish: Wish) -> tuple[Retrieval, dict[str, float]]:
        """Retrieval as it is wished for, and its timings in milliseconds.

        Raises:
            Rejected: when a configuration is to be tried that cannot be.
        """
        timings = begin_timings()
        query = query.understood()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._searched(query, wish), timings
            except Conflict:
                if attempt == ATTEMPTS:
                    raise
        raise AssertionError("a search ends with passages or an error")

    async def _searched(self, query: Query, wish: Wish) -> Retrieval:
        moment = await self._library.pin(query.scope.workspace)
        version = moment.workspace.config_version
        if wish.trial:
            moment = _tried(moment, wish.trial)
        query = replace(_pinned(query, moment), explain=wish.explain)
        pipeline = self._pipeline_of(moment)
        limit = query.top_k * GROUP_DEPTH if wish.by_document else query.top_k
        if wish.rerank:
            limit = max(limit, pipeline.rerank_depth)
        found = await self._retriever_of(moment, wish.mode).retrieve(query, limit=limit)
        if wish.rerank:
            found = await _reranked(found, query, pipeline, limit)
        passages = _best_of_each(found.passages) if wish.by_document else list(found.passages)
        passages = passages[: query.top_k]
        why: Mapping[int, Sequence[str]] = {}
        if wish.explain and self._words_of:
            why = await explained(found, passages, query.text, self._words_of(moment))
        await self._library.confirm(moment, passages, query.scope)
        made = Made(
            retriever=wish.mode or pipeline.names.retriever,
            reranker=pipeline.names.reranker if wish.rerank else "none",
            revision=moment.revision,
            config_version=version,
        )
        return replace(found, passages=passages, why=why, made=made)


def _pinned(query: Query, moment: Moment) -> Query:
    query = query.at(moment.revision)
    return replace(query, prompting=moment.workspace.config.prompting)


def _chosen(moment: Moment, model: str) -> Moment:
    return replace(moment, workspace=moment.workspace.answering_with(model))


def _tried(moment: Moment, trial: Trial) -> Moment:
    workspace = moment.workspace
    return replace(
        moment,
        workspace=replace(workspace, config=trial(workspace.config), config_version=TRIED),
    )


async def _reranked(found: Retrieval, query: Query, pipeline: Pipeline, limit: int) -> Retrieval:
    if found.understood:
        query = replace(query, text=found.understood.text_searched)
    try:
        passages = await pipeline.reranker.rerank(query, found.passages, limit=limit)
    except Unavailable:
        return replace(found, degraded=(*found.degraded, "reranker"))
    return replace(found, passages=passages)


def _best_of_each(passages: Sequence[Passage]) -> list[Passage]:
    best: dict[str, Passage] = {}
    for passage in passages:
        best.setdefault(passage.chunk.document_id, passage)
    return list(best.values())
