"""Steps of `rag eval` and `rag tune`, each a process of its own, as from a shell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from features.world import MODEL, named
from tests.unit.evaluation import parts

scenarios("evaluation.feature")


@dataclass
class Shell:
    """A folder to stand in, and the last command with what it said."""

    folder: Path
    env: dict[str, str]
    ended: subprocess.CompletedProcess[str] | None = None

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        rag = Path(sys.executable).with_name("rag")
        self.ended = subprocess.run(
            [rag, *words],
            cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        return self.ended

    @property
    def said(self) -> Any:
        assert self.ended
        assert self.ended.stdout, self.ended.stderr
        return json.loads(self.ended.stdout)


@pytest.fixture
def shell(profile: str, tmp_path: Path) -> Shell:
    """Retrieval is hybrid and not reranked in every profile."""
    plain = {k: v for k, v in os.environ.items() if not k.upper().startswith("RAG_")}
    chosen = {
        "RAG_PROFILE": profile,
        "RAG_DATA_DIR": str(tmp_path / "data"),
        "RAG_MODELS": str(MODEL.parent),
        "RAG_RETRIEVER__KIND": "hybrid",
        "RAG_RERANKER__KIND": "none",
    }
    return Shell(tmp_path, {**plain, **chosen})


@given("a collection of spare parts")
def collection(shell: Shell) -> None:
    parts.write_collection(shell.folder / "parts")


@given("a workspace of spare parts that is searched by meaning alone")
def workspace(shell: Shell) -> None:
    shell.env["RAG_WORKSPACE__FUSION__KEYWORD"] = "0"
    parts.write(shell.folder)
    assert shell.run("ingest", "docs").returncode == 0, shell.ended


@when(named('I run "{line}"'))
def run(shell: Shell, line: str) -> None:
    assert shell.run(*line.split()).returncode == 0, shell.ended


@then(parsers.parse("the exit status is {status:d}"))
def exit_status(shell: Shell, status: int) -> None:
    assert shell.ended
    assert shell.ended.returncode == status, shell.ended.stderr


@then(named('it prints the figures "{names}"'))
def figures(shell: Shell, names: str) -> None:
    assert list(shell.said) == names.split(", ")


@then(parsers.re(r'"(?P<name>[^"]*)" is (?P<value>[\d.]+)'))
def figure_is(shell: Shell, name: str, value: str) -> None:
    assert shell.said[name] == float(value)


@then(named('"{name}" is higher in the second run, beyond chance'))
def higher(shell: Shell, name: str) -> None:
    found = shell.said[name]
    assert found["low"] > 0
    assert found["p"] < 0.05
    assert found["wins"] > found["losses"]


@then(named('"{name}" is the same in both runs'))
def same(shell: Shell, name: str) -> None:
    found = shell.said[name]
    assert (found["mean"], found["p"], found["wins"], found["losses"]) == (0, 1, 0, 0)


@then("the choice gains beyond chance")
def gains(shell: Shell) -> None:
    assert shell.said["stays"] is False
    assert shell.said["gain"]["low"] > 0
    assert shell.said["gain"]["p"] < 0.05


@then("the configuration stays")
def stays(shell: Shell) -> None:
    assert shell.said["stays"] is True
    assert shell.said["applied"] is None


@then(parsers.parse("the workspace's configuration is at version {version:d}"))
def at_version(shell: Shell, version: int) -> None:
    assert detail(shell)["config_version"] == version


@then(parsers.parse("it is the configuration of version {version:d}"))
def of_version(shell: Shell, version: int) -> None:
    assert detail(shell)["config"]["fusion"]["keyword"] == 0


def detail(shell: Shell) -> Any:
    shell.run("workspaces", "--json")
    (found,) = shell.said
    return found
