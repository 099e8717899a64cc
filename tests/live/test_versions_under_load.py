"""Documents that change and go while they are quoted: one version at a time, and none after."""

from __future__ import annotations

import asyncio
import random
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.live.processes import serve
from tests.scale import scaled

SEED = 20262
DOCUMENTS = scaled(400, 100)
CHANGED = DOCUMENTS // 2
READERS = 4
WRITERS = 6
PATIENCE_S = 120
EDITION = re.compile(r"edition (\d+) of (book\d{4}x)")
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
    gone: float | None = None

    @property
    def text(self) -> bytes:
        return "\n\n".join(
            f"# Chapter {chapter}\n\n"
            f"This is edition {self.edition} of {self.code}, chapter {chapter}. " + "More. " * 40
            for chapter in range(4)
        ).encode()


@dataclass
class Load:
    """Readers and writers over one service, and what was wrong with what they were shown."""

    http: httpx.AsyncClient
    books: list[Book]
    chance: random.Random = field(default_factory=lambda: random.Random(SEED))
    mixed: list[str] = field(default_factory=list)
    ghosts: list[str] = field(default_factory=list)
    asked: int = 0
    shown: int = 0
    withdrawn: int = 0

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
        while (await self.http.get("/v1/documents", params={"status": "queued"})).json()[
            "documents"
        ] or (await self.http.get("/v1/documents", params={"status": "processing"})).json()[
            "documents"
        ]:
            assert time.monotonic() < ends, "the documents came to no end"
            await asyncio.sleep(0.1)

    async def read(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            book = self.chance.choice(self.books)
            began = time.monotonic()
            question = f"Which edition of {book.code} is this? {self.asked}"
            path, body = "/v1/search", {"query": question, "mode": "keyword", "top_k": 8}
            if self.chance.random() < 0.5:
                path, body = "/v1/query", {"query": question, "top_k": 8}
            response = await self.http.post(path, json=body)
            self.asked += 1
            if response.status_code == 409:
                assert response.json()["code"] == "source_withdrawn"
                self.withdrawn += 1
                continue
            assert response.status_code == 200, response.text
            self.judge(response.json(), began)

    def judge(self, answer: dict[str, Any], began: float) -> None:
        known = {book.code: book for book in self.books}
        editions: dict[str, set[str]] = {}
        for one in answer.get("sources") or answer.get("hits") or []:
            for edition, code in EDITION.findall(one["snippet"]):
                editions.setdefault(code, set()).add(edition)
        for code, found in editions.items():
            self.shown += 1
            gone = known[code].gone
            if len(found) > 1:
                self.mixed.append(f"{code}: {sorted(found)}")
            if gone is not None and gone < began:
                self.ghosts.append(code)

    async def change(self, books: list[Book]) -> None:
        while books:
            book = books.pop()
            book.edition += 1
            await self.hand_in(book)
            await asyncio.sleep(0.02)

    async def delete(self, books: list[Book]) -> None:
        while books:
            book = books.pop()
            assert (await self.http.delete(f"/v1/documents/{book.id}")).status_code == 200
            book.gone = time.monotonic()
            await asyncio.sleep(0.02)


@pytest.mark.slow
async def test_changes_and_deletions_are_seen_whole_or_not_at_all(
    tmp_path: Path,
) -> None:
    with serve(tmp_path / "data", **VARIABLES) as served:
        async with httpx.AsyncClient(base_url=served.http.base_url, timeout=120) as http:
            books = [Book(f"book{number:04d}x") for number in range(DOCUMENTS)]
            load = Load(http, books)
            for book in books:
                await load.hand_in(book)
            await load.settled()
            stop, shuffled = asyncio.Event(), load.chance.sample(books, DOCUMENTS)
            changed, deleted = shuffled[:CHANGED], shuffled[CHANGED:]
            reading = [asyncio.create_task(load.read(stop)) for _ in range(READERS)]

            await asyncio.gather(
                *(load.change(changed[n::WRITERS]) for n in range(WRITERS)),
                *(load.delete(deleted[n::WRITERS]) for n in range(WRITERS)),
            )
            await load.settled()
            stop.set()
            await asyncio.gather(*reading)

            print(
                f"{load.asked} requests showed {load.shown} documents; "
                f"{load.withdrawn} sources were withdrawn in mid-answer"
            )
            assert load.shown > CHANGED
            assert (load.mixed, load.ghosts) == ([], [])
            for book in shuffled:
                body = {"query": book.code, "mode": "keyword", "top_k": 10}
                hits = (await http.post("/v1/search", json=body)).json()["hits"]
                found = {
                    EDITION.findall(hit["snippet"])[0]
                    for hit in hits
                    if book.code in hit["snippet"]
                }
                expected = set() if book.gone else {(str(book.edition), book.code)}
                assert found == expected, book
