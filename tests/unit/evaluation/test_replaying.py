"""A replay finds what the workspace itself would find, if it were configured so."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from io import BytesIO

import pytest

from orchestrator.domain.documents import Upload
from orchestrator.domain.identity import DEFAULT_WORKSPACE
from orchestrator.domain.workspaces import Fusion
from orchestrator.evaluation.asking import Asking
from orchestrator.evaluation.replaying import Replay, asking_replay
from orchestrator.settings import load
from orchestrator.wiring import open_application
from tests.unit.evaluation import parts

QUESTIONS = [str(one["question"]) for one in parts.questions()[:4]]
CODE = "ZX1000 safely kept"
"""By rare words, a part; by the share of words, the sentences."""
QUESTIONS.append(CODE)
CHANGES = (
    {"fusion": Fusion(dense=1, keyword=0)},
    {"fusion": Fusion(dense=0, keyword=1)},
    {"fusion": Fusion("rrf", k=1), "depth": 2},
    {"fusion": Fusion(normalise="minmax")},
    {"reranker": "closer"},
)


@pytest.fixture
async def application(data_dir, clean_process):
    settings = load(
        profile="mock",
        data_dir=data_dir,
        retriever={"kind": "hybrid"},
        reranker={"kind": "none"},
        rerankers={"closer": {"kind": "mock", "depth": 12}},
    )
    async with open_application(settings, writes=True) as opened:
        for name, text in parts.documents().items():
            upload = Upload(source_id=name, content=BytesIO(text.encode()), filename=name)
            await opened.ingestion.submit(DEFAULT_WORKSPACE, upload)
        while await opened.worker.step():
            pass
        await opened.library.settle(DEFAULT_WORKSPACE)
        yield opened


async def configure(application, version, **changed):
    """Make it so, and seen at once."""
    stored = application.catalog.workspaces
    config = replace((await stored.get(DEFAULT_WORKSPACE)).config, **changed)
    await stored.configure(DEFAULT_WORKSPACE, config, expected=version)
    await (await application.library.shelf(DEFAULT_WORKSPACE)).refresh()


async def rankings(asking):
    return [await asking.ranking(question, 10) for question in QUESTIONS]


async def test_a_replay_finds_what_the_workspace_would(application):
    library, assembly = application.library, application.assembly
    moment = await library.pin(DEFAULT_WORKSPACE)
    configs = [replace(moment.workspace.config, **changed) for changed in CHANGES]
    replay = Replay(library, moment)
    other = assembly.remembering()
    asked = asking_replay(replay, other.pipeline, other.retriever)

    replayed = []
    for config in configs:
        replay.configure(config)
        replayed.append(await rankings(asked))

    real = []
    asking = Asking(library, application.answering, assembly.pipeline, DEFAULT_WORKSPACE)
    for version, config in enumerate(configs, start=1):
        changed = {"fusion": config.fusion, "depth": config.depth, "reranker": config.reranker}
        await configure(application, version, **changed)
        real.append(await rankings(asking))
    assert replayed == real
    assert len({str(one) for one in real}) == len(CHANGES)  # or it would prove nothing


async def test_every_search_is_made_once(application, monkeypatch):
    moment = await application.library.pin(DEFAULT_WORKSPACE)
    made = Counter()
    for role, projection in moment.shelf.projections.items():

        async def counted(question, *, scope, limit, role=role, search=projection.search):
            made[role] += 1
            return await search(question, scope=scope, limit=limit)

        monkeypatch.setattr(projection, "search", counted)
    replay = Replay(application.library, moment)
    other = application.assembly.remembering()
    asked = asking_replay(replay, other.pipeline, other.retriever)

    for method in ("rrf", "weighted"):
        replay.configure(replace(moment.workspace.config, fusion=Fusion(method)))
        await rankings(asked)

    assert list(made.values()) == [len(QUESTIONS)] * 2


async def test_a_reranker_puts_the_passages_that_it_looked_at_first(application):
    pipeline_of = application.assembly.pipeline
    asking = Asking(application.library, application.answering, pipeline_of, DEFAULT_WORKSPACE)
    before = await asking.ranking(CODE, 35)

    await configure(application, 1, reranker="closer")
    after = await asking.ranking(CODE, 35)
    by_mode = await replace(asking, mode="hybrid").ranking(CODE, 35)

    assert (set(after[:12]), after[12:]) == (set(before[:12]), before[12:])
    assert after[:12] != before[:12]
    assert by_mode == before  # as in a search, which names its own way
