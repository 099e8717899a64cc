"""The samples, asked under the default profile: right source, right words, rightful refusals."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from orchestrator.domain.answers import Answer, Query
from orchestrator.domain.documents import Upload
from orchestrator.domain.identity import DEFAULT_WORKSPACE, Scope
from orchestrator.settings import load
from orchestrator.telemetry.metrics import Metrics
from orchestrator.telemetry.observer import Telemetry
from orchestrator.wiring import open_application

SAMPLES = Path(__file__).parents[2] / "samples"
QUESTIONS = [json.loads(line) for line in (SAMPLES / "questions.jsonl").read_text().splitlines()]


@pytest.mark.slow
async def test_samples_are_answered_from_the_right_source_or_refused(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = await _asked(load(data_dir=tmp_path, models=model_folder.parent))

    answerable = [(q, answers[q["id"]]) for q in QUESTIONS if q["answerable"]]
    others = [(q, answers[q["id"]]) for q in QUESTIONS if not q["answerable"]]
    first = [q["id"] for q, a in answerable if a.sources[0].source_id == q["source"]]
    quoted = [
        q["id"] for q, a in answerable if a.answerable and all(g in a.answer for g in q["gold"])
    ]
    refused = [q["id"] for q, a in others if not a.answerable]
    with capsys.disabled():
        print(
            f"\nsamples: right source first {len(first)}/{len(answerable)}, gold words quoted "
            f"{len(quoted)}/{len(answerable)}, unanswerable refused {len(refused)}/{len(others)}"
        )

    assert (len(answerable), len(others)) == (30, 10)
    assert len(first) >= 27
    assert len(quoted) >= 27
    assert len(refused) >= 8


async def _asked(settings) -> dict[str, Answer]:
    async with open_application(
        settings, writes=True, telemetry=Telemetry(Metrics(CollectorRegistry()))
    ) as app:
        documents = SAMPLES / "documents"
        for path in sorted(documents.rglob("*.*")):
            source_id = path.relative_to(documents).as_posix()
            await app.ingestion.submit(
                DEFAULT_WORKSPACE, Upload(source_id, BytesIO(path.read_bytes()), path.name)
            )
        while await app.worker.step():
            pass
        await app.library.settle(DEFAULT_WORKSPACE)
        return {
            q["id"]: await app.answering.answer(Query(q["question"], Scope(DEFAULT_WORKSPACE)))
            for q in QUESTIONS
        }
