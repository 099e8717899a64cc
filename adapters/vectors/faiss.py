"""A vector index in FAISS: exact while it is small, then inverted lists and an exact rest."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import structlog

from adapters.folders import IndexFolders
from adapters.masks import Masks
from adapters.vectors.lists import InvertedLists, Mask, Sight
from adapters.vectors.rows import ERASED, Slots, VectorRows, alone, cosines, remove, scan
from adapters.vectors.trainer import carried_out
from adapters.vectors.training import Order, Outcome
from orchestrator.domain.identity import Scope
from orchestrator.domain.passages import Hit
from orchestrator.ports.arrays import Ids, Vector
from orchestrator.ports.indexes import IndexKey, Selection, Visibility

log = structlog.get_logger(__name__)
Result = TypeVar("Result")

MANIFEST: Final = "manifest.json"
FORMAT: Final = 2
READ_ATTEMPTS: Final = 3
DAMAGE: Final = (ValueError, KeyError, TypeError, RuntimeError, OSError)
"""What reading damaged files may raise, FAISS's own errors (RuntimeError) among them."""

EXACT_UNTIL: Final = 50_000
"""So many vectors are scanned in about three milliseconds."""
SCANNED: Final = 10_000
"""Up to so many vectors that may be seen, all of them are compared, whatever lists there are."""
REST: Final = 4
"""The lists are made anew when what they lack is more than this part of them, as is waste."""
SPARE: Final = 32
"""Beyond those wanted, so many are compared exactly: eight bits blur the order a little."""
ROUNDED: Final = 1e-3
"""By so much a cosine may exceed 1."""
CHECKED: Final = 5_000
"""So many vectors are read for damage before searches have their turn."""
AGAIN_S: Final = 60.0
"""How long after a failure training is tried again."""


@dataclass(frozen=True, slots=True)
class Training:
    """From how many vectors on lists are trained, by how many threads, and how nicely."""

    exact_until: int = EXACT_UNTIL
    threads: int = 0
    niceness: int = 10


@dataclass(frozen=True, slots=True)
class _Made:
    """New lists, if any, and the rows that they are of where those were written anew."""

    rows: VectorRows | None
    lists: InvertedLists | None
    trained_for: int


class FaissVectors:
    """`orchestrator.ports.indexes.VectorIndex`; one thread of its own does all the work.

    Rows (`adapters.vectors.rows`) are the log of what was added and removed, lists
    (`adapters.vectors.lists`) a snapshot of most of it, made by another process: what they do not
    cover is compared with the question one by one.
    """

    def __init__(
        self,
        key: IndexKey,
        visibility: Visibility,
        folder: Path,
        *,
        persist: bool,
        training: Training,
    ) -> None:
        self._visibility = visibility
        self._folder = folder
        self._persist = persist
        self._plan = training
        self._dimension = key.dimension
        self._masks = Masks()
        self._sights: WeakKeyDictionary[Selection, tuple[object, Sight]] = WeakKeyDictionary()
        self._rows = VectorRows(key.dimension, writes=False)
        self._lists: InvertedLists | None = None
        self._uncovered: Slots = np.empty(0, np.int64)
        self._trained_for = 0
        self._trainer: asyncio.Task[None] | None = None
        self._not_before = 0.0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="faiss", initializer=alone)

    async def load(self) -> None:
        """Open what is stored, if it is of this dimension; what is damaged is not held."""
        await self._run(self._load)
        self._train_if_due()

    async def close(self) -> None:
        """End what is being trained, and let the thread finish."""
        if self._trainer:
            self._trainer.cancel()
            await asyncio.gather(self._trainer, return_exceptions=True)
        await self._run(self._rows.close)
        await asyncio.to_thread(self._thread.shutdown)

    async def held(self) -> Ids:
        """The ids of the slots in use."""
        ids = self._rows.ids
        return np.sort(ids[ids != ERASED])

    async def apply(self, ids: Ids, contents: Sequence[Vector], *, remove: Ids) -> None:
        """Blank what goes or is replaced, then append."""
        await self._run(lambda: self._apply(ids, contents, remove))
        self._train_if_due()

    async def search(self, question: Vector, *, scope: Scope, limit: int) -> Sequence[Hit]:
        """Scan few, look into the nearest lists of many; scores are exact either way."""
        return await self._run(lambda: self._search(question, scope, limit))

    async def save(self) -> None:
        """Wait until the rows are on disk."""
        if self._persist:
            await self._run(self._save)
            self._train_if_due()

    async def faults(self) -> Sequence[str]:
        """Read everything that is kept, in slices between searches, and check its sums."""
        damaged, live = 0, self._rows.live
        for start in range(0, len(live), CHECKED):
            some = live[start : start + CHECKED]
            damaged += len(await self._run(partial(self._damaged, some)))
        found = [f"{damaged} vectors are not what was written"] if damaged else []
        if self._lists and (lists := len(await self._run(self._lists.damaged))):
            found.append(f"{lists} lists are not what was written")
        return found

    async def trained(self) -> None:
        """Return when no lists are being made."""
        while self._trainer and not self._trainer.done():
            await asyncio.wait([self._trainer])

    async def _run(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    # What follows runs on the thread.

    def _apply(self, ids: Ids, contents: Sequence[Vector], remove: Ids) -> None:
        self._require_rows()
        gone = np.concatenate([ids, remove])
        slots = np.flatnonzero(np.isin(self._rows.ids, gone)) if len(self._rows.ids) else gone[:0]
        if len(slots):
            if self._lists:
                self._lists.erase(slots)
            self._rows.erase(slots)
        if len(ids):
            self._rows.append(ids, np.asarray(contents, np.float32))

    def _search(self, question: Vector, scope: Scope, limit: int) -> Sequence[Hit]:
        selection = self._visibility.select(scope)
        allowed = self._masks.allowed(self._rows.ids, selection)
        seen = int(np.count_nonzero(allowed))
        if seen == 0:
            return []
        question = np.ascontiguousarray(question, np.float32)
        if seen <= SCANNED and seen * REST < len(allowed):
            slots = np.flatnonzero(allowed)
            scores = cosines(self._rows.gather(slots), question)
        else:
            slots, scores = self._candidates(question, selection, allowed, min(limit, seen))
        if (wrong := ~(np.abs(scores) <= 1 + ROUNDED)).any():
            slots, scores = self._without(slots, scores, wrong)
        best = np.lexsort((self._rows.ids[slots], -scores))[:limit]
        return [
            Hit(chunk_id, score)
            for chunk_id, score in zip(
                self._rows.ids[slots[best]].tolist(), scores[best].tolist(), strict=True
            )
        ]

    def _without(self, slots: Slots, scores: Vector, wrong: Mask) -> tuple[Slots, Vector]:
        """What is left without vectors that cannot be of unit length: the disk changed them."""
        log.error(
            "index_corrupt",
            index="faiss",
            lost=int(np.count_nonzero(wrong)),
            action="left out: start the server again",
        )
        return slots[~wrong], scores[~wrong]

    def _candidates(
        self, question: Vector, selection: Selection, allowed: Mask, count: int
    ) -> tuple[Slots, Vector]:
        """The best of the rest, by scanning it, and probably the best of the lists."""
        start, found = 0, []
        if self._lists:
            start = self._lists.slots
            near = self._lists.search(question, self._sight(selection, allowed), count + SPARE)
            left_out = self._uncovered[allowed[self._uncovered]]
            slots = np.sort(np.concatenate([near, left_out]))
            found.append((slots, cosines(self._rows.gather(slots), question)))
        for first, rows in self._rows.stretches(start):
            found.append(scan(question, rows, allowed[first : first + len(rows)], count, first))
        return (
            np.concatenate([slots for slots, _ in found]),
            np.concatenate([scores for _, scores in found]),
        )

    def _sight(self, selection: Selection, allowed: Mask) -> Sight:
        assert self._lists
        known, sight = self._sights.get(selection, (None, None))
        if known is not allowed or sight is None:
            sight = self._lists.sight(allowed, [one for _, one in self._sights.values()])
            self._sights[selection] = (allowed, sight)
        return sight

    def _require_rows(self) -> None:
        """Files to write to, made by the first change."""
        if self._persist and not self._rows.name:
            self._folder.mkdir(parents=True, exist_ok=True)
            rows = VectorRows(self._dimension, writes=True)
            rows.create(self._folder)
            self._rows = rows
            self._name_files()
            self._tidy()

    def _save(self) -> None:
        if self._rows.name:
            self._rows.flush()
            self._name_files()

    def _name_files(self) -> None:
        """Point the manifest to the files in use; no other file counts from then on."""
        lists = self._lists and {
            "name": self._lists.name,
            "slots": self._lists.slots,
            "trained_for": self._trained_for,
        }
        manifest = {
            "format": FORMAT,
            "dimension": self._dimension,
            "rows": self._rows.name,
            "slots": len(self._rows.ids),
            "lists": lists,
        }
        path = self._folder / MANIFEST
        beside = path.with_suffix(".part")
        with beside.open("wb") as file:
            file.write(json.dumps(manifest).encode())
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)

    def _load(self) -> None:
        for _ in range(READ_ATTEMPTS):
            try:
                return self._read()
            except FileNotFoundError:  # replaced by the process that holds the lease
                reason = "files missing"
                continue
            except DAMAGE as error:
                reason = str(error)
                break
        log.warning("index_corrupt", index="faiss", reason=reason, action="rebuilding")
        self._rows = VectorRows(self._dimension, writes=False)
        self._lists = None
        return None

    def _read(self) -> None:
        if not (self._folder / MANIFEST).exists():
            self._tidy()
            return
        manifest = json.loads((self._folder / MANIFEST).read_bytes())
        if manifest["format"] != FORMAT or manifest["dimension"] != self._dimension:
            raise ValueError("the index is of another format or dimension")
        rows = VectorRows(self._dimension, writes=self._persist)
        damaged = rows.load(self._folder, manifest["rows"])
        lost = max(0, manifest["slots"] - len(rows.ids)) + damaged
        lists = self._read_lists(manifest["lists"], len(rows.ids))
        rest = rows.live[rows.live >= (lists.slots if lists else 0)]
        torn = rows.damaged(rest)
        if len(torn):
            rows.erase(torn)
        if lost + len(torn):
            log.warning("index_corrupt", index="faiss", lost=lost + len(torn), action="rebuilding")
        self._adopt(rows, lists, (manifest["lists"] or {}).get("trained_for", 0))
        self._tidy()

    def _read_lists(self, named: dict[str, Any] | None, slots: int) -> InvertedLists | None:
        if named is None:
            return None
        try:
            if named["slots"] > slots:  # which the rows lost
                return None
            return InvertedLists(
                self._folder,
                named["name"],
                dimension=self._dimension,
                slots=named["slots"],
                writes=self._persist,
            )
        except DAMAGE as error:
            log.warning("index_corrupt", index="faiss", reason=str(error), action="rebuilding")
            return None

    def _adopt(self, rows: VectorRows, lists: InvertedLists | None, trained_for: int) -> None:
        self._rows, self._lists, self._trained_for = rows, lists, trained_for
        self._uncovered = np.empty(0, np.int64)
        self._sights.clear()  # which were of the former lists
        if lists:
            self._uncovered = np.flatnonzero(~lists.covered & (rows.ids[: lists.slots] != ERASED))

    def _tidy(self) -> None:
        """Erase what a crash, or an earlier format, left beside the files in use."""
        if self._persist and self._folder.exists():
            names = [self._rows.name, self._lists.name if self._lists else ""]
            remove(self._folder, [MANIFEST, *(f"{name}." for name in names if name)])

    def _damaged(self, slots: Slots) -> Slots:
        """Those of the slots that are damaged, and were not blanked meanwhile."""
        slots = slots[slots < len(self._rows.ids)]
        return self._rows.damaged(slots[self._rows.ids[slots] != ERASED])

    # What follows makes lists, in a process of their own.

    def _train_if_due(self) -> None:
        idle = self._trainer is None or self._trainer.done()
        if self._persist and idle and time.monotonic() >= self._not_before and self._due():
            self._trainer = asyncio.create_task(self._train(), name="train lists")

    def _due(self) -> bool:
        """Whether too much lies beside the lists, or too much of the rows is waste."""
        ids, least = self._rows.ids, self._plan.exact_until
        listed = self._lists.slots if self._lists else 0
        if len(ids) - listed + len(self._uncovered) < max(least, listed // REST):
            return False
        live = int(np.count_nonzero(ids != ERASED))
        waste = len(ids) - live
        return live >= least or waste * REST > len(ids)

    async def _train(self) -> None:
        """Make lists until they cover nearly everything: more may have come meanwhile."""
        try:
            while self._due():
                await self._train_once()
        except (OSError, ValueError, RuntimeError) as error:
            self._not_before = time.monotonic() + AGAIN_S
            await self._run(self._tidy)
            log.warning("index_training_failed", index="faiss", reason=str(error))

    async def _train_once(self) -> None:
        began = time.monotonic()
        await self._run(self._rows.flush)
        before = self._rows.ids
        order = self._ordered(before)
        outcome = await carried_out(order)
        made = await asyncio.to_thread(self._opened, order, outcome)
        await self._run(lambda: self._swap(made, before))
        log.info(
            "index_trained",
            index="faiss",
            vectors=outcome.slots,
            seconds=round(time.monotonic() - began, 1),
        )

    def _ordered(self, ids: Ids) -> Order:
        waste = int(np.count_nonzero(ids == ERASED))
        return Order(
            folder=str(self._folder),
            rows=self._rows.name,
            slots=len(ids),
            least=self._plan.exact_until,
            dimension=self._dimension,
            target=f"lists-{secrets.token_hex(8)}",
            compact=waste * REST > len(ids),
            trained=self._lists.name if self._lists else None,
            trained_for=self._trained_for,
            niceness=self._plan.niceness,
            threads=self._plan.threads or len(os.sched_getaffinity(0)),
        )

    def _opened(self, order: Order, outcome: Outcome) -> _Made:
        """What another process wrote, checked and mapped: not on the thread that searches."""
        rows = None
        if outcome.rows != order.rows:
            rows = VectorRows(self._dimension, writes=True)
            rows.load(self._folder, outcome.rows)
        if not outcome.trained_for:
            return _Made(rows, None, 0)
        lists = InvertedLists(
            self._folder,
            order.target,
            dimension=self._dimension,
            slots=outcome.slots,
            writes=True,
        )
        return _Made(rows, lists, outcome.trained_for)

    def _swap(self, made: _Made, before: Ids) -> None:
        """Use the new lists; what changed since they were ordered is made up for."""
        old, now = self._rows, self._rows.ids
        died = np.flatnonzero((before != ERASED) & (now[: len(before)] == ERASED))
        if made.rows:
            died = _replayed(made.rows, old, len(before))
        if made.lists:
            made.lists.erase(died)
        self._adopt(made.rows or old, made.lists, made.trained_for)
        self._name_files()
        if made.rows:
            old.close()
        self._tidy()


def _replayed(rows: VectorRows, old: VectorRows, ordered: int) -> Slots:
    """Bring rows that were written anew to what the old ones hold now; the slots that were blanked.

    They were read at some moment after they were ordered: what they hold is told by its ids.
    """
    then, since = old.ids[:ordered], old.ids[ordered:]
    died = np.flatnonzero((rows.ids != ERASED) & ~np.isin(rows.ids, then[then != ERASED]))
    if len(died):
        rows.erase(died)
    lacking = np.flatnonzero((then != ERASED) & ~np.isin(then, rows.ids))
    fresh = np.concatenate([lacking, ordered + np.flatnonzero(since != ERASED)])
    rows.append(old.ids[fresh], old.gather(fresh))
    rows.flush()
    return died


class FaissStore:
    """`orchestrator.ports.indexes.VectorStore` below one folder."""

    shared = False

    def __init__(self, folder: Path, training: Training = Training()) -> None:
        self._folders = IndexFolders(folder)
        self._plan = training

    @asynccontextmanager
    async def open(
        self, key: IndexKey, visibility: Visibility, *, persist: bool
    ) -> AsyncIterator[FaissVectors]:
        """Load what is stored; without `persist`, never write."""
        with self._folders.using(key) as folder:
            index = FaissVectors(key, visibility, folder, persist=persist, training=self._plan)
            try:
                await index.load()
                yield index
            finally:
                await index.close()

    async def prune(self, workspace: str) -> None:
        """Erase the folders of indexes that are not open."""
        await self._folders.prune(workspace)

    async def drop(self, workspace: str) -> None:
        """Erase the workspace's folder."""
        await self._folders.drop(workspace)
