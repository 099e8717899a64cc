"""Backups of a deployment that is written to, restored into nothing and over something else."""

from __future__ import annotations

import itertools
import json
import random
import shutil
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.live.processes import (
    RedisServer,
    Served,
    environment,
    run_rag,
    serve,
    start_rag,
    wait_for,
)
from tests.scale import FULL, scaled

QUESTIONS = scaled(100, 30)
PARTS = (0.6, 0.85, 1.0) if FULL else (0.85,)
"""Of the time that a restoration takes: there it is killed."""
WRITERS = 4
WARM_S = 1.0
SEED = 20262
LOCAL = {
    "RAG_RETRIEVER__KIND": "hybrid",
    "RAG_VECTORS__KIND": "faiss",
    "RAG_KEYWORDS__KIND": "tantivy",
    "RAG_GENERATOR__KIND": "extractive",
    "RAG_RERANKER__KIND": "none",
    "RAG_CACHE__KIND": "none",
}


@dataclass
class Deployment:
    """Where a deployment is kept, and how to lose it."""

    data: Path
    variables: dict[str, str]
    wipe: Callable[[], None]

    def rag(self, *words: str) -> dict[str, Any]:
        """What `rag …` says, which must succeed."""
        ended = run_rag(*words, "--json", env=environment(self.data, **self.variables))
        assert ended.returncode == 0, ended.stderr
        said: dict[str, Any] = json.loads(ended.stdout)
        return said


@pytest.fixture
def in_sqlite(tmp_path: Path) -> Deployment:
    data = tmp_path / "data"
    return Deployment(data, LOCAL, lambda: shutil.rmtree(data))


@pytest.fixture
def in_postgresql(tmp_path: Path, postgresql: Any) -> Iterator[Deployment]:
    data, name = tmp_path / "data", f"rag_{uuid.uuid4().hex}"
    postgresql.psql(f"CREATE DATABASE {name};")

    def wipe() -> None:
        shutil.rmtree(data)
        postgresql.psql(f"DROP DATABASE {name} WITH (FORCE);")
        postgresql.psql(f"CREATE DATABASE {name};")

    url = {"RAG_CATALOG__KIND": "postgresql", "RAG_CATALOG__URL": postgresql.get_uri(name)}
    yield Deployment(data, LOCAL | url, wipe)
    postgresql.psql(f"DROP DATABASE {name} WITH (FORCE);")


@pytest.fixture(params=["in_sqlite", "in_postgresql"])
def deployment(request: pytest.FixtureRequest) -> Deployment:
    found: Deployment = request.getfixturevalue(request.param)
    return found


def upload(http: httpx.Client, workspace: str, source_id: str, text: str, kind: str) -> str:
    """Hand a text in; its document's id."""
    body = {"text": text, "source_id": source_id, "metadata": {"kind": kind}}
    answered = http.post("/v1/documents:text", json={**body, "workspace": workspace})
    assert answered.status_code in {200, 202}, answered.text
    found: str = answered.json()["id"]
    return found


def settled(http: httpx.Client) -> None:
    """Wait until nothing is on its way."""
    for workspace in ("quiet", "busy"):

        def still(workspace: str = workspace) -> bool:
            some = listed(http, workspace)
            return all(one["status"] in {"indexed", "failed"} for one in some)

        wait_for(still, f"not indexed in {workspace}", seconds=60)


def listed(http: httpx.Client, workspace: str) -> list[dict[str, Any]]:
    """Every document of a workspace."""
    documents: list[dict[str, Any]] = []
    after = None
    while True:
        asked = {"workspace": workspace, "limit": 100} | ({"after": after} if after else {})
        page = http.get("/v1/documents", params=asked).json()
        documents += page["documents"]
        after = page.get("next")
        if not after:
            return documents


def stable(number: int) -> tuple[str, str]:
    return f"stable-{number}.txt", (
        f"The code of locker{number}x is kestrel{number * 7919}y. "
        f"Locker {number} stands in hall {number % 9}, beside the desk of clerk {number % 13}."
    )


def ask(http: httpx.Client, number: int) -> dict[str, Any]:
    """One of the questions; what the other workspace's churn can change is left out."""
    quiet = number % 2 == 0
    body: dict[str, Any] = {
        "query": f"What is the code of locker{number}x?",
        "workspace": "quiet" if quiet else "busy",
        "filters": {"and": [{"field": "kind", "op": "eq", "value": "stable"}]},
        "top_k": 5,
    }
    answered = http.post("/v1/query", json=body)
    assert answered.status_code == 200, answered.text
    said: dict[str, Any] = answered.json()
    assert f"kestrel{number * 7919}y" in said["answer"], said
    cited = [one for one in said["sources"] if one["cited"]]
    sources = said["sources"] if quiet else [without_scores(one) for one in cited]
    return {"answer": said["answer"], "answerable": said["answerable"], "sources": sources}


def without_scores(source: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in source.items() if name not in {"score", "scores"}}


@dataclass
class Churn:
    """Writers that upload, rewrite and delete, until told to stop; `texts` are all ever sent."""

    http: httpx.Client
    texts: dict[str, set[str]] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    done: int = 0
    over: threading.Event = field(default_factory=threading.Event)
    numbers: Any = field(default_factory=itertools.count)

    def run(self, seed: int) -> None:
        chance, mine = random.Random(seed), list[tuple[str, str]]()
        while not self.over.is_set():
            draw = chance.random()
            if len(mine) < 5 or draw < 0.4:
                source = f"busy-{next(self.numbers)}.txt"
                mine.append((source, self.write(source, chance)))
            elif draw < 0.8:
                self.write(chance.choice(mine)[0], chance)
            else:
                source, found = mine.pop(chance.randrange(len(mine)))
                answered = self.http.delete(f"/v1/documents/{found}")
                assert answered.status_code == 200, answered.text
                self.deleted.add(found)
            self.done += 1

    def write(self, source: str, chance: random.Random) -> str:
        word = f"zulu{chance.getrandbits(48):012x}"
        text = f"The word of {source} is {word}. " + "It is kept in the safe. " * 20
        self.texts.setdefault(source, set()).add(text.strip())
        return upload(self.http, "busy", source, text.strip(), "churn")


@pytest.mark.slow
def test_a_backup_under_load_gives_the_same_answers_once_it_is_restored(
    deployment: Deployment, tmp_path: Path
):
    target = tmp_path / "backup"
    for name in ("quiet", "busy"):
        env = environment(deployment.data, **deployment.variables)
        assert run_rag("workspaces", "create", name, env=env).returncode == 0
    with serve(deployment.data, **deployment.variables) as running:
        for number in range(QUESTIONS):
            workspace = "quiet" if number % 2 == 0 else "busy"
            upload(running.http, workspace, *stable(number), "stable")
        settled(running.http)
        before = [ask(running.http, number) for number in range(QUESTIONS)]
        churn = Churn(running.http)
        with ThreadPoolExecutor(WRITERS) as pool:
            writers = [pool.submit(churn.run, SEED + n) for n in range(WRITERS)]
            try:
                wait_for(lambda: len(churn.deleted) >= 3, "nothing is deleted", seconds=60)
                gone, done = set(churn.deleted), churn.done
                made = deployment.rag("backup", str(target))
                meanwhile = churn.done - done
                time.sleep(WARM_S)
            finally:
                churn.over.set()
            for writer in writers:
                writer.result()
        assert meanwhile >= 1, "nothing was written during the backup"
        errors = [one for one in running.logs() if one["level"] == "error"]
        assert errors == []
    deployment.wipe()

    restored = deployment.rag("restore", str(target))

    began = time.monotonic()
    with serve(deployment.data, **deployment.variables) as running:
        up = time.monotonic() - began
        after = [ask(running.http, number) for number in range(QUESTIONS)]
        settled(running.http)
        kept = verify_whole(running, churn)
        assert not gone & kept
        upload(running.http, "busy", "later.txt", "The word of the day is foxtrot.", "churn")
        settled(running.http)
        asked = {"query": "foxtrot", "mode": "keyword", "workspace": "busy"}
        wait_for(lambda: running.http.post("/v1/search", json=asked).json()["hits"], "not found")
    assert after == before
    print(  # figures
        f"{meanwhile} writes during a backup of {made['bytes'] / 1e6:.1f} MB in "
        f"{made['seconds']:.2f} s; restored in {restored['seconds']:.2f} s, indexes in "
        f"{restored['index_seconds']:.2f} s, serving {up:.2f} s after its start; "
        f"{len(kept)} of {churn.done} documents of the churn are in it"
    )


def verify_whole(running: Served, churn: Churn) -> set[str]:
    """Each document of the churn has its file, its text and its chunks of one version."""
    kept = set()
    for one in listed(running.http, "busy"):
        if not one["source_id"].startswith("busy-"):
            continue
        assert one["status"] == "indexed", one
        original = running.http.get(f"/v1/documents/{one['id']}/original")
        assert original.status_code == 200, original.text
        assert original.text in churn.texts[one["source_id"]]
        chunks = running.http.get(f"/v1/documents/{one['id']}/chunks").json()["chunks"]
        assert chunks[0]["text"][:60] == original.text[:60]
        kept.add(one["id"])
    return kept


def test_a_restoration_that_is_killed_leaves_the_old_or_the_new(
    deployment: Deployment, tmp_path: Path
):
    def documents() -> list[str]:
        with serve(deployment.data, **deployment.variables) as running:
            found = {one["source_id"] for one in listed(running.http, "default")}
            for one in listed(running.http, "default"):
                wait_for(
                    lambda one=one: (
                        running.http.get(f"/v1/documents/{one['id']}").json()["status"] == "indexed"
                    ),
                    "it was not indexed",
                )
                assert running.http.get(f"/v1/documents/{one['id']}/original").status_code == 200
        return sorted(found)

    env = environment(deployment.data, **deployment.variables)
    for name, texts in (("old", 60), ("new", 80)):
        folder = tmp_path / name
        folder.mkdir()
        for number in range(texts):
            text = f"{name} {number} " + random.Random(number).randbytes(2000).hex()
            (folder / f"{name}-{number:03}.txt").write_text(text)
        assert run_rag("ingest", str(folder), env=env).returncode == 0
        deployment.rag("backup", str(tmp_path / f"{name}.backup"))
        deployment.wipe()
    old = sorted(f"old-{number:03}.txt" for number in range(60))
    new = sorted(f"new-{number:03}.txt" for number in range(80))
    deployment.rag("restore", str(tmp_path / "old.backup"), "--no-build")
    began = time.monotonic()
    deployment.rag("restore", str(tmp_path / "old.backup"), "--no-build", "--replace")
    took, seen = time.monotonic() - began, []

    for part in PARTS:
        words = ("restore", str(tmp_path / "new.backup"), "--no-build", "--replace")
        restoring = start_rag(*words, env=env, errors=tmp_path / "errors")
        time.sleep(took * part)
        restoring.send_signal(signal.SIGKILL)
        restoring.communicate()
        seen.append(documents())
        assert seen[-1] in (old, new)
        deployment.rag("restore", str(tmp_path / "old.backup"), "--no-build", "--replace")

    deployment.rag("restore", str(tmp_path / "new.backup"), "--replace")
    assert documents() == new
    files = {path.name for path in (deployment.data / "blobs").rglob("*") if path.is_file()}
    assert len(files) == len(new)
    assert not (deployment.data / "restoring").exists()


def test_an_answer_of_another_history_is_not_served(
    in_sqlite: Deployment, redis_server: RedisServer, tmp_path: Path
):
    in_sqlite.variables = LOCAL | {"RAG_CACHE__KIND": "redis", "RAG_CACHE__URL": redis_server.url}
    question = {"query": "What is the code of the safe?"}

    def told(running: Served, code: str) -> str:
        upload(running.http, "default", "safe.txt", f"The code of the safe is {code}.", "x")

        def newest() -> bool:
            return all(one["status"] == "indexed" for one in listed(running.http, "default"))

        def answered() -> str:
            asked = running.http.post("/v1/query", json=question).json()
            assert not asked["meta"]["degraded"]
            return str(asked["answer"]) if code in asked["answer"] else ""

        wait_for(newest, "not indexed")
        return str(wait_for(answered, f"{code} is not found"))

    with serve(in_sqlite.data, **in_sqlite.variables) as running:
        assert "alpha" in told(running, "alpha")
        in_sqlite.rag("backup", str(tmp_path / "backup"))
        assert "bravo" in told(running, "bravo")
    in_sqlite.wipe()
    redis_server.hang()  # so that it forgets nothing, and cannot be told to
    env = environment(in_sqlite.data, **in_sqlite.variables)
    words = ("restore", str(tmp_path / "backup"), "--no-build", "--json")
    restored = run_rag(*words, env=env)
    redis_server.resume()

    assert restored.returncode == 1
    assert "redis is unavailable" in json.loads(restored.stdout)["pending"]["cache"]
    with serve(in_sqlite.data, **in_sqlite.variables) as running:
        assert "alpha" in running.http.post("/v1/query", json=question).json()["answer"]
        assert "charlie" in told(running, "charlie")


def test_restoring_empties_the_cache(
    in_sqlite: Deployment, redis_server: RedisServer, tmp_path: Path
):
    import redis

    in_sqlite.variables = LOCAL | {"RAG_CACHE__KIND": "redis", "RAG_CACHE__URL": redis_server.url}
    with serve(in_sqlite.data, **in_sqlite.variables) as running:
        upload(running.http, "default", *stable(1), "stable")
        wait_for(lambda: listed(running.http, "default")[0]["status"] == "indexed", "not indexed")
        time.sleep(0.5)
        running.http.post("/v1/query", json={"query": "What is the code of locker1x?"})
        in_sqlite.rag("backup", str(tmp_path / "backup"))
    with redis.Redis(port=redis_server.port) as client:
        assert client.keys("rag:answer:*")
        in_sqlite.wipe()

        in_sqlite.rag("restore", str(tmp_path / "backup"), "--no-build")

        assert client.keys("rag:answer:*") == []


def test_an_index_of_another_history_on_another_machine_is_not_believed(
    in_postgresql: Deployment, tmp_path: Path
):
    elsewhere = tmp_path / "elsewhere" / "data"
    words = {"RAG_BLOBS__KIND": "filesystem"}

    def put(running: Served, source: str, word: str) -> None:
        upload(running.http, "default", source, f"The word is {word}.", "x")
        wait_for(lambda: find(running, word), f"{word} is not found")

    def find(running: Served, word: str) -> list[str]:
        asked = {"query": word, "mode": "keyword"}
        hits = running.http.post("/v1/search", json=asked).json()["hits"]
        return [one["snippet"] for one in hits]

    elsewhere.parent.mkdir()
    with serve(elsewhere, **in_postgresql.variables, **words) as running:
        put(running, "one.txt", "alpha")
        env = environment(elsewhere, **in_postgresql.variables)
        made = run_rag("backup", str(tmp_path / "backup"), env=env)
        assert made.returncode == 0, made.stderr
        put(running, "two.txt", "bravo")
        running.stop()
    in_postgresql.data.mkdir(exist_ok=True)
    in_postgresql.wipe()

    in_postgresql.rag("restore", str(tmp_path / "backup"), "--no-build")

    with serve(elsewhere, **in_postgresql.variables, **words) as running:
        put(running, "three.txt", "charlie")
        assert find(running, "bravo") == []
        assert find(running, "charlie") == ["The word is charlie."]
        assert find(running, "alpha") == ["The word is alpha."]


def test_a_backup_of_a_lost_file_is_none(in_sqlite: Deployment, tmp_path: Path):
    with serve(in_sqlite.data, **in_sqlite.variables) as running:
        upload(running.http, "default", *stable(1), "stable")
        wait_for(lambda: listed(running.http, "default")[0]["status"] == "indexed", "not indexed")
    (file,) = [path for path in (in_sqlite.data / "blobs").rglob("*") if path.is_file()]
    file.unlink()

    env = environment(in_sqlite.data, **in_sqlite.variables)
    ended = run_rag("backup", str(tmp_path / "backup"), env=env)

    assert ended.returncode == 1
    assert "original files of 1 documents are missing" in ended.stderr
    assert not [path for path in tmp_path.iterdir() if "backup" in path.name]
