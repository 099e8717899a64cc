"""The promise of a deletion, under load: no request begun after the receipt shows the text."""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.live.conftest import OpenApp
from tests.live.processes import serve
from tests.scale import scaled

SEED = 20261
OPERATIONS = scaled(10_000, 2_000)
OPERATIONS_BETWEEN_PROCESSES = scaled(2_000, 600)
DOCUMENTS = 120
READERS = 8
WRITERS = 12
INDEXED_S = 120
PHRASE = re.compile(r"zulu[0-9a-f]{10}")

LOCAL = {
    "retriever": {"kind": "hybrid"},
    "vectors": {"kind": "faiss"},
    "keywords": {"kind": "tantivy"},
}
VARIABLES = {f"RAG_{stage.upper()}__KIND": chosen["kind"] for stage, chosen in LOCAL.items()}
VARIABLES["RAG_HTTP__TIMEOUT_S"] = "110"


@dataclass
class Vault:
    """A document with a phrase that nothing else holds; `gone` is when its receipt came."""

    code: str
    phrase: str
    id: str = ""
    gone: float | None = None

    @property
    def text(self) -> bytes:
        return f"The password of vault {self.code} is {self.phrase}.".encode()

    @property
    def question(self) -> str:
        return f"What is the password of vault {self.code}?"


@dataclass
class Load:
    """Concurrent readers and writers over clients, and what they saw.

    `leaks` are phrases shown by a request that began after their deletion's receipt; `errors` is
    everything that went wrong for another reason than a source withdrawn in mid-answer.
    """

    clients: Sequence[httpx.AsyncClient]
    target: int
    chance: random.Random = field(default_factory=lambda: random.Random(SEED))
    vaults: dict[str, Vault] = field(default_factory=dict)
    live: list[Vault] = field(default_factory=list)
    dead: list[Vault] = field(default_factory=list)
    hot: list[Vault] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    leaks: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    async def run(self) -> float:
        """Work until enough was done; how many seconds that took."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(DOCUMENTS // 10):
                tasks.create_task(self.upload(10))
        async with asyncio.TaskGroup() as tasks:
            for _ in range(READERS):
                tasks.create_task(self.read())
            for _ in range(WRITERS):
                tasks.create_task(self.write())
        return time.monotonic() - began

    @property
    def enough(self) -> bool:
        return self.done.total() >= self.target or bool(self.leaks or self.errors)

    async def write(self) -> None:
        while not self.enough:
            if len(self.live) < DOCUMENTS // 2 or self.chance.random() < 0.45:
                await self.upload(1)
            else:
                await self.delete(self.chance.choice(self.live))
            await asyncio.sleep(self.chance.random() * 0.1)

    async def upload(self, count: int) -> None:
        client = self.chance.choice(self.clients)
        for _ in range(count):
            number = len(self.vaults)
            vault = Vault(f"kestrel{number}x", f"zulu{self.chance.getrandbits(40):010x}")
            self.vaults[vault.phrase] = vault
            files = {"file": (f"{vault.code}.txt", vault.text)}
            response = await client.post("/v1/documents", files=files)
            self.done["upload"] += 1
            if response.status_code != 202:
                self.errors.append(response.text)
                return
            vault.id = response.json()["id"]
            if not await self.indexed(client, vault):
                return
            self.live.append(vault)
            self.hot = [*self.hot, vault][-4:]

    async def indexed(self, client: httpx.AsyncClient, vault: Vault) -> bool:
        for _ in range(INDEXED_S * 20):
            document = (await client.get(f"/v1/documents/{vault.id}")).json()
            if document["status"] == "indexed":
                return True
            await asyncio.sleep(0.05)
        self.errors.append(f"not indexed: {document}")
        return False

    async def delete(self, vault: Vault) -> None:
        self.live.remove(vault)
        response = await self.chance.choice(self.clients).delete(f"/v1/documents/{vault.id}")
        vault.gone = time.monotonic()
        self.done["deletion"] += 1
        if response.status_code != 200:
            self.errors.append(response.text)
        self.dead.append(vault)
        if vault in self.hot:
            self.hot.remove(vault)

    def chosen(self) -> Vault:
        """Mostly what was asked before, so that the cache knows it; often what has just gone."""
        draw = self.chance.random()
        if self.dead and draw < 0.35:
            return self.chance.choice(self.dead[-6:])
        if self.hot and draw < 0.8:
            return self.chance.choice(self.hot)
        return self.chance.choice(self.live)

    async def read(self) -> None:
        while not self.enough:
            how = self.chance.choice(["query", "query", "query", "stream", "search", "words"])
            await self.ask(self.chance.choice(self.clients), self.chosen(), how)

    async def ask(self, client: httpx.AsyncClient, vault: Vault, how: str) -> None:
        began = time.monotonic()
        match how:
            case "query" | "stream":
                body = {"query": vault.question, "stream": how == "stream"}
                response = await client.post("/v1/query", json=body)
            case "search":
                response = await client.post("/v1/search", json={"query": vault.question})
            case _:
                body = {"query": vault.code, "mode": "keyword"}
                response = await client.post("/v1/search", json=body)
        self.done[how] += 1
        self.judge(response, began, vault, how)

    def judge(self, response: httpx.Response, began: float, vault: Vault, how: str) -> None:
        """Look at every byte of a response for phrases that it must not hold."""
        text = response.text
        if '"source_withdrawn"' in text:
            self.seen[f"source withdrawn in mid-{how}"] += 1
        elif response.status_code != 200 or "event: error" in text:
            self.errors.append(text)
            return
        self.seen["cache hit"] += '"cache_hit":true' in text
        self.seen["about a deleted document"] += vault.gone is not None and vault.gone <= began
        for phrase in set(PHRASE.findall(text)):
            shown = self.vaults[phrase]
            if shown.gone is not None and shown.gone <= began:
                late = began - shown.gone
                self.leaks.append(f"{phrase} {late:.3f} s after its receipt: {text[:500]}")
            else:
                self.seen["phrase shown"] += 1

    def report(self, seconds: float) -> str:
        return (
            f"{self.done.total()} operations in {seconds:.1f} s ({dict(self.done)}); "
            f"seen: {dict(self.seen)}; leaks: {len(self.leaks)}; errors: {len(self.errors)}"
        )

    def verify(self) -> None:
        assert self.errors == []
        assert self.leaks == []
        assert self.done.total() >= self.target
        assert self.done["deletion"] >= self.target / 400
        assert self.seen["cache hit"] >= self.target / 100
        assert self.seen["about a deleted document"] >= self.target / scaled(10, 100)
        assert self.seen["phrase shown"] >= self.target


@pytest.mark.slow
async def test_thousands_of_operations_show_nothing_that_was_deleted(open_app: OpenApp):
    async with open_app(**LOCAL) as client:
        load = Load([client], OPERATIONS)
        seconds = await load.run()

        print(load.report(seconds))  # figures
        load.verify()
        for vault in load.dead:
            document = (await client.get(f"/v1/documents/{vault.id}")).json()
            assert document["receipt"]["complete"], document


@pytest.mark.slow
async def test_a_deletion_by_one_process_binds_another(tmp_path: Path):
    with (
        serve(tmp_path / "data", **VARIABLES) as one,
        serve(tmp_path / "data", **VARIABLES) as other,
    ):
        async with AsyncExitStack() as stack:
            clients = [
                await stack.enter_async_context(
                    httpx.AsyncClient(base_url=running.http.base_url, timeout=120)
                )
                for running in (one, other)
            ]
            load = Load(clients, OPERATIONS_BETWEEN_PROCESSES)
            seconds = await load.run()

        print(load.report(seconds))  # figures
        load.verify()
        logged = [line for running in (one, other) for line in running.logs()]
        assert not [line for line in logged if line["level"] == "error"]


async def test_a_complete_receipt_means_that_no_file_holds_the_text(
    open_app: OpenApp, tmp_path: Path
):
    async with open_app(**LOCAL) as client:
        load = Load([client], 0)
        await load.upload(20)
        doomed, kept = load.live[3], load.live[4]
        assert holding(tmp_path / "data", kept.phrase)

        receipt = (await client.delete(f"/v1/documents/{doomed.id}")).json()

        assert receipt["complete"], receipt
        assert holding(tmp_path / "data", doomed.phrase) == []
    assert holding(tmp_path / "data", doomed.phrase) == []
    assert holding(tmp_path / "data", kept.phrase)


def holding(folder: Path, phrase: str) -> list[str]:
    """The files below the folder that hold the phrase as it is written."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path.name for path in files if phrase.encode() in path.read_bytes()]


@pytest.mark.xfail(
    reason="tantivy keeps a removed word until it merges the segment, and no caller can ask it to"
)
async def test_the_words_of_a_deleted_document_leave_the_keyword_index(
    open_app: OpenApp, tmp_path: Path
):
    from tantivy import Index

    def frequency(word: str) -> int:
        (meta,) = (tmp_path / "data" / "indexes").rglob("meta.json")
        return Index.open(str(meta.parent)).searcher().doc_freq("text", word)

    async with open_app(**LOCAL) as client:
        load = Load([client], 0)
        await load.upload(20)
        doomed, kept = load.live[3], load.live[4]

        receipt = (await client.delete(f"/v1/documents/{doomed.id}")).json()

        assert receipt["stores"]["keywords"] == "purged"
        assert frequency(kept.phrase) == 1
        assert frequency(doomed.phrase) == 0


def test_the_receipt_outlives_a_kill(tmp_path: Path):
    with serve(tmp_path / "data", **VARIABLES) as running:
        vault = Vault("kestrel1x", "zulu0123456789")
        files = {"file": (f"{vault.code}.txt", vault.text)}
        uploaded = running.http.post("/v1/documents", files=files)
        location = uploaded.headers["location"]
        while running.http.get(location).json()["status"] != "indexed":
            time.sleep(0.02)
        running.http.post("/v1/query", json={"query": vault.question})
        receipt = running.http.delete(location).json()
        running.process.kill()

    with serve(tmp_path / "data", **VARIABLES) as running:
        asked = running.http.post("/v1/query", json={"query": vault.question})
        document = running.http.get(location).json()

    assert vault.phrase not in asked.text
    assert document["status"] == "deleted"
    assert document["receipt"]["revision"] == receipt["revision"]
    assert vault.phrase not in json.dumps(document)
