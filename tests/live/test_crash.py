"""Killed at any moment, and damaged on disk: nothing that was accepted is lost or doubled."""

from __future__ import annotations

import json
import random
import shutil
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog
from prometheus_client import CollectorRegistry

from orchestrator.domain.answers import Query
from orchestrator.domain.identity import DEFAULT_WORKSPACE, Scope
from orchestrator.settings import load
from orchestrator.telemetry.metrics import Metrics
from orchestrator.telemetry.observer import Telemetry
from orchestrator.wiring import Application, open_application
from tests.live.processes import environment, run_rag, serve, start_rag, wait_for
from tests.scale import scaled

FILES = scaled(200, 100)
DOCUMENTS = 40
KILLS = scaled(3, 2)
SEED = 20260

IN_MEMORY: dict[str, str] = {}
ON_DISK = {
    "RAG_VECTORS__KIND": "faiss",
    "RAG_KEYWORDS__KIND": "tantivy",
    "RAG_EMBEDDER__KIND": "mock",
    "RAG_RETRIEVER__KIND": "hybrid",
}


def code(number: int) -> str:
    return f"kestrel{number:04d}x"


def write_files(folder: Path, count: int) -> None:
    for number in range(count):
        path = folder / f"{number % 7}" / f"note-{number:04d}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# Note {number}\n\nThe code of this note is {code(number)}.\n")


def progress(data_dir: Path) -> int:
    """How many documents of the workspace are registered, and how many indexed: their sum."""
    query = (
        "SELECT count(*) + coalesce(sum(status = 'indexed'), 0) FROM documents "
        "JOIN workspaces ON uid = workspace WHERE name = 'notes'"
    )
    try:
        uri = f"file:{data_dir / 'catalog.db'}?mode=ro"
        with sqlite3.connect(uri, uri=True) as connection:
            found: int = connection.execute(query).fetchone()[0]
        connection.close()
        return found
    except sqlite3.OperationalError:  # not created yet
        return 0


@asynccontextmanager
async def opened(data_dir: Path, variables: dict[str, str]) -> AsyncIterator[Application]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        settings = load(profile="mock", data_dir=data_dir)
    metrics = Metrics(CollectorRegistry())
    async with open_application(settings, writes=True, telemetry=Telemetry(metrics)) as application:
        yield application


async def assert_whole(application: Application, workspace: str, count: int) -> None:
    """Every document once: in the catalog, in the roster, in both indexes, and by its code."""
    moment = await application.library.pin(workspace)
    chunks = moment.shelf.roster.ids
    assert len(chunks) == count
    for role, projection in moment.shelf.projections.items():
        held = await projection._index.held()
        assert np.array_equal(np.sort(held), chunks), role
    listed = await application.ingestion.documents(workspace, after=None, limit=1000)
    assert len({one.source_id for one in listed}) == len(listed) == count
    assert Counter(one.status.value for one in listed) == {"indexed": count}
    assert {one.chunks for one in listed} == {1}
    for number in range(count):
        words, _ = await application.answering.search(
            Query(code(number), Scope(workspace), top_k=3), mode="keyword"
        )
        likeness, _ = await application.answering.search(
            Query(code(number), Scope(workspace), top_k=count), mode="dense"
        )
        assert [code(number) in one.chunk.text for one in words.passages] == [True], number
        assert sum(code(number) in one.chunk.text for one in likeness.passages) == 1, number


@pytest.mark.slow
@pytest.mark.parametrize("variables", [IN_MEMORY, ON_DISK], ids=["in-memory", "on-disk"])
async def test_ingestion_killed_again_and_again_ends_with_every_document_once(
    tmp_path: Path, variables: dict[str, str]
):
    data_dir, files = tmp_path / "data", tmp_path / "files"
    write_files(files, FILES)
    env = environment(data_dir, **variables)
    ingest = ("ingest", str(files), "--workspace", "notes", "--json")
    moments = sorted(random.Random(SEED).sample(range(10, 2 * FILES - 10), KILLS))
    killed = []
    for moment in moments:
        process = start_rag(*ingest, env=env, errors=tmp_path / "errors.log")
        with process:
            wait_for(
                lambda moment=moment, process=process: (
                    progress(data_dir) >= moment or process.poll() is not None
                ),
                f"ingestion did not come to {moment}",
                seconds=120,
            )
            process.kill()
        if process.returncode == -signal.SIGKILL:
            killed.append(moment)

    began = time.monotonic()
    ended = run_rag(*ingest, env=env)
    summary = json.loads(ended.stdout)

    took = time.monotonic() - began
    print(f"killed at {killed} of {2 * FILES}; then {took:.1f} s: {summary}")  # figures
    assert killed, "it was done before it could be killed"
    assert ended.returncode == 0, ended.stderr
    assert summary["indexed"] + summary["unchanged"] == FILES
    assert summary["failed"] == {}
    async with opened(data_dir, variables) as application:
        await assert_whole(application, "notes", FILES)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupted_ingestion_says_how_far_it_came_and_goes_on(
    tmp_path: Path, how: signal.Signals
):
    errors = tmp_path / "errors.log"
    write_files(tmp_path / "files", FILES)
    ingest = ("ingest", str(tmp_path / "files"), "--workspace", "notes")
    for data_dir in (tmp_path / "data", tmp_path / "again", tmp_path / "once more"):
        env = environment(data_dir, **IN_MEMORY)
        with start_rag(*ingest, env=env, errors=errors) as process:
            wait_for(lambda folder=data_dir: progress(folder) >= FILES // 4, "it did not begin")
            process.send_signal(how)
            told, _ = process.communicate(timeout=120)
        if process.returncode:  # else it was done before
            break

    ended = run_rag(*ingest, "--json", env=env)
    summary = json.loads(ended.stdout)

    assert process.returncode == 1
    assert told.startswith("outcome ")
    assert "Traceback" not in errors.read_text()
    assert errors.read_text().splitlines()[-1].startswith("interrupted after ")
    assert ended.returncode == 0, ended.stderr
    assert summary["indexed"] + summary["unchanged"] == FILES
    async with opened(data_dir, IN_MEMORY) as application:
        await assert_whole(application, "notes", FILES)


@pytest.mark.slow
async def test_a_killed_server_loses_nothing_that_it_had_accepted(tmp_path: Path):
    write_files(tmp_path / "files", DOCUMENTS)
    with serve(tmp_path / "data", **ON_DISK) as running:
        for path in sorted((tmp_path / "files").rglob("*.md")):
            files = {"file": (path.name, path.read_bytes())}
            assert running.http.post("/v1/documents", files=files).status_code == 202
        running.process.kill()

    with serve(tmp_path / "data", **ON_DISK) as running:

        def all_indexed() -> bool:
            listed = running.http.get("/v1/documents").json()["documents"]
            return [one["status"] for one in listed].count("indexed") == DOCUMENTS

        wait_for(all_indexed, "not all that was accepted came back", seconds=120)
        running.process.kill()
    async with opened(tmp_path / "data", ON_DISK) as application:
        await assert_whole(application, DEFAULT_WORKSPACE, DOCUMENTS)


Damage = Callable[[Path], None]


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    for at in range(middle, min(middle + 4, len(content))):
        content[at] ^= 0xFF
    path.write_bytes(content)


def cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def remove(path: Path) -> None:
    path.unlink()


def other_json(path: Path) -> None:
    path.write_text("[]")


def damaged(*patterns: str) -> list[Any]:
    return [
        pytest.param(pattern, damage, id=f"{pattern.split('/')[-1]}-{damage.__name__}")
        for pattern in patterns
        for damage in (flip, cut, empty, remove, other_json)
    ]


FAISS_FILES = ("*.vectors", "*.slots", "manifest.json")
TANTIVY_FILES = (
    "*.store",
    "*.idx",
    "*.pos",
    "*.term",
    "*.fast",
    "*.fieldnorm",
    "*.del",
    "meta.json",
    ".managed.json",
)
HARMLESS = {
    ("manifest.json", remove),  # as if there had never been a snapshot
    (".managed.json", remove),  # a list of files to clean up: tantivy makes it anew
    (".managed.json", flip),
    (".managed.json", other_json),
}


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with documents in saved indexes, where one was deleted."""
    folder = tmp_path_factory.mktemp("indexed")
    write_files(folder / "files", DOCUMENTS + 1)
    ended = run_rag("ingest", str(folder / "files"), env=environment(folder / "data", **ON_DISK))
    assert ended.returncode == 0, ended.stderr
    with serve(folder / "data", **ON_DISK) as running:
        listed = running.http.get("/v1/documents").json()["documents"]
        last = next(one for one in listed if f"note-{DOCUMENTS:04d}" in one["source_id"])
        receipt = running.http.delete(f"/v1/documents/{last['id']}").json()
        assert receipt["complete"], receipt
        running.stop()
    return folder / "data"


@pytest.fixture
def data_dir(indexed: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "data"
    shutil.copytree(indexed, copy)
    return copy


def the_files(data_dir: Path, index: str, pattern: str) -> list[Path]:
    folders = (data_dir / "indexes").glob(f"{index}*")
    return [one for folder in folders for one in folder.rglob(pattern) if one.is_file()]


async def reopened(data_dir: Path) -> list[str]:
    """Open, check that all is there, close; the indexes that were called corrupt meanwhile."""
    with structlog.testing.capture_logs() as logs:
        async with opened(data_dir, ON_DISK) as application:
            await assert_whole(application, DEFAULT_WORKSPACE, DOCUMENTS)
    return [line["index"] for line in logs if line["event"] == "index_corrupt"]


async def test_an_intact_index_is_not_called_corrupt(data_dir: Path):
    assert await reopened(data_dir) == []


@pytest.mark.parametrize(("pattern", "damage"), damaged(*FAISS_FILES))
async def test_a_damaged_vector_index_is_noticed_and_rebuilt(
    data_dir: Path, pattern: str, damage: Damage
):
    await assert_noticed_and_rebuilt(data_dir, "faiss", pattern, damage)


@pytest.mark.parametrize(("pattern", "damage"), damaged(*TANTIVY_FILES))
async def test_a_damaged_keyword_index_is_noticed_and_rebuilt(
    data_dir: Path, pattern: str, damage: Damage
):
    await assert_noticed_and_rebuilt(data_dir, "tantivy", pattern, damage)


async def assert_noticed_and_rebuilt(
    data_dir: Path, index: str, pattern: str, damage: Damage
) -> None:
    files = the_files(data_dir, index, pattern)
    assert files, "nothing to damage"
    for path in files:
        damage(path)

    noticed = await reopened(data_dir)
    afterwards = await reopened(data_dir)

    assert noticed == ([] if (pattern, damage) in HARMLESS else [index])
    assert afterwards == []


async def test_indexes_that_are_gone_are_rebuilt(data_dir: Path):
    shutil.rmtree(data_dir / "indexes")

    await reopened(data_dir)

    assert await reopened(data_dir) == []


def test_the_server_logs_a_corrupt_index_at_its_start(data_dir: Path):
    for path in the_files(data_dir, "faiss", "*.slots") + the_files(data_dir, "tantivy", "*.store"):
        flip(path)

    with serve(data_dir, **ON_DISK) as running:
        asked = running.http.post("/v1/search", json={"query": code(7), "mode": "keyword"})
        logged = [line for line in running.logs() if line["event"] == "index_corrupt"]

    assert code(7) in asked.json()["hits"][0]["snippet"]
    assert {line["index"] for line in logged} == {"faiss", "tantivy"}
    assert all(line["level"] == "warning" and line["action"] == "rebuilding" for line in logged)


@pytest.mark.parametrize("index", ["faiss", "tantivy"])
def test_a_reader_beside_a_damaged_index_still_finds_everything(data_dir: Path, index: str):
    for path in the_files(data_dir, index, "*.*"):
        flip(path)

    ended = run_rag("search", code(7), "--json", env=environment(data_dir, **ON_DISK))

    assert ended.returncode == 0, ended.stderr
    assert code(7) in json.loads(ended.stdout)["hits"][0]["snippet"]
