"""Asking a workspace with configurations that it does not have, each search being made once only.

What is found by meaning and by words depends on the question alone, so it is remembered; all that
comes after, fusion and reranking, is the product's own code, run for every configuration.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from orchestrator.answering.service import Answering, PipelineOf, RetrieverOf
from orchestrator.domain.identity import Scope
from orchestrator.domain.passages import Hit, Passage
from orchestrator.domain.workspaces import WorkspaceConfig
from orchestrator.evaluation.asking import Asking
from orchestrator.indexing.library import Library, Moment
from orchestrator.ports.arrays import Vector, Vectors
from orchestrator.ports.embedder import Embedder


class RememberingEmbedder:
    """`orchestrator.ports.embedder.Embedder` that embeds a question once."""

    def __init__(self, inner: Embedder) -> None:
        self._inner = inner
        self._known: dict[str, Vector] = {}
        self.digest = inner.digest
        self.dimension = inner.dimension
        self.max_tokens = inner.max_tokens

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """As the inner one does."""
        return await self._inner.embed(texts)

    async def embed_query(self, text: str) -> Vector:
        """The inner one's vector, always the same object."""
        if text not in self._known:
            self._known[text] = await self._inner.embed_query(text)
        return self._known[text]

    def token_spans(self, text: str) -> Sequence[tuple[int, int]]:
        """As the inner one does."""
        return self._inner.token_spans(text)


class RememberingProjection:
    """A projection that is searched once for each question and number of hits.

    A smaller number is not cut from a larger one: an index may be less exact for fewer.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._known: dict[tuple[object, Scope, int], Sequence[Hit]] = {}

    async def search(self, question: Any, *, scope: Scope, limit: int) -> Sequence[Hit]:
        """What the inner one found."""
        key = (question if isinstance(question, str) else question.tobytes(), scope, limit)
        if key not in self._known:
            self._known[key] = await self._inner.search(question, scope=scope, limit=limit)
        return self._known[key]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class Replay:
    """A workspace at one moment, under any configuration that its indexes can serve.

    It is a `Library` to those who ask: they pin the moment, with the configuration in hand.
    """

    def __init__(self, library: Library, moment: Moment) -> None:
        self._library = library
        shelf = copy.copy(moment.shelf)  # the same roster and indexes, the latter remembered
        shelf.projections = {
            role: RememberingProjection(one)  # type: ignore[misc]  # all that is asked of it
            for role, one in moment.shelf.projections.items()
        }
        self._moment = replace(moment, shelf=shelf)
        self._version = 0

    def configure(self, config: WorkspaceConfig) -> None:
        """Answer as with this configuration from now on."""
        self._version += 1  # pipelines are remembered by it
        workspace = replace(self._moment.workspace, config=config, config_version=self._version)
        self._moment = replace(self._moment, workspace=workspace)

    async def pin(self, _name: str) -> Moment:
        """Always the same moment."""
        return self._moment

    async def confirm(self, moment: Moment, passages: Sequence[Passage], scope: Scope) -> None:
        """As of now, by the library itself."""
        await self._library.confirm(moment, passages, scope)


def asking_replay(replay: Replay, pipeline_of: PipelineOf, retriever_of: RetrieverOf) -> Asking:
    """Asks the replay, through the service's own code."""
    library = cast("Library", replay)  # pinning and confirming is all that is asked of it
    return Asking(library, Answering(library, pipeline_of, retriever_of), pipeline_of, "")
