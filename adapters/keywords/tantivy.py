"""A keyword index in tantivy: BM25 over stems, persistent and incremental."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import struct
import zlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt
import structlog
from tantivy import Index, Occur, Query, Searcher

from adapters.folders import IndexFolders
from adapters.keywords.reading import ENGLISH, SCHEMA, Reading
from adapters.masks import Mask, Masks
from adapters.scratch import scratch
from orchestrator.domain.errors import Unavailable
from orchestrator.domain.identity import Scope
from orchestrator.domain.passages import Hit
from orchestrator.ports.arrays import Ids, Room
from orchestrator.ports.indexes import IndexKey, Visibility

log = structlog.get_logger(__name__)
Result = TypeVar("Result")

HEAP_BYTES: Final = 32_000_000
FOOTER_MAGIC: Final = 1337
COPY_ATTEMPTS: Final = 5
SEGMENT: Final = ("idx", "pos", "term", "store", "fast", "fieldnorm")
DAMAGE: Final = (OSError, ValueError, KeyError, TypeError, AttributeError)
"""What reading damaged files may raise, tantivy's own errors (ValueError) among them."""
BUSY: Final = "LockBusy"
"""How tantivy says that an index has a writer already, which is no damage."""
LONG_WORD: Final = 8
"""A word of so many letters may be misspelled in two of them."""

MANY: Final = 50_000
COMMON: Final = 0.5
"""Among so many chunks, a word that more than this part of them has tells nothing, and costs most.

Its weight in BM25 is below a tenth of that of a word that one in a thousand has.
"""
REMEMBERED: Final = 10_000
SPARE: Final = 50
FURTHER: Final = 8
"""How much more is ranked where what may be seen did not suffice."""
TERM_COST: Final = 4
"""To look up one id more costs about as much as to rank so many texts more."""


@dataclass(frozen=True, slots=True)
class _View:
    """One commit as searches see it, with the ids that it holds, ascending."""

    searcher: Searcher
    ids: Ids
    shares: dict[str, float] = field(default_factory=dict)

    def share(self, word: str) -> float:
        """In how many of the chunks a stem is."""
        share = self.shares.get(word)
        if share is None:
            while len(self.shares) >= REMEMBERED:
                self.shares.pop(next(iter(self.shares)))
            share = self.shares[word] = self.searcher.doc_freq("text", word) / len(self.ids)
        return share


class TantivyKeywords:
    """`orchestrator.ports.indexes.KeywordIndex`; one thread changes it, another searches."""

    def __init__(
        self, index: Index, folder: Path, visibility: Visibility, reading: Reading
    ) -> None:
        index.register_tokenizer(reading.language, reading.analyzer)
        self._reading = reading
        self._index = index
        self._folder = folder
        self._visibility = visibility
        self._masks = Masks()
        self._changing = ThreadPoolExecutor(1, thread_name_prefix="tantivy write")
        self._searching = ThreadPoolExecutor(1, thread_name_prefix="tantivy read")
        self._writer = index.writer(HEAP_BYTES, 1)
        searcher = index.searcher()
        self._room = Room[Ids]()
        self._view = _View(searcher, self._joined(np.empty(0, np.int64), _stored(searcher)))

    async def close(self) -> None:
        """Wait for segment merges, and let go of the writer's lock."""
        await _on(self._changing, self._writer.wait_merging_threads)
        for threads in (self._changing, self._searching):
            await asyncio.to_thread(threads.shutdown)

    async def held(self) -> Ids:
        """The ids in the last commit."""
        return self._view.ids

    async def apply(self, ids: Ids, contents: Sequence[str], *, remove: Ids) -> None:
        """Delete and add in one commit."""
        await _on(self._changing, lambda: self._apply(ids, contents, remove))

    async def search(self, question: str, *, scope: Scope, limit: int) -> Sequence[Hit]:
        """Any of the question's words; the query is built from tokens, never parsed."""
        return await _on(self._searching, lambda: self._search(question, scope, limit))

    async def near(
        self, words: Sequence[str], *, scope: Scope, limit: int
    ) -> Mapping[str, Sequence[int]]:
        """By Levenshtein automata over stems: one change, or two of eight letters and more."""
        return await _on(self._searching, lambda: self._near(words, scope, limit))

    def terms(self, text: str) -> Sequence[str]:
        """What the analyser of the index makes of it."""
        return self._reading.words(text)

    async def save(self) -> None:
        """Commits are durable already."""

    async def faults(self) -> Sequence[str]:
        """Check every file of the last commit."""
        return await _on(self._changing, lambda: _faults(self._folder))

    def _apply(self, ids: Ids, contents: Sequence[str], remove: Ids) -> None:
        held = self._view.ids
        touched = np.union1d(ids, remove)
        at = np.searchsorted(held, touched)
        there = at < len(held)
        there[there] = held[at[there]] == touched[there]
        for chunk_id in touched[there].tolist():
            self._writer.delete_documents_by_term("id", chunk_id)
        for chunk_id, text in zip(ids.tolist(), contents, strict=True):
            self._writer.add_json(json.dumps({"id": chunk_id, "text": text}))
        self._writer.commit()
        self._index.reload()
        left = np.delete(held, at[there]) if there.any() else held
        self._view = _View(self._index.searcher(), self._joined(left, np.unique(ids)))

    def _joined(self, held: Ids, new: Ids) -> Ids:
        """All of them, ascending; new ones mostly follow the others."""
        if not len(held) or not len(new) or new[0] > held[-1]:
            return self._room.extended(held, new)
        return np.insert(held, np.searchsorted(held, new), new)

    def _search(self, question: str, scope: Scope, limit: int) -> Sequence[Hit]:
        view = self._view
        words = self._reading.words(question)
        allowed = self._masks.allowed(view.ids, self._visibility.select(scope))
        if not words or not allowed.any():
            return []
        if len(view.ids) >= MANY:
            words = [word for word in words if view.share(word) <= COMMON] or words
        return _hits(*_best(view, self._reading.any_of(words), allowed, limit))

    def _near(self, words: Sequence[str], scope: Scope, limit: int) -> Mapping[str, Sequence[int]]:
        view = self._view
        allowed = self._masks.allowed(view.ids, self._visibility.select(scope))
        found: dict[str, Sequence[int]] = {}

        def holding(query: Query, count: int) -> Sequence[int]:
            ids: list[int] = _best(view, query, allowed, count)[0].tolist()
            return ids

        for word in words if allowed.any() else ():
            stems = self._reading.words(word)
            if len(stems) != 1 or holding(self._reading.term(stems[0]), 1):
                continue
            for changes in range(1, 3 if len(word) >= LONG_WORD else 2):
                if chunks := holding(self._reading.alike(stems[0], changes), limit):
                    found[word] = chunks
                    break
        return found


class TantivyStore:
    """`orchestrator.ports.indexes.KeywordStore` below one folder.

    tantivy allows one writer: a process without the lease works on a copy made of hard links.
    """

    shared = False

    def __init__(self, folder: Path, reading: Reading = ENGLISH) -> None:
        self._folders = IndexFolders(folder)
        self._reading = reading

    @asynccontextmanager
    async def open(
        self, key: IndexKey, visibility: Visibility, *, persist: bool
    ) -> AsyncIterator[TantivyKeywords]:
        """Open what is stored if every file of it is intact, else begin anew."""
        with (
            self._folders.using(self._reading.key(key)) as stored,
            nullcontext() if persist else scratch("rag-tantivy-") as temporary,
        ):
            folder = temporary / "index" if temporary else stored
            if not persist:
                await asyncio.to_thread(_copy, stored, folder)
            index = await asyncio.to_thread(_opened, folder, visibility, self._reading)
            try:
                yield index
            finally:
                await index.close()

    async def prune(self, workspace: str) -> None:
        """Erase the folders of indexes that are not open."""
        await self._folders.prune(workspace)

    async def drop(self, workspace: str) -> None:
        """Erase the workspace's folder."""
        await self._folders.drop(workspace)


async def _on(threads: ThreadPoolExecutor, work: Callable[[], Result]) -> Result:
    return await asyncio.get_running_loop().run_in_executor(threads, work)


def _stored(searcher: Searcher) -> Ids:
    """The ids of everything in a commit, ascending."""
    count = searcher.num_docs
    if count == 0:
        return np.empty(0, np.int64)
    found = searcher.search(Query.all_query(), limit=count, count=False)
    ids = searcher.fast_field_values("id", [address for _, address in found.hits])
    return np.sort(np.array(ids, np.int64))


def _best(
    view: _View, query: Query, allowed: Mask, limit: int
) -> tuple[Ids, npt.NDArray[np.float64]]:
    """The best `limit` of what is allowed: few are named to tantivy, of many more are ranked."""
    seen = int(np.count_nonzero(allowed))
    if seen == len(allowed):
        return _ranked(view, query, limit)
    wanted = SPARE + 3 * limit * len(allowed) // (2 * seen)
    if seen * TERM_COST < wanted:
        return _ranked(view, _within(query, view.ids[allowed]), limit)
    while True:
        ids, scores = _ranked(view, query, wanted)
        shown = allowed[np.searchsorted(view.ids, ids)]
        if np.count_nonzero(shown) >= limit or len(ids) < wanted:
            return ids[shown][:limit], scores[shown][:limit]
        wanted *= FURTHER


def _ranked(view: _View, query: Query, limit: int) -> tuple[Ids, npt.NDArray[np.float64]]:
    """The best `limit` of everything that a query finds: their ids, and their scores.

    Equals stand in the order of their ids: tantivy's own order changes whenever it merges.
    """
    hits = view.searcher.search(query, limit=limit, count=False).hits
    found = view.searcher.fast_field_values("id", [address for _, address in hits])
    ids, scores = np.array(found, np.int64), np.array([score for score, _ in hits])
    order = np.lexsort((ids, -scores))
    return ids[order], scores[order]


def _hits(ids: Ids, scores: npt.NDArray[np.float64]) -> list[Hit]:
    return [Hit(*one) for one in zip(ids.tolist(), scores.tolist(), strict=True)]


def _within(query: Query, ids: Ids) -> Query:
    """The query, asked of some ids alone."""
    seen = Query.term_set_query(SCHEMA, "id", ids.tolist())
    return Query.boolean_query(
        [(Occur.Must, query), (Occur.Must, Query.const_score_query(seen, 0.0))]
    )


def _opened(folder: Path, visibility: Visibility, reading: Reading) -> TantivyKeywords:
    try:
        _verify(folder)
        return _made(folder, visibility, reading)
    except DAMAGE as error:
        if BUSY in str(error):
            raise Unavailable("the keyword index", "another writer holds it") from error
        log.warning("index_corrupt", index="tantivy", reason=repr(error), action="rebuilding")
        shutil.rmtree(folder)
    return _made(folder, visibility, reading)


def _made(folder: Path, visibility: Visibility, reading: Reading) -> TantivyKeywords:
    folder.mkdir(parents=True, exist_ok=True)
    return TantivyKeywords(Index(reading.schema, path=str(folder)), folder, visibility, reading)


def _verify(folder: Path) -> None:
    """Check the checksum that tantivy writes at the end of every segment file."""
    if not folder.exists():
        return
    for path in _segment_files(folder):
        data = path.read_bytes()
        length, magic = struct.unpack("<II", data[-8:]) if len(data) > 8 else (0, 0)
        if magic != FOOTER_MAGIC or length > len(data) - 8:
            raise ValueError(f"{path.name} has no footer")
        footer = json.loads(data[-8 - length : -8])
        if zlib.crc32(data[: -8 - length]) != footer["crc"]:
            raise ValueError(f"the checksum of {path.name} does not match")


def _faults(folder: Path) -> Sequence[str]:
    try:
        _verify(folder)
    except DAMAGE as error:
        return (str(error),)
    return ()


def _segment_files(folder: Path) -> list[Path]:
    meta = json.loads((folder / "meta.json").read_bytes())
    files = []
    for segment in meta["segments"]:
        name = segment["segment_id"].replace("-", "")
        parts = list(SEGMENT)
        if segment.get("deletes"):
            parts.append(f"{segment['deletes']['opstamp']}.del")
        files += [folder / f"{name}.{part}" for part in parts]
    for path in files:
        if not path.is_file():
            raise ValueError(f"{path.name} is missing")
    return files


def _copy(source: Path, target: Path) -> None:
    for _ in range(COPY_ATTEMPTS):
        shutil.rmtree(target, ignore_errors=True)
        if not (source / "meta.json").exists():
            return
        target.mkdir()
        try:
            shutil.copy(source / "meta.json", target)
            for path in _segment_files(source):
                _link(path, target / path.name)
            _verify(target)
        except DAMAGE:  # or merged away by the process that holds the lease
            continue
        return
    log.warning("index_copy_failed", index="tantivy", action="rebuilding")
    shutil.rmtree(target, ignore_errors=True)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy(source, target)
