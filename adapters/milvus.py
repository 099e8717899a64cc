"""Milvus, for the indexes that are kept there: one client, and partitions of shared collections."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar

import numpy as np

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")  # else it writes a line at each new process
import grpc
from pymilvus import CollectionSchema, MilvusClient, MilvusException
from pymilvus.client.types import LoadState
from pymilvus.milvus_client.index import IndexParams

from adapters.within import Bound, Only, Reach
from orchestrator.domain.errors import Unavailable
from orchestrator.ports.arrays import Ids
from orchestrator.ports.indexes import IndexKey

Result = TypeVar("Result")

THREADS: Final = 8
REST_S: Final = 1.0
"""After a failure, how long nobody asks again: each asking may take the whole time limit."""

WRITE_S: Final = 60.0
BATCH: Final = 1000
PAGE: Final = 16_384
"""Milvus answers no search or query with more rows than these."""

REACH: Final = Reach(names=2000, hits=PAGE)
LITE: Final = "milvus_lite"

logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # its errors come as errors, too


@dataclass(frozen=True, slots=True)
class Access:
    """Where Milvus is: an address, or the path of a file for Milvus Lite."""

    uri: str
    token: str = field(default="", repr=False)
    database: str = ""
    timeout_s: float = 2.0


class Milvus:
    """A client that connects when it is first used; calls block, so they run on a few threads."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._client: MilvusClient | None = None
        self._connecting = threading.Lock()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="milvus")
        self._rests_until = 0.0

    async def ask(self, work: Callable[[MilvusClient, float], Result]) -> Result:
        """Do a short piece of work, which is handed the client and its time limit.

        Raises:
            Unavailable: when Milvus does not answer in time, or did not a moment ago.
        """
        if time.monotonic() < self._rests_until:
            raise Unavailable("milvus", "it did not answer a moment ago")
        return await self._run(work, self._access.timeout_s)

    async def write(self, work: Callable[[MilvusClient, float], Result]) -> Result:
        """The same with patience, for work that takes its time."""
        return await self._run(work, WRITE_S)

    async def ping(self) -> None:
        """Ask for the version."""
        await self.version()

    async def version(self) -> str:
        """Such as `v2.3.5`, or `milvus_lite-3.2.2`."""
        return await self._run(
            lambda client, limit_s: client.get_server_version(timeout=limit_s),
            self._access.timeout_s,
        )

    async def close(self) -> None:
        """Let the threads finish, then disconnect."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        if self._client:
            await asyncio.to_thread(self._client.close)

    async def _run(self, work: Callable[[MilvusClient, float], Result], limit_s: float) -> Result:
        loop = asyncio.get_running_loop()
        try:
            with _translated():
                async with asyncio.timeout(limit_s):
                    return await loop.run_in_executor(
                        self._threads, lambda: work(self._connected(), limit_s)
                    )
        except Unavailable:
            self._rests_until = time.monotonic() + REST_S
            raise

    def _connected(self) -> MilvusClient:
        with self._connecting:
            if self._client is None:
                access = self._access
                self._client = MilvusClient(
                    access.uri,
                    token=access.token,
                    db_name=access.database,
                    timeout=access.timeout_s,
                )
            return self._client


@dataclass(frozen=True, slots=True)
class Layout:
    """What a collection is made of; `searched` is its field that is."""

    name: str
    searched: str
    schema: CollectionSchema
    index: IndexParams
    check: Callable[[str], None] = lambda _: None
    """Refuses a version of Milvus that cannot make it, by `Unavailable`."""


class Partition:
    """One index: a partition, named by workspace and generation, of its kind's collection.

    Without `persist` it is read, and neither made nor written.
    """

    def __init__(self, milvus: Milvus, layout: Layout, key: IndexKey, *, persist: bool) -> None:
        self._milvus = milvus
        self._layout = layout
        self._name = partition_of(key)
        self._persist = persist
        self._ready = False
        self.ids: Ids = np.empty(0, np.int64)

    async def held(self) -> Ids:
        """The ids stored, ascending, as of now."""
        self._ready = False  # what was there before an outage need not be there after it
        await self._milvus.version()  # nobody waits long for a server that does not answer
        await self._make()
        self.ids = await self._milvus.write(self._stored)
        return self.ids

    async def write(self, rows: Sequence[Mapping[str, Any]], *, remove: Ids) -> None:
        """Put the rows, by their `id`, and remove others."""
        if not self._persist:
            return
        await self._make()
        added = np.array([row["id"] for row in rows], np.int64)
        self.ids = np.union1d(self.ids, added)
        for start in range(0, len(rows), BATCH):
            await self._milvus.write(partial(self._put, rows[start : start + BATCH]))
        gone = np.intersect1d(self.ids, np.setdiff1d(remove, added))
        for start in range(0, len(gone), PAGE):
            await self._milvus.write(partial(self._take, gone[start : start + PAGE]))
        self.ids = np.setdiff1d(self.ids, gone, assume_unique=True)

    async def search(
        self, data: object, *, bound: str, limit: int, consistency: str, **parameters: Any
    ) -> Sequence[Mapping[str, Any]]:
        """The best rows within a filter of Milvus's own language, best first."""
        if not self._persist and consistency == "Session":
            consistency = "Strong"  # a session knows of its own writes alone
        found = await self._milvus.ask(
            lambda client, limit_s: client.search(
                self._layout.name,
                [data],
                anns_field=self._layout.searched,
                filter=bound,
                limit=limit,
                partition_names=[self._name],
                output_fields=["id"],
                search_params=parameters,
                consistency_level=consistency,
                timeout=limit_s,
            )
        )
        hits: Sequence[Mapping[str, Any]] = found[0]
        return hits

    async def _make(self) -> None:
        if self._persist and not self._ready:
            await self._milvus.write(self._made)
            self._ready = True

    def _made(self, client: MilvusClient, limit_s: float) -> None:
        """Step by step, so that what another process was killed at is carried on."""
        name, layout = self._layout.name, self._layout
        if not client.has_collection(name, timeout=limit_s):
            layout.check(client.get_server_version(timeout=limit_s))
            client.create_collection(name, schema=layout.schema, timeout=limit_s)
        if not client.list_indexes(name, timeout=limit_s):
            client.create_index(name, layout.index, timeout=limit_s)
        if client.get_load_state(name, timeout=limit_s)["state"] != LoadState.Loaded:
            client.load_collection(name, timeout=limit_s)
        if not client.has_partition(name, self._name, timeout=limit_s):
            client.create_partition(name, self._name, timeout=limit_s)

    def _put(self, rows: Sequence[Mapping[str, Any]], client: MilvusClient, limit_s: float) -> None:
        data = [dict(row) for row in rows]
        client.upsert(self._layout.name, data, partition_name=self._name, timeout=limit_s)

    def _take(self, ids: Ids, client: MilvusClient, limit_s: float) -> None:
        client.delete(
            self._layout.name, ids=ids.tolist(), partition_name=self._name, timeout=limit_s
        )

    def _stored(self, client: MilvusClient, limit_s: float) -> Ids:
        name = self._layout.name
        if not self._persist and not (
            client.has_collection(name, timeout=limit_s)
            and client.has_partition(name, self._name, timeout=limit_s)
        ):
            return np.empty(0, np.int64)
        pages: list[Ids] = []
        last = -1
        while True:
            rows = client.query(
                name,
                filter=f"id > {last}",
                limit=PAGE,
                output_fields=["id"],
                partition_names=[self._name],
                consistency_level="Strong",
                timeout=limit_s,
            )
            page = np.sort(np.array([row["id"] for row in rows], np.int64))
            pages.append(page)
            if len(page) < PAGE:
                return np.concatenate(pages)
            last = int(page[-1])


async def prune(milvus: Milvus, collections: str, workspace: str, kept: Sequence[str]) -> None:
    """Drop the workspace's partitions but those kept (`collection/partition`), by a prefix."""

    def pruned(client: MilvusClient, limit_s: float) -> None:
        for name in client.list_collections(timeout=limit_s):
            if not name.startswith(collections):
                continue
            for partition in client.list_partitions(name, timeout=limit_s):
                of, _, _ = partition.rpartition("_g")
                if of == f"w_{workspace}" and f"{name}/{partition}" not in kept:
                    _drop(client, name, partition, limit_s)

    await milvus.write(pruned)


def partition_of(key: IndexKey) -> str:
    """A partition's name."""
    return f"w_{key.workspace}_g{key.generation}"


def within(bound: Bound) -> str:
    """A bound as a filter of Milvus."""
    if bound is None:
        return ""
    return f"id {'in' if isinstance(bound, Only) else 'not in'} {bound.ids.tolist()}"


def _drop(client: MilvusClient, collection: str, partition: str, limit_s: float) -> None:
    if LITE not in client.get_server_version(timeout=limit_s):  # which releases nothing
        client.release_partitions(collection, [partition], timeout=limit_s)
    client.drop_partition(collection, partition, timeout=limit_s)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (MilvusException, grpc.RpcError, OSError, TimeoutError) as error:
        reason = str(getattr(error, "message", "") or error) or "it does not answer in time"
        raise Unavailable("milvus", reason.partition("\n")[0]) from error
