"""Steps of `rag ingest`, each a process of its own, as from a shell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from features.world import MODEL, named

scenarios("ingestion_cli.feature")


@dataclass
class Shell:
    """A folder to stand in, and the last command with what it said."""

    folder: Path
    env: dict[str, str]
    ended: subprocess.CompletedProcess[str] | None = None
    summary: dict[str, Any] = field(default_factory=dict)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        rag = Path(sys.executable).with_name("rag")
        return subprocess.run(
            [rag, *words, "--workspace", "notes", "--json"],
            cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip


@pytest.fixture
def shell(profile: str, tmp_path: Path) -> Shell:
    plain = {k: v for k, v in os.environ.items() if not k.upper().startswith("RAG_")}
    data, models = str(tmp_path / "data"), str(MODEL.parent)
    env = {**plain, "RAG_PROFILE": profile, "RAG_DATA_DIR": data, "RAG_MODELS": models}
    folder = tmp_path / "files"
    folder.mkdir()
    return Shell(folder, env)


@given("these files")
def these_files(shell: Shell, datatable: list[list[str]]) -> None:
    for name, text in datatable[1:]:
        path = shell.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@given(named('the archive "{name}" of "{folder}"'))
def archive_of(shell: Shell, name: str, folder: str) -> None:
    with tarfile.open(shell.folder / name, "w:gz") as archive:
        archive.add(shell.folder / folder, folder)


@given(named('the manifest "{name}" that names "{path}" as "{source_id}"'))
def manifest_of(shell: Shell, name: str, path: str, source_id: str) -> None:
    (shell.folder / name).write_text(json.dumps({"path": path, "source_id": source_id}))


@when(named('I run "{line}"'))
def run(shell: Shell, line: str) -> None:
    shell.ended = shell.run(*line.split())
    shell.summary = json.loads(shell.ended.stdout or "{}")


@then(parsers.parse("the exit status is {status:d}"))
def exit_status(shell: Shell, status: int) -> None:
    assert shell.ended
    assert shell.ended.returncode == status, shell.ended.stderr


@then(
    parsers.parse(
        "the outcome is {indexed:d} indexed, {unchanged:d} unchanged, "
        "{failed:d} failed, {skipped:d} skipped"
    )
)
def outcome(shell: Shell, indexed: int, unchanged: int, failed: int, skipped: int) -> None:
    said = shell.summary
    assert said, shell.ended
    assert (said["indexed"], said["unchanged"]) == (indexed, unchanged), said
    assert (len(said["failed"]), len(said["skipped"])) == (failed, skipped), said


@then(named('the reason for "{name}" mentions "{words}"'))
def reason(shell: Shell, name: str, words: str) -> None:
    assert words in shell.summary["failed"][name]


@then(named('it says "{words}"'))
def says(shell: Shell, words: str) -> None:
    assert shell.ended
    assert words in shell.ended.stderr


@then(named('a search for "{words}" finds "{source_id}"'))
def finds(shell: Shell, words: str, source_id: str) -> None:
    found = json.loads(shell.run("search", words).stdout)
    assert found["hits"][0]["source_id"] == source_id
