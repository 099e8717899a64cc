"""A retriever for tests and demonstrations: the share of the question's words that a chunk has."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Final
from weakref import WeakKeyDictionary

import numpy as np
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from adapters.analysis import terms
from orchestrator.domain.documents import Upload
from orchestrator.domain.errors import Misconfigured
from orchestrator.domain.filters import Scalar
from orchestrator.domain.identity import EVERYONE, Scope
from orchestrator.domain.passages import Hit
from orchestrator.ports.arrays import Ids
from orchestrator.ports.indexes import IndexKey, Selection, Visibility

ENOUGH: Final = 0.5
"""The share of a question's words below which a chunk is no hit."""


class OverlapIndex:
    """`orchestrator.ports.indexes.KeywordIndex` over sets of words."""

    def __init__(self, visibility: Visibility) -> None:
        self._visibility = visibility
        self._words: dict[int, frozenset[str]] = {}
        self._chunks: defaultdict[str, set[int]] = defaultdict(set)
        self._seen: WeakKeyDictionary[Selection, frozenset[int]] = WeakKeyDictionary()

    async def held(self) -> Ids:
        """The ids of the sets."""
        return np.array(sorted(self._words), np.int64)

    async def apply(self, ids: Ids, contents: Sequence[str], *, remove: Ids) -> None:
        """Replace sets."""
        for chunk_id in [*remove.tolist(), *ids.tolist()]:
            for word in self._words.pop(chunk_id, ()):
                self._chunks[word].discard(chunk_id)
        for chunk_id, text in zip(ids.tolist(), contents, strict=True):
            words = self._words[chunk_id] = frozenset(terms(text))
            for word in words:
                self._chunks[word].add(chunk_id)

    async def search(self, question: str, *, scope: Scope, limit: int) -> Sequence[Hit]:
        """Count shared words; a hit's score is their share of the question's."""
        words = set(terms(question))
        shared = Counter(
            chunk_id for word in words if word in self._chunks for chunk_id in self._chunks[word]
        )
        selection = self._visibility.select(scope)
        seen = self._seen.get(selection)
        if seen is None:
            seen = self._seen[selection] = frozenset(selection.ids.tolist())
        hits = [
            Hit(chunk_id, count / len(words))
            for chunk_id, count in shared.items()
            if chunk_id in seen and count >= ENOUGH * len(words)
        ]
        return sorted(hits, key=lambda hit: (-hit.score, hit.chunk_id))[:limit]

    async def save(self) -> None:
        """Nothing to save."""

    async def faults(self) -> Sequence[str]:
        """Nothing is kept that could be damaged."""
        return ()


class OverlapStore:
    """`orchestrator.ports.indexes.KeywordStore` of indexes in memory."""

    shared = False

    @asynccontextmanager
    async def open(
        self, key: IndexKey, visibility: Visibility, *, persist: bool
    ) -> AsyncIterator[OverlapIndex]:
        """An empty index."""
        yield OverlapIndex(visibility)

    async def prune(self, workspace: str) -> None:
        """Nothing is kept."""

    async def drop(self, workspace: str) -> None:
        """Nothing is kept."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    source_id: str
    title: str
    text: str
    metadata: dict[str, Scalar | list[Scalar] | None] = {}
    acl: list[str] = [EVERYONE]


def read_corpus(path: Path) -> list[Upload]:
    """The documents of a JSON corpus: a list of `{source_id, title, text, metadata?, acl?}`.

    Raises:
        Misconfigured: when the file is missing or is not of that form.
    """
    try:
        entries = TypeAdapter(list[_Entry]).validate_python(json.loads(path.read_bytes()))
    except (OSError, ValueError, ValidationError) as error:
        raise Misconfigured(f"the mock retriever's corpus cannot be read: {error}") from error
    return [
        Upload(
            source_id=entry.source_id,
            content=BytesIO(entry.text.encode()),
            filename=f"{entry.source_id}.txt",
            title=entry.title,
            metadata=entry.metadata,
            acl=frozenset(entry.acl),
        )
        for entry in entries
    ]
