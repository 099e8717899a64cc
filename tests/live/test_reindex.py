"""A workspace re-indexed under questions, uploads and deletions; everything killed in between."""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestrator.indexing.shelf import READER_S
from tests.live.processes import (
    Served,
    children,
    environment,
    run_rag,
    serve,
    start_rag,
    wait_for,
)
from tests.scale import scaled

SEED = 20263
DOCUMENTS = scaled(160, 100)
CHANGED, DELETED, ADDED = scaled(20, 10), scaled(20, 10), 10
READERS = 3
PATIENCE_S = 120
EDITION = re.compile(r"edition (\d+) of (book\d{4}x)")
PATH = "/v1/workspaces/default/reindexing"
VARIABLES = {
    "RAG_EMBEDDER__KIND": "mock",
    "RAG_VECTORS__KIND": "faiss",
    "RAG_KEYWORDS__KIND": "tantivy",
    "RAG_RETRIEVER__KIND": "hybrid",
    "RAG_WORKER__PLACEMENT": "subprocess",
}


@dataclass
class Book:
    """A document of several chunks, each of which says its code and its edition."""

    code: str
    id: str = ""
    edition: int = 1
    leaving: bool = False
    gone: float | None = None

    @property
    def text(self) -> bytes:
        return "\n\n".join(
            f"# Chapter {chapter}\n\nThis is edition {self.edition} of {self.code}, part {chapter}."
            for chapter in range(3)
        ).encode()


@dataclass
class Load:
    """Readers and writers over one service, and what was wrong with what they were shown."""

    http: httpx.AsyncClient
    books: list[Book]
    chance: random.Random = field(default_factory=lambda: random.Random(SEED))
    wrong: list[str] = field(default_factory=list)
    asked: int = 0
    slowest: float = 0.0

    async def hand_in(self, book: Book) -> None:
        sent = await self.http.post(
            "/v1/documents",
            files={"file": (f"{book.code}.md", book.text)},
            data={"source_id": book.code},
        )
        assert sent.status_code == 202, sent.text
        book.id = sent.json()["id"]

    async def settled(self) -> None:
        ends = time.monotonic() + PATIENCE_S
        for status in ("queued", "processing"):
            query = {"status": status}
            while (await self.http.get("/v1/documents", params=query)).json()["documents"]:
                assert time.monotonic() < ends, "the documents came to no end"
                await asyncio.sleep(0.1)
        now = (await self.http.get("/v1/workspaces/default")).json()["revision"]
        while await self.revision() < now:
            assert time.monotonic() < ends, "the indexes did not keep up"
            await asyncio.sleep(0.05)

    async def revision(self) -> int:
        """Up to which everything is found."""
        answer = await self.http.post("/v1/query", json={"query": f"Anything? {time.monotonic()}"})
        found: int = answer.json()["meta"]["revision"]
        return found

    async def read(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            alive = [book for book in self.books if not book.leaving]
            book, began = self.chance.choice(alive), time.monotonic()
            path, body = self.question(book)
            response = await self.http.post(path, json=body)
            self.asked += 1
            self.slowest = max(self.slowest, time.monotonic() - began)
            if response.status_code == 409 and response.json()["code"] == "source_withdrawn":
                continue
            if response.status_code != 200:
                self.wrong.append(f"{response.status_code}: {response.text}")
                continue
            self.judge(book, response.json(), began, mode=body.get("mode", "query"))
            await asyncio.sleep(0.01)

    def question(self, book: Book) -> tuple[str, dict[str, Any]]:
        text = f"edition of {book.code}"
        match self.chance.randrange(3):
            case 0:
                return "/v1/query", {"query": f"{text}? {self.asked}", "top_k": 8}
            case 1:
                return "/v1/search", {"query": text, "mode": "dense", "top_k": 8}
        return "/v1/search", {"query": book.code, "mode": "keyword", "top_k": 12}

    def judge(self, book: Book, answer: dict[str, Any], began: float, *, mode: str) -> None:
        shown = answer.get("sources") or answer.get("hits") or []
        if not shown and not book.leaving:
            self.wrong.append(f"{mode}: nothing was shown for {book.code}")
        editions: dict[str, set[str]] = {}
        ghosts = {one.code: one.gone for one in self.books if one.gone}
        for one in shown:
            for edition, code in EDITION.findall(one["snippet"]):
                editions.setdefault(code, set()).add(edition)
                if ghosts.get(code, began) < began:
                    self.wrong.append(f"{mode}: {code} was deleted")
        self.wrong += [f"{mode}: {code} mixed" for code, some in editions.items() if len(some) > 1]
        places = [(one["doc_id"], one["start"], one["end"]) for one in shown]
        if len(set(places)) < len(places):
            self.wrong.append(f"{mode}: shown twice: {places}")

    async def change(self, books: list[Book]) -> None:
        for book in books:
            book.edition += 1
            await self.hand_in(book)
            await asyncio.sleep(0.05)

    async def add(self, books: list[Book]) -> None:
        for book in books:
            await self.hand_in(book)
            await asyncio.sleep(0.1)

    async def delete(self, books: list[Book]) -> None:
        for book in books:
            book.leaving = True
            answer = await self.http.delete(f"/v1/documents/{book.id}")
            assert answer.status_code == 200, answer.text
            book.gone = time.monotonic()
            await asyncio.sleep(0.05)

    async def state(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.http.get(PATH)).json()
        return found

    async def until(self, state: str) -> dict[str, Any]:
        ends = time.monotonic() + PATIENCE_S
        while (now := await self.state())["state"] != state:
            assert now["state"] != "failed", now["reason"]
            assert time.monotonic() < ends, now
            await asyncio.sleep(0.1)
        return now

    async def assert_whole(self) -> None:
        """Every book once, at its newest edition; of those deleted, nothing."""
        for book in self.books:
            body = {"query": book.code, "mode": "keyword", "top_k": 20}
            hits = (await self.http.post("/v1/search", json=body)).json()["hits"]
            mine = [hit for hit in hits if book.code in hit["snippet"]]
            found = {edition for hit in mine for edition, _ in EDITION.findall(hit["snippet"])}
            assert found == (set() if book.gone else {str(book.edition)}), book
            places = [(hit["start"], hit["end"]) for hit in mine]
            assert len(set(places)) == len(places), book


def middle(served: Served) -> bool:
    """Whether it is under way; or past that, if nobody looked in time."""
    now = served.http.get(PATH).json()
    return 0 < now["behind"] < now["documents"] or now["state"] == "switched"


def rows(data: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(data / "catalog.db", timeout=30)) as connection, connection:
        return [row[0] for row in connection.execute(query)]


async def filled(data: Path, variables: dict[str, str], books: list[Book]) -> None:
    """Documents, a re-indexing that is under way, and a server that was killed over it."""
    with serve(data, **variables) as served:
        async with httpx.AsyncClient(base_url=served.http.base_url, timeout=120) as http:
            load = Load(http, books)
            for book in books:
                await load.hand_in(book)
            await load.settled()
        body = {"embedder": "new", "chunking": {"strategy": "sentence", "tokens": 24}}
        begun = served.http.post(PATH, json=body)
        assert begun.status_code == 202, begun.text
        wait_for(lambda: middle(served), "it was never in the middle", seconds=PATIENCE_S)
        served.stop(signal.SIGKILL)


@pytest.mark.slow
async def test_a_workspace_is_reindexed_under_load_and_whoever_is_killed_nothing_is_lost(
    tmp_path: Path, model_folder: Path
) -> None:
    data = tmp_path / "data"
    new = {"RAG_EMBEDDERS__NEW__KIND": "onnx", "RAG_MODELS": str(model_folder.parent)}
    variables = {**VARIABLES, **new}
    books = [Book(f"book{number:04d}x") for number in range(DOCUMENTS)]
    await filled(data, variables, books)

    with serve(data, **variables) as served:
        async with httpx.AsyncClient(base_url=served.http.base_url, timeout=120) as http:
            load = Load(http, books)
            middle_again = await load.state()
            stop, shuffled = asyncio.Event(), load.chance.sample(books, DOCUMENTS)
            added = [Book(f"book{DOCUMENTS + n:04d}x") for n in range(2 * ADDED)]
            reading = [asyncio.create_task(load.read(stop)) for _ in range(READERS)]
            for pid in children(served.process.pid, "worker"):
                os.kill(pid, signal.SIGKILL)

            def some(of: list[Book], count: int) -> list[Book]:
                return [of.pop() for _ in range(count)]

            async def write() -> None:
                await asyncio.gather(
                    load.change(some(shuffled, CHANGED)),
                    load.delete(some(shuffled, DELETED)),
                    load.add(some(added, ADDED)),
                )

            await write()
            switched = await load.until("switched")
            await write()
            await load.settled()
            await asyncio.sleep(2)
            stop.set()
            await asyncio.gather(*reading)
            books.extend(book for book in added if book.id)

            print(
                f"killed at {middle_again['behind']} of {middle_again['documents']} to do; "
                f"{load.asked} requests, the slowest {load.slowest:.2f} s"
            )  # figures
            assert load.wrong == []
            assert switched["after"]["embedder"] == "new"
            await load.assert_whole()
            assert sorted(set(rows(data, "SELECT generation FROM chunks"))) == [1, 2]

            assert (await http.post(f"{PATH}/confirm")).status_code == 200
            rows(data, f"UPDATE reindexings SET switched_at = switched_at - {READER_S + 1}")
            await load.until("confirmed")
            wait_for(lambda: served.http.get(PATH).json()["erased"], "it was not erased")
            await load.assert_whole()

    assert set(rows(data, "SELECT generation FROM chunks")) == {2}
    assert len(set(rows(data, "SELECT model FROM vectors"))) == 1
    folders = [path.name for path in data.rglob("g*-*") if path.is_dir()]
    assert folders
    assert [name for name in folders if not name.startswith("g2-")] == []


def version_of(served: Served, code: str) -> int:
    """By which version of the configuration this server answers; the answer must be right."""
    answer = served.http.post("/v1/query", json={"query": f"Which edition of {code} is this?"})
    assert answer.status_code == 200, answer.text
    assert code in answer.text
    found: int = answer.json()["meta"]["config_version"]
    return found


@pytest.mark.slow
async def test_of_two_servers_each_goes_over_and_back_by_itself_also_after_one_was_killed(
    tmp_path: Path,
) -> None:
    data, books = tmp_path / "data", [Book(f"book{number:04d}x") for number in range(12)]
    code = books[0].code
    with serve(data, **VARIABLES) as first, serve(data, **VARIABLES) as second:
        async with (
            httpx.AsyncClient(base_url=first.http.base_url, timeout=120) as http,
            httpx.AsyncClient(base_url=second.http.base_url, timeout=120) as second_http,
        ):
            load = Load(http, books)
            for book in books:
                await load.hand_in(book)
            await load.settled()
            body = {"chunking": {"strategy": "sentence", "tokens": 24}}
            await Load(second_http, books).settled()
            versions = [version_of(served, code) for served in (first, second)]
            assert (await http.post(PATH, json=body)).status_code == 202
            await load.until("switched")
            for served in (first, second):
                wait_for(lambda one=served: version_of(one, code) == 2, "it did not go over")
            await load.change(books[:3])
            await load.delete(books[3:5])
            await load.settled()
        first.stop(signal.SIGKILL)

        async with httpx.AsyncClient(base_url=second.http.base_url, timeout=120) as http:
            load = Load(http, books)
            await load.settled()
            await load.assert_whole()
            wait_for(
                lambda: second.http.delete(PATH).status_code == 200,
                "there was no way back",
                seconds=PATIENCE_S,
            )
            wait_for(lambda: version_of(second, code) == 3, "it did not go back")
            await load.assert_whole()

    assert versions == [1, 1]
    with serve(data, **VARIABLES) as third:
        assert version_of(third, code) == 3
        config = third.http.get("/v1/workspaces/default").json()["config"]
        assert (config["generation"], config["chunking"]["strategy"]) == (1, "structure")


@pytest.mark.slow
async def test_another_store_is_filled_under_questions_and_the_old_one_goes_after_confirmation(
    tmp_path: Path,
) -> None:
    data, books = tmp_path / "data", [Book(f"book{number:04d}x") for number in range(40)]
    variables = {**VARIABLES, "RAG_KEYWORD_STORES__SECOND__KIND": "tantivy"}
    with serve(data, **variables) as served:
        async with httpx.AsyncClient(base_url=served.http.base_url, timeout=120) as http:
            load, stop = Load(http, books), asyncio.Event()
            for book in books:
                await load.hand_in(book)
            await load.settled()
            before = indexes(data)
            reading = [asyncio.create_task(load.read(stop)) for _ in range(READERS)]
            assert (await http.post(PATH, json={"keywords": "second"})).status_code == 202
            await asyncio.gather(load.change(books[:5]), load.delete(books[-5:]))
            await load.until("switched")
            await load.settled()
            both = indexes(data)
            await http.post(f"{PATH}/confirm")
            rows(data, f"UPDATE reindexings SET switched_at = switched_at - {READER_S + 1}")
            wait_for(lambda: served.http.get(PATH).json()["erased"], "it was not erased")
            stop.set()
            await asyncio.gather(*reading)

            assert load.wrong == []
            await load.assert_whole()
            after = indexes(data)

    assert len(both) == len(before) + 1
    assert len(after) == len(before)
    assert set(rows(data, "SELECT generation FROM chunks")) == {1}


def indexes(data: Path) -> list[Path]:
    """The folders of indexes."""
    return [path for path in data.rglob("g*-*") if path.is_dir()]


def test_the_command_beside_a_server_leaves_the_work_to_it_and_an_interrupt_ends_only_the_command(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    env = environment(data, **VARIABLES)
    with serve(data, **VARIABLES) as served:
        upload = {"file": ("book.md", Book("book0000x").text)}
        assert served.http.post("/v1/documents", files=upload).status_code == 202
        wait_for(
            lambda: served.http.get("/v1/documents?status=indexed").json()["documents"],
            "it was not indexed",
        )
        for pid in children(served.process.pid, "worker"):
            os.kill(pid, signal.SIGSTOP)
        command = start_rag(
            "reindex", "default", "--chunking", "sentence", env=env, errors=tmp_path / "errors"
        )
        with command:
            wait_for(lambda: served.http.get(PATH).status_code == 200, "it was not begun")
            command.send_signal(signal.SIGINT)
            interrupted = command.wait(120)
        state = served.http.get(PATH).json()["state"]
        for pid in children(served.process.pid, "worker"):
            os.kill(pid, signal.SIGCONT)
        wait_for(lambda: served.http.get(PATH).json()["state"] == "switched", "it did not go on")
        confirmed = run_rag("reindex", "default", "--confirm", env=env)

    assert (interrupted, state) == (1, "building")
    assert (confirmed.returncode, confirmed.stderr) == (0, "")
    assert "confirmed" in confirmed.stdout
