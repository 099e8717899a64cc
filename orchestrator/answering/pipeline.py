"""The pipeline: make whole, cache, retrieve, rerank, pack, generate, check, remember, answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from orchestrator.answering.checking import Check
from orchestrator.answering.conversing import FollowUps
from orchestrator.answering.course import Course, Names, as_source
from orchestrator.answering.packing import Packer
from orchestrator.domain.answers import Checked, Done, Event, Outcome, Query, Sources, Token
from orchestrator.indexing.library import Library, Moment
from orchestrator.ports.cache import Cache
from orchestrator.ports.generator import Generator, admit
from orchestrator.ports.reranker import Reranker
from orchestrator.ports.retriever import Retriever


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The stages that one configuration of a workspace names."""

    names: Names
    library: Library
    cache: Cache
    retriever: Retriever
    reranker: Reranker
    packer: Packer
    generator: Generator
    check: Check
    rerank_depth: int
    follow_ups: FollowUps = field(default_factory=FollowUps)

    async def stream(self, query: Query, moment: Moment) -> AsyncGenerator[Event]:
        """Answer a question that is pinned to the moment: `Sources`, `Token`s, then `Done`.

        Raises:
            Unavailable: when retrieval or generation is down.
            Exhausted: when generation has too much to do.
            TooLarge: when no passage fits beside the question.
            Conflict: when a source was deleted or withdrawn before the last event.
        """
        course = Course(query, moment, self.names)
        query = course.follow(await self.follow_ups.made_whole(query))

        known = None
        with course.degrading("cache"):
            if moment.current:
                known = await self.cache.get(course.key, revision=moment.revision)
        if known:
            yield Sources(known.sources)
            yield Token(known.answer)
            yield Done(course.recalled(known))
            return

        admit(self.generator)
        wanted = max(query.top_k, self.rerank_depth)
        retrieval = await self.retriever.retrieve(query, limit=wanted)
        course.note(retrieval.degraded)
        if understood := retrieval.understood:
            course.understood, query = understood, replace(query, text=understood.text_searched)
        passages = retrieval.passages
        with course.degrading("reranker"):
            passages = await self.reranker.rerank(query, passages, limit=query.top_k)
        packed = await self.packer.pack(query, passages[: query.top_k])
        course.packing, passages = packed.trace, packed.passages

        sources = tuple(as_source(passage) for passage in passages)
        yield Sources(sources)
        text, checked = "", Checked(Outcome(answerable=False))
        async with aclosing(self.check.checked(self.generator, query, passages)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Token):
                    text += piece.text
                    yield piece
                else:
                    checked = piece
        course.note(checked.outcome.degraded)

        await self.library.confirm(moment, packed.used, query.scope)
        answer = course.answer(text, checked, sources)
        if course.whole:
            with course.degrading("cache"):
                await self.cache.put(course.key, answer, revision=moment.revision)
            if not course.whole:
                answer = course.answer(text, checked, sources)
        yield Done(course.continuing(answer))
