"""A pipeline of fakes over one workspace, each of which can be told to be down."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from orchestrator.answering.checking import Check
from orchestrator.answering.conversing import FollowUps
from orchestrator.answering.course import Names
from orchestrator.answering.lexical import LexicalVerifier
from orchestrator.answering.packing import Packer
from orchestrator.answering.pipeline import Pipeline
from orchestrator.answering.service import Answering
from orchestrator.domain.answers import Outcome, Token, Usage
from orchestrator.domain.errors import Unavailable
from orchestrator.domain.passages import Passage, Retrieval, StageScore
from orchestrator.domain.understanding import Understood
from orchestrator.domain.workspaces import Grounding
from orchestrator.indexing.library import Library
from orchestrator.indexing.projection import Projection
from tests.unit.fakes import FakeCatalog, FakeIndex, Watcher, numbered, workspace

NAMES = Names("hybrid", "mock", "extractive", "default", "f1f2f3f4")


class FakeCache:
    """A cache that keeps everything, and counts; `down` names what does not answer."""

    def __init__(self) -> None:
        self.kept: dict[Any, Any] = {}
        self.down: set[str] = set()
        self.asked = 0

    async def get(self, key: Any, *, revision: int) -> Any:
        self.asked += 1
        self._answers("get")
        return self.kept.get((key, revision))

    async def put(self, key: Any, answer: Any, *, revision: int) -> None:
        self._answers("put")
        self.kept[key, revision] = answer

    async def purge(self, workspace: str) -> None:
        self._answers("purge")
        self.kept = {key: one for key, one in self.kept.items() if key[0].workspace != workspace}

    def _answers(self, what: str) -> None:
        if what in self.down:
            raise Unavailable("redis", "switched off")


class FakeRetriever:
    """Finds every visible chunk of the library, in order, through the library's own reading."""

    def __init__(self, stages: Stages, moment: Any) -> None:
        self._stages = stages
        self._moment = moment

    async def retrieve(self, query: Any, *, limit: int) -> Retrieval:
        stages = self._stages
        stages.retrieved.append((query, limit))
        if stages.retrieval_down:
            raise Unavailable("retrieval", "switched off")
        ids = self._moment.shelf.roster.select(query.scope).ids.tolist()
        chunks = await stages.catalog.read(ids[:limit])
        passages = [
            Passage(one, 1 / place, {"dense": StageScore(0.5, place)})
            for place, one in enumerate(chunks, start=1)
        ]
        if stages.after_retrieval:
            stages.after_retrieval()
        return Retrieval(passages, stages.degraded, stages.understood)


class Stages:
    """Everything around one pipeline: what it is made of, and what was asked of each part."""

    def __init__(self, pieces: Sequence[str] = ("Refunds ", "are paid. [1]")) -> None:
        self.catalog = FakeCatalog(workspace("default"))
        self.watcher = Watcher()
        self.cache = FakeCache()
        self.pieces = pieces
        self.outcome = Outcome(answerable=True, usage=Usage(12, 3))
        self.names = NAMES
        self.grounding = Grounding()
        self.verifier: Any = LexicalVerifier()
        self.rerank_depth = 0
        self.packer = Packer()
        self.follow_ups = FollowUps()
        self.degraded: tuple[str, ...] = ()
        self.understood: Understood | None = None
        self.retrieval_down = self.reranker_down = self.generator_down = False
        self.retrieved: list[Any] = []
        self.reranked: list[Any] = []
        self.generated: list[Any] = []
        self.modes: list[Any] = []
        self.after_retrieval: Any = None
        self.before_generation: Any = None
        self.index = FakeIndex()
        self.library = Library(self.catalog, self._open, self.watcher, follow=False)
        self.answering = Answering(self.library, self.pipeline, self._retriever)

    def pipeline(self, moment: Any) -> Pipeline:
        return Pipeline(
            names=replace(self.names, model=moment.workspace.config.generator),
            library=self.library,
            cache=self.cache,
            retriever=FakeRetriever(self, moment),
            reranker=self,
            generator=self,
            check=Check(self.grounding, self.verifier),
            rerank_depth=self.rerank_depth,
            packer=self.packer,
            follow_ups=self.follow_ups,
        )

    async def rerank(self, query: Any, passages: Any, *, limit: int) -> Any:
        self.reranked.append((query, [one.chunk.id for one in passages], limit))
        if self.reranker_down:
            raise Unavailable("reranker", "switched off")
        return passages[::-1][:limit]

    async def generate(self, query: Any, passages: Any) -> Any:
        self.generated.append((query, [one.chunk.id for one in passages]))
        if self.before_generation:
            self.before_generation()
        for piece in self.pieces:
            yield Token(piece)
        if self.generator_down:
            raise Unavailable("generator", "switched off")
        yield self.outcome

    def withdraw(self, chunk_id: int) -> None:
        """Delete the chunk's document, and let the lease on what was last read end."""
        self.catalog.delete("default", chunk_id)
        self.library._open["default"].shelf._read_at = -1.0

    def _retriever(self, moment: Any, mode: Any) -> FakeRetriever:
        self.modes.append(mode)
        return FakeRetriever(self, moment)

    async def _open(self, shelf: Any, _stack: AsyncExitStack) -> None:
        shelf.projections.setdefault("keywords", Projection(self.index, numbered))
