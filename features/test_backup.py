"""Steps of `rag backup` and `rag restore`, each a process of its own, as from a shell."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from features.world import MODEL, named

scenarios("backup.feature")

CHOSEN = {
    "RAG_PROFILE": "mock",
    "RAG_RETRIEVER__KIND": "hybrid",
    "RAG_GENERATOR__KIND": "extractive",
    "RAG_RERANKER__KIND": "none",
}


@dataclass
class Shell:
    """A deployment, a folder to stand in, and the last restoration."""

    folder: Path
    data: Path
    env: dict[str, str]
    restored: subprocess.CompletedProcess[str] | None = None

    def rag(self, *words: str) -> subprocess.CompletedProcess[str]:
        rag = Path(sys.executable).with_name("rag")
        return subprocess.run(
            [rag, *words],
            cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    plain = {k: v for k, v in os.environ.items() if not k.upper().startswith("RAG_")}
    data, folder = tmp_path / "data", tmp_path / "files"
    folder.mkdir()
    places = {"RAG_DATA_DIR": str(data), "RAG_MODELS": str(MODEL.parent)}
    return Shell(folder, data, {**plain, **CHOSEN, **places})


@given(named('a deployment with "{name}" saying "{text}"'))
@when(named('I add "{name}" saying "{text}"'))
def add(shell: Shell, name: str, text: str) -> None:
    (shell.folder / name).write_text(text)
    ended = shell.rag("ingest", name)
    assert ended.returncode == 0, ended.stderr


@when("I back it up")
def back_up(shell: Shell) -> None:
    ended = shell.rag("backup", "backup")
    assert ended.returncode == 0, ended.stderr


@when("the deployment is lost")
def lost(shell: Shell) -> None:
    shutil.rmtree(shell.data)


@when("a bit of the backup flips")
def flipped(shell: Shell) -> None:
    path = shell.folder / "backup" / "catalog.db"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@when("I restore the backup")
def restore(shell: Shell) -> None:
    shell.restored = shell.rag("restore", "backup")


@when("I restore the backup over what is there")
def restore_over(shell: Shell) -> None:
    shell.restored = shell.rag("restore", "backup", "--replace")


@then(named('that is refused because "{reason}"'))
def refused(shell: Shell, reason: str) -> None:
    assert shell.restored
    assert shell.restored.returncode == 2
    assert reason in shell.restored.stderr


@then(named('the question "{question}" is answered with "{words}"'))
def answered(shell: Shell, question: str, words: str) -> None:
    ended = shell.rag("ask", question)
    assert ended.returncode == 0, ended.stderr
    assert words in ended.stdout.splitlines()[0]


@then(parsers.parse('the question "{question}" is not answered'))
def not_answered(shell: Shell, question: str) -> None:
    ended = shell.rag("ask", question)
    assert ended.returncode == 3, ended.stdout + ended.stderr
