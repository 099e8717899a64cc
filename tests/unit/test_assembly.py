"""Assembly: a configuration's names become parts, once for each of its versions."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry

from adapters.cache.none import NoCache
from adapters.embedder.mock import MockEmbedder
from adapters.generator.mock import MockGenerator
from adapters.reranker.mock import MockReranker
from adapters.reranker.none import NoReranker
from orchestrator.answering.confidence import FITTED
from orchestrator.answering.lexical import LexicalVerifier
from orchestrator.answering.reaching import ReachingRetriever
from orchestrator.answering.retrieval import HybridRetriever, SingleRetriever
from orchestrator.answering.verifying import AgreementVerifier, EmbeddingVerifier
from orchestrator.assembly import KEPT, Assembly, Backends
from orchestrator.domain.errors import Rejected
from orchestrator.domain.workspaces import (
    Grounding,
    Models,
    Prompting,
    Reach,
    Reranking,
    Understanding,
    WorkspaceConfig,
)
from orchestrator.indexing.roster import Roster
from orchestrator.settings import STAGES, load
from orchestrator.telemetry.metrics import Metrics
from tests.builders import passage, question
from tests.unit.fakes import workspace


class Shelf:
    """Has whatever index it is asked for."""

    class projections(dict):  # noqa: N801  # an attribute of the shelf
        def __missing__(self, role):
            return SimpleNamespace(role=role)

    def __init__(self):
        self.projections = Shelf.projections()
        self.roster = Roster(1)


@pytest.fixture
def assembly():
    settings = load(
        profile="mock",
        retriever={"kind": "hybrid"},
        keywords={"kind": "tantivy"},
        retrievers={"words": {"kind": "keyword"}, "mocked": {"kind": "mock"}},
        reranker={"kind": "mock", "depth": 7},
        rerankers={"off": {"kind": "none"}},
        generators={
            "cheap": {"kind": "mock"},
            "judge": {"kind": "openai", "model": "m"},
            "small": {"kind": "vllm"},
        },
    )
    backends = Backends(
        caches={"default": NoCache()},
        embedders={"default": MockEmbedder()},
        vectors={},
        keywords={},
        rerankers={"default": MockReranker(), "off": NoReranker()},
        generators={name: MockGenerator() for name in ("default", "cheap", "judge", "small")},
        overlap=None,
    )
    made = Assembly(settings, backends, None, Metrics(CollectorRegistry()))
    made.library = None
    return made


def moment(shelf=None, version=1, **config):
    return SimpleNamespace(
        shelf=shelf or Shelf(),
        workspace=workspace(config=WorkspaceConfig(**config), config_version=version),
        revision=0,
    )


def inside(retriever):
    """What searches, without what times it and what understands the question first."""
    return retriever._inner._inner


def test_a_pipeline_is_what_the_configuration_names(assembly):
    pipeline = assembly.pipeline(moment(generator="cheap", reranker="off"))

    assert (pipeline.names.retriever, pipeline.names.reranker) == ("hybrid", "none")
    assert pipeline.names.fingerprint == assembly._settings.fingerprint
    assert pipeline.generator is assembly._backends.generators["cheap"]
    assert type(inside(pipeline.retriever)) is HybridRetriever
    assert pipeline.rerank_depth == 0


def test_a_rerankers_depth_is_the_pipelines(assembly):
    assert assembly.pipeline(moment()).rerank_depth == 7


async def test_reranking_is_conditional_where_the_configuration_says_so(assembly):
    always = assembly.pipeline(moment()).reranker
    sometimes = assembly.pipeline(moment(reranking=Reranking(skip_margin=0.5))).reranker
    nothing = assembly.pipeline(moment(reranker="off", reranking=Reranking(skip_margin=0.5)))

    clear = [passage(chunk_id=n, score=score) for n, score in enumerate([0.9, 0.3, 0.2, 0.1])]
    assert [one.chunk.id for one in await sometimes.rerank(question(), clear, limit=2)] == [0, 1]
    assert assembly._metrics.registry.get_sample_value("rag_rerank_skipped_total") == 1
    assert type(always) is MockReranker
    assert type(nothing.reranker) is NoReranker


def test_a_pipeline_is_made_once_for_each_version_of_a_configuration(assembly):
    shelf = Shelf()
    first = assembly.pipeline(moment(shelf))

    assert assembly.pipeline(moment(shelf)) is first
    assert assembly.pipeline(moment(shelf, version=2)) is not first
    assert assembly.pipeline(moment()) is not first


def test_only_so_many_pipelines_are_kept(assembly):
    for _ in range(KEPT + 10):
        assembly.pipeline(moment())

    assert len(assembly._pipelines) == KEPT


@pytest.mark.parametrize(
    ("mode", "retriever", "sides"),
    [
        (None, "words", {"keyword"}),
        (None, "mocked", {"mock"}),
        ("dense", "words", {"dense"}),
        ("keyword", "default", {"keyword"}),
    ],
)
def test_a_mode_comes_before_the_workspaces_own_retriever(assembly, mode, retriever, sides):
    found = inside(assembly.retriever(moment(retriever=retriever), mode))

    assert type(found) is SingleRetriever
    assert {found._stage} == sides


@pytest.mark.parametrize("stage", STAGES)
def test_a_configuration_that_names_what_is_not_there_is_refused(assembly, stage):
    wrong = replace(WorkspaceConfig(), **{stage: "defualt"})

    with pytest.raises(Rejected) as caught:
        assembly.check(wrong)

    assert caught.value.detail.startswith(f"there is no {stage} named 'defualt'")
    assert (caught.value.code, caught.value.field) == ("unknown_backend", f"config.{stage}")


def test_hits_reach_only_where_that_is_configured(assembly):
    assert type(inside(assembly.retriever(moment(), None))) is HybridRetriever
    reaching = inside(assembly.retriever(moment(reach=Reach(neighbours=1)), None))
    assert type(reaching) is ReachingRetriever


def test_words_are_spelled_only_where_that_is_configured(assembly):
    assert assembly.retriever(moment(), None)._inner._spelling is None
    how = Understanding(spelling=True)
    assert assembly.retriever(moment(understanding=how), None)._inner._spelling is not None


def test_spelling_is_refused_where_the_keyword_index_cannot_do_it():
    settings = load(profile="mock", keywords={"kind": "rank-bm25"})
    assembly = Assembly(settings, None, None, Metrics(CollectorRegistry()))

    with pytest.raises(Rejected) as caught:
        assembly.check(WorkspaceConfig(understanding=Understanding(spelling=True)))

    assert (caught.value.code, caught.value.field) == (
        "no_speller",
        "config.understanding.spelling",
    )


@pytest.mark.parametrize("how", [Understanding(paraphrases=2), Understanding(imagined=True)])
def test_rewriting_is_refused_where_the_generator_is_no_language_model(assembly, how):
    with pytest.raises(Rejected) as caught:
        assembly.check(WorkspaceConfig(understanding=how))

    assert (caught.value.code, caught.value.field) == ("no_rewriter", "config.understanding")


@pytest.mark.parametrize("models", [(), ("cheap",), ("judge", "cheap")])
def test_verifying_is_refused_where_a_generator_is_no_language_model(assembly, models):
    with pytest.raises(Rejected) as caught:
        assembly.check(WorkspaceConfig(grounding=Grounding(verifier="model", models=models)))

    assert (caught.value.code, caught.value.field) == ("no_verifier", "config.grounding")


def test_answers_are_verified_as_the_configuration_says(assembly):
    assembly._backends = replace(assembly._backends, models={"judge": object()})

    def verifier(**how):
        return assembly.pipeline(moment(Shelf(), grounding=Grounding(**how))).check._verifier._inner

    assert isinstance(verifier(), LexicalVerifier)
    assert isinstance(verifier(verifier="embedding"), EmbeddingVerifier)
    assert isinstance(verifier(verifier="model", models=("judge",)), AgreementVerifier)


def test_answers_are_verified_by_whoever_is_named_else_by_whoever_answers(assembly):
    models = {name: SimpleNamespace(name=name) for name in ("judge", "small")}
    assembly._backends = replace(assembly._backends, models=models)

    def judges(generator, *named):
        how = Grounding(verifier="model", models=named)
        made = assembly.pipeline(moment(Shelf(), generator=generator, grounding=how))
        return [one._model.name for one in made.check._verifier._inner._verifiers]

    assert judges("cheap", "judge", "small") == ["judge", "small"]
    assert judges("small") == ["small"]
    assert judges("judge") == ["judge"]


def test_a_verifier_that_is_not_there_is_refused_with_what_was_meant(assembly):
    with pytest.raises(Rejected, match="there is no generator named 'jugde': did you mean 'judge'"):
        assembly.check(WorkspaceConfig(grounding=Grounding(verifier="model", models=("jugde",))))


def test_a_request_for_another_model_is_answered_by_another_pipeline(assembly):
    asked = moment(models=Models(allowed=("cheap",)))
    chosen = SimpleNamespace(
        shelf=asked.shelf, workspace=asked.workspace.answering_with("cheap"), revision=0
    )

    own, other = assembly.pipeline(asked), assembly.pipeline(chosen)

    assert (own.names.model, other.names.model) == ("default", "cheap")
    assert own.generator is assembly._backends.generators["default"]
    assert other.generator is assembly._backends.generators["cheap"]
    assert assembly.pipeline(asked) is own
    assert assembly.pipeline(chosen) is other


def test_a_model_that_is_not_there_cannot_be_allowed(assembly):
    with pytest.raises(Rejected) as caught:
        assembly.check(WorkspaceConfig(models=Models(allowed=("cheap", "chaep"))))

    assert (caught.value.code, caught.value.field) == ("unknown_backend", "config.models.allowed")
    assert "did you mean 'cheap'" in caught.value.detail


@pytest.mark.parametrize("how", [Understanding(paraphrases=2), Understanding(imagined=True)])
def test_every_model_that_may_answer_must_rewrite_unless_one_does_it_for_all(assembly, how):
    config = WorkspaceConfig(
        generator="judge", understanding=how, models=Models(allowed=("small", "cheap"))
    )

    with pytest.raises(Rejected, match="generator 'cheap' is no language model") as caught:
        assembly.check(config)

    assert (caught.value.code, caught.value.field) == ("no_rewriter", "config.understanding")
    tiered = replace(config, models=replace(config.models, rewriting="small"))
    assert assembly.check(tiered) is tiered


@pytest.mark.parametrize(("name", "code"), [("cheap", "no_rewriter"), ("smal", "unknown_backend")])
def test_what_is_no_language_model_cannot_rewrite(assembly, name, code):
    with pytest.raises(Rejected) as caught:
        assembly.check(WorkspaceConfig(models=Models(rewriting=name)))

    assert (caught.value.code, caught.value.field) == (code, "config.models.rewriting")


@pytest.mark.parametrize(("models", "who"), [({}, "judge"), ({"rewriting": "small"}, "small")])
def test_the_model_that_rewrites_is_the_one_that_answers_or_the_one_named(assembly, models, who):
    known = {name: SimpleNamespace(name=name) for name in ("judge", "small")}
    assembly._backends = replace(assembly._backends, rewriters=known, conversants=known)
    asked = moment(
        generator="judge", understanding=Understanding(imagined=True), models=Models(**models)
    )

    made = assembly.pipeline(asked)

    assert made.retriever._inner._rewriter.name == who
    assert made.follow_ups._model.name == who
    assert made.generator is assembly._backends.generators["judge"]


@pytest.mark.parametrize(
    ("change", "config", "known"),
    [
        ({}, {}, True),
        ({"generator": {"sentences": 3}}, {}, False),
        ({"generator": {"kind": "mock"}}, {}, False),
        ({"retriever": {"kind": "keyword"}}, {}, False),
        ({"rerankers": {"mocked": {"kind": "mock"}}}, {"reranker": "mocked"}, False),
        ({"embedder": {"kind": "mock"}}, {}, False),
    ],
)
def test_confidence_is_told_only_of_what_it_was_fitted_on(change, config, known):
    settings = load(profile="local", **change)
    embedder = SimpleNamespace(digest=FITTED if settings.embedder.kind == "onnx" else "mock-1")
    named = {stage: dict.fromkeys(settings.named(stage)) for stage in STAGES}
    backends = Backends(
        caches=named["cache"],
        embedders={"default": embedder},
        vectors={},
        keywords={},
        rerankers=named["reranker"],
        generators=named["generator"],
        overlap=None,
    )
    assembly = Assembly(settings, backends, None, Metrics(CollectorRegistry()))
    assembly.library = None

    check = assembly.pipeline(moment(**config)).check

    assert (check._right is not None) == known
    assert check._vectors == (settings.embedder.kind == "onnx")


def test_a_configuration_that_names_what_is_there_is_taken(assembly):
    config = WorkspaceConfig(generator="cheap", reranker="off", retriever="words")

    assert assembly.check(config) is config


@pytest.mark.parametrize(
    "how",
    [
        Prompting(version=9),
        Prompting(name="answers"),
        Prompting(language="xx"),
        Prompting(split=((1, 1), (9, 1))),
        Prompting(name="imagine"),
    ],
)
def test_a_prompt_that_is_not_there_is_refused(assembly, how):
    with pytest.raises(Rejected, match="there is no prompt") as refused:
        assembly.check(WorkspaceConfig(prompting=how))

    assert (refused.value.code, refused.value.field) == ("unknown_prompt", "config.prompting")
    assert "answer/v" in refused.value.detail


def test_passages_are_packed_where_the_generator_is_measured(assembly):
    measured = SimpleNamespace()
    object.__setattr__(assembly._backends, "measured", {"cheap": measured})

    assert assembly.pipeline(moment(generator="cheap")).packer._measured is measured
    assert assembly.pipeline(moment(version=2)).packer._measured is None
