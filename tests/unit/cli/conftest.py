"""`rag …` in this process, in the mock profile, on a data folder of the test's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from orchestrator import health
from orchestrator.cli.console import out
from orchestrator.cli.main import app

Rag = Callable[..., Result]


@pytest.fixture(autouse=True)
def patient_health(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here is called down because the machine was slow for two seconds."""
    monkeypatch.setattr(health, "PATIENCE_S", 60.0)


@pytest.fixture
def rag(data_dir: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Rag:
    monkeypatch.setenv("RAG_PROFILE", "mock")
    monkeypatch.setenv("RAG_DATA_DIR", str(data_dir))
    monkeypatch.setattr(out, "width", 200)
    clean = request.getfixturevalue("clean_process")

    def invoke(*words: Any, **options: Any) -> Result:
        try:
            return CliRunner().invoke(app, [str(word) for word in words], **options)
        finally:
            clean()

    return invoke


@pytest.fixture
def empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default workspace begins without the mock retriever's corpus."""
    monkeypatch.setenv("RAG_RETRIEVER__KIND", "hybrid")


def one_json(result: Result) -> Any:
    """What was printed, which must be one JSON document."""
    assert len(result.stdout.splitlines()) == 1, result.output
    return json.loads(result.stdout)


def told(result: Result) -> str:
    """The one line that was printed on standard error."""
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return line
