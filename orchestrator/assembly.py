"""What one workspace's configuration stands for: its projections, retrievers and pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, assert_never

from orchestrator.answering.asking import UnderstandingRetriever
from orchestrator.answering.checking import Check
from orchestrator.answering.confidence import FITTED, RIGHT, Logistic
from orchestrator.answering.conversing import FollowUps
from orchestrator.answering.course import Names
from orchestrator.answering.explaining import Words
from orchestrator.answering.lexical import LexicalVerifier
from orchestrator.answering.packing import Packer
from orchestrator.answering.pipeline import Pipeline
from orchestrator.answering.reaching import ReachingRetriever
from orchestrator.answering.reranking import ConditionalReranker
from orchestrator.answering.retrieval import (
    HybridRetriever,
    Side,
    SingleRetriever,
    dense_side,
    keyword_side,
)
from orchestrator.answering.service import Mode
from orchestrator.answering.spelling import Spelling
from orchestrator.answering.verifying import AgreementVerifier, EmbeddingVerifier, ModelVerifier
from orchestrator.domain.errors import Conflict, Rejected
from orchestrator.domain.identity import Scope
from orchestrator.domain.passages import Candidate, Passage
from orchestrator.domain.workspaces import TRIED, Reach, WorkspaceConfig
from orchestrator.evaluation.replaying import RememberingEmbedder
from orchestrator.indexing.library import Library, Moment
from orchestrator.indexing.projection import Projection, Source
from orchestrator.indexing.shelf import Shelf
from orchestrator.ports.cache import Cache
from orchestrator.ports.catalog import Catalog
from orchestrator.ports.embedder import Embedder
from orchestrator.ports.generator import Generator
from orchestrator.ports.health import Pingable
from orchestrator.ports.indexes import IndexKey, KeywordStore, VectorStore
from orchestrator.ports.language import LanguageModel
from orchestrator.ports.measured import Measured
from orchestrator.ports.reranker import Reranker
from orchestrator.ports.retriever import Retriever
from orchestrator.ports.rewriter import Conversant, Rewriter
from orchestrator.ports.verifier import Verifier
from orchestrator.settings import Settings
from orchestrator.settings.changing import changed
from orchestrator.settings.generators import ExtractiveGeneratorOptions
from orchestrator.settings.requiring import require
from orchestrator.telemetry.metrics import Metrics
from orchestrator.telemetry.timed import TimedRetriever, TimedVerifier

SPELLED: Final = 20
"""So many chunks with words spelled alike are read for each word that nothing holds."""
KEPT: Final = 1024
"""Pipelines remembered; a new configuration is a new pipeline."""


@dataclass(frozen=True, slots=True)
class Backends:
    """Every open backend by its name; `overlap` is the mock retriever's own index.

    `rewriters`, `conversants` and `measured` are those of the generators that are language models,
    `models` what they ask, and `pulses` tell whether those can be asked.
    """

    caches: Mapping[str, Cache]
    embedders: Mapping[str, Embedder]
    vectors: Mapping[str, VectorStore]
    keywords: Mapping[str, KeywordStore]
    rerankers: Mapping[str, Reranker]
    generators: Mapping[str, Generator]
    overlap: KeywordStore | None
    models: Mapping[str, LanguageModel] = field(default_factory=dict)
    rewriters: Mapping[str, Rewriter] = field(default_factory=dict)
    pulses: Mapping[str, Pingable] = field(default_factory=dict)
    measured: Mapping[str, Measured] = field(default_factory=dict)
    conversants: Mapping[str, Conversant] = field(default_factory=dict)


class Assembly:
    """Turns names into parts, once for each version of a workspace's configuration."""

    def __init__(
        self,
        settings: Settings,
        backends: Backends,
        catalog: Catalog,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._backends = backends
        self._catalog = catalog
        self._metrics = metrics
        self._pipelines: dict[tuple[Shelf, int, str], Pipeline] = {}
        self.library: Library

    def remembering(self) -> Assembly:
        """The same parts, but that no question is embedded twice: to ask it in many ways."""
        embedders = {
            name: RememberingEmbedder(one) for name, one in self._backends.embedders.items()
        }
        backends = replace(self._backends, embedders=embedders)
        other = Assembly(self._settings, backends, self._catalog, self._metrics)
        other.library = self.library
        return other

    def check(self, config: WorkspaceConfig) -> WorkspaceConfig:
        """The configuration itself; raises what `require` does."""
        require(config, self._settings)
        return config

    def embedder(self, config: WorkspaceConfig) -> Embedder:
        """The embedder that the configuration names; raises what `check` does."""
        self.check(config)
        return self._backends.embedders[config.embedder]

    async def open_projections(self, shelf: Shelf, stack: AsyncExitStack) -> None:
        """Open the indexes that the shelf's configuration needs and the shelf does not have.

        Raises:
            Conflict: when the configuration names what the settings no longer have.
        """
        config, uid, persist = shelf.wanted, shelf.workspace.uid, shelf.persists
        try:
            embedder = self.embedder(config)
        except Rejected as error:
            raise _unusable(shelf.workspace.name, error) from error
        if _vectors(config) not in shelf.projections:
            key = IndexKey(uid, shelf.generation, embedder.digest, embedder.dimension)
            own = await stack.enter_async_context(AsyncExitStack())
            vectors = self._backends.vectors[config.vectors]
            index = await own.enter_async_context(vectors.open(key, shelf.roster, persist=persist))
            source: Source = lambda ids: self._catalog.vectors.vectors(embedder.digest, ids)  # noqa: E731
            shelf.projections[_vectors(config)] = Projection(
                index, source, shared=vectors.shared, persists=persist, release=own.aclose
            )
        whole = config.words.whole
        stores = {_keywords(config): (self._backends.keywords[config.keywords], whole)}
        if self._backends.overlap:
            stores["overlap"] = (self._backends.overlap, 1)
        for role, (store, whole) in stores.items():
            if role not in shelf.projections:
                key = IndexKey(uid, shelf.generation, f"whole-{whole}" if whole > 1 else "")
                own = await stack.enter_async_context(AsyncExitStack())
                words = await own.enter_async_context(
                    store.open(key, shelf.roster, persist=persist)
                )
                shelf.projections[role] = Projection(
                    words,
                    partial(self._catalog.chunks.texts, whole=whole),
                    shared=store.shared,
                    persists=persist,
                    release=own.aclose,
                )

    def roles(self, config: WorkspaceConfig) -> frozenset[str]:
        """The projections that a configuration reads from."""
        overlap = {"overlap"} if self._backends.overlap else set()
        return frozenset({_vectors(config), _keywords(config), *overlap})

    def retriever(self, moment: Moment, mode: Mode | None) -> Retriever:
        """The workspace's retriever, or the one that a mode asks for."""
        config, shelf = moment.workspace.config, moment.shelf
        kind = mode or self._settings.named("retriever")[config.retriever].kind
        embedder = self.embedder(config)
        sides: dict[str, Side] = {
            "dense": dense_side(embedder, shelf.projections[_vectors(config)]),
            "keyword": keyword_side(shelf.projections[_keywords(config)]),
        }
        if kind == "mock":
            sides["mock"] = keyword_side(shelf.projections["overlap"])

        async def read(candidates: Sequence[Candidate], scope: Scope) -> Sequence[Passage]:
            return await self.library.read(shelf, candidates, scope)

        found: Retriever = (
            HybridRetriever(sides, read, fusion=config.fusion, depth=config.depth)
            if kind == "hybrid"
            else SingleRetriever(kind, sides[kind], read)
        )
        if config.reach != Reach():
            found = ReachingRetriever(found, config.reach, shelf.roster.around, read)
        spelling = Spelling(partial(_near, shelf.projections[_keywords(config)]), read)
        how = config.understanding
        asked = UnderstandingRetriever(
            found,
            how,
            spelling if how.spelling else None,
            self._backends.rewriters[config.rewriter] if how.rewrites else None,
        )
        return TimedRetriever(asked, self._metrics.stage_seconds)

    def pipeline(self, moment: Moment) -> Pipeline:
        """The pipeline of the workspace's configuration as of the moment.

        There is one for each generator that answers under the same version, as requests may choose.
        """
        workspace = moment.workspace
        key = (moment.shelf, workspace.config_version, workspace.config.generator)
        if workspace.config_version == TRIED:
            return self._assembled(moment)
        found = self._pipelines.get(key)
        if found is None:
            while len(self._pipelines) >= KEPT:
                del self._pipelines[next(iter(self._pipelines))]
            found = self._pipelines[key] = self._assembled(moment)
        return found

    def words(self, moment: Moment) -> Words:
        """Which words of a question the workspace's keyword index finds chunks by."""
        words: Projection[str, str] = moment.shelf.projections[_keywords(moment.workspace.config)]
        return words.finding

    def tried(self, patch: Mapping[str, Any], config: WorkspaceConfig) -> WorkspaceConfig:
        """A configuration with some search settings changed; raises what `check` does."""
        try:
            return self.check(changed(config, patch))
        except Rejected as error:
            field = error.field.removeprefix("config.") if error.field else None
            raise Rejected(error.detail, code=error.code, field=field) from error

    def _assembled(self, moment: Moment) -> Pipeline:
        config = moment.workspace.config
        reranking = self._settings.named("reranker")[config.reranker]
        return Pipeline(
            names=Names(
                retriever=self._settings.named("retriever")[config.retriever].kind,
                reranker=reranking.kind,
                generator=self._settings.named("generator")[config.generator].kind,
                model=config.generator,
                fingerprint=self._settings.fingerprint,
            ),
            library=self.library,
            cache=self._backends.caches[config.cache],
            retriever=self.retriever(moment, None),
            reranker=self._reranker(config),
            generator=self._backends.generators[config.generator],
            check=Check(
                config.grounding,
                TimedVerifier(self._verifier(config), self._metrics.stage_seconds),
                right=self._right(config),
                vectors=self._fitted(config),
            ),
            rerank_depth=getattr(reranking, "depth", 0),
            packer=Packer(self._backends.measured.get(config.generator)),
            follow_ups=FollowUps(
                config.conversing, self._backends.conversants.get(config.rewriter)
            ),
        )

    def _verifier(self, config: WorkspaceConfig) -> Verifier:
        match config.grounding.verifier:
            case "lexical":
                return LexicalVerifier()
            case "embedding":
                return EmbeddingVerifier(self.embedder(config))
            case "model":
                names = config.grounding.models or (config.generator,)
                judges = [ModelVerifier(self._backends.models[name]) for name in names]
                return AgreementVerifier(judges)
        assert_never(config.grounding.verifier)

    def _fitted(self, config: WorkspaceConfig) -> bool:
        """Whether vectors are of the model that the estimates were fitted on."""
        return self._backends.embedders[config.embedder].digest == FITTED

    def _right(self, config: WorkspaceConfig) -> Logistic | None:
        """The estimate of "the answer is right", for a pipeline like the one it was fitted on."""
        generator = self._settings.named("generator")[config.generator]
        like_fitted = (
            generator == ExtractiveGeneratorOptions(kind="extractive")
            and self._fitted(config)
            and self._settings.named("retriever")[config.retriever].kind == "hybrid"
            and self._settings.named("reranker")[config.reranker].kind == "none"
        )
        return RIGHT[generator.kind] if like_fitted else None

    def _reranker(self, config: WorkspaceConfig) -> Reranker:
        """The reranker that the configuration names, asked when it says."""
        inner, margin = self._backends.rerankers[config.reranker], config.reranking.skip_margin
        if margin is None or self._settings.named("reranker")[config.reranker].kind == "none":
            return inner
        return ConditionalReranker(inner, margin=margin, skipped=self._metrics.rerank_skipped.inc)


async def _near(
    words: Projection[str, str], asked: Sequence[str], scope: Scope
) -> Mapping[str, Sequence[int]]:
    return await words.near(asked, scope=scope, limit=SPELLED)


def _unusable(workspace: str, error: Rejected) -> Conflict:
    return Conflict(
        f"workspace '{workspace}' cannot be used: {error.detail}; put it back into the settings, "
        f"or give the workspace another configuration (PUT /v1/workspaces/{workspace}/config)",
        code="workspace_unusable",
    )


def _vectors(config: WorkspaceConfig) -> str:
    return f"vectors:{config.vectors}:{config.embedder}"


def _keywords(config: WorkspaceConfig) -> str:
    return f"keywords:{config.keywords}:{config.words.whole}"
