"""Workspaces and their immutable, versioned configuration."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

from orchestrator.domain.errors import Rejected

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?")


_STRICT: Final = {"extra": "forbid"}
"""Read by whoever validates these from outside: a field that is not known is refused."""


@dataclass(frozen=True, slots=True)
class Fusion:
    """How two rankings become one: by rank (`rrf`) or by normalised score (`weighted`).

    `weights` apply to both methods; `k` is reciprocal rank fusion's constant (Cormack et al.,
    SIGIR 2009); `normalise` puts scores of different stages on one scale.
    """

    __pydantic_config__ = _STRICT

    method: Literal["rrf", "weighted"] = "weighted"
    normalise: Literal["zscore", "minmax"] = "zscore"
    dense: float = 0.5
    keyword: float = 0.5
    k: int = 60

    def __post_init__(self) -> None:
        if min(self.dense, self.keyword) < 0 or self.dense + self.keyword == 0 or self.k < 1:
            raise ValueError("fusion weights must not be negative nor all zero, and k at least 1")


@dataclass(frozen=True, slots=True)
class Chunking:
    """How documents are cut: at most `tokens` of the embedding model, `overlap` of them shared.

    `recursive` cuts between paragraphs, else sentences, else tokens; `sentence` between sentences;
    `structure` follows headings, pages and tables too; `semantic` cuts where the topic shifts.
    """

    __pydantic_config__ = _STRICT

    strategy: Literal["recursive", "sentence", "structure", "semantic"] = "structure"
    tokens: int = 256
    overlap: int = 0

    def __post_init__(self) -> None:
        if not 16 <= self.tokens <= 8192 or not 0 <= self.overlap < self.tokens // 2:
            raise ValueError("chunks hold 16 to 8192 tokens, and overlap by less than half of them")


@dataclass(frozen=True, slots=True)
class Footing:
    """What a workspace's chunks and indexes stand on: what a re-indexing changes."""

    embedder: str
    vectors: str
    keywords: str
    chunking: Chunking
    generation: int


@dataclass(frozen=True, slots=True)
class WorkspaceConfig:
    """Which named backends serve a workspace, and how; `generation` counts re-indexings."""

    __pydantic_config__ = _STRICT

    cache: str = "default"
    embedder: str = "default"
    vectors: str = "default"
    keywords: str = "default"
    retriever: str = "default"
    reranker: str = "default"
    generator: str = "default"
    fusion: Fusion = Fusion()
    chunking: Chunking = Chunking()
    depth: int = 100
    generation: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.depth <= 1000 or self.generation < 1:
            raise ValueError("depth is 1 to 1000 candidates a side, and generation at least 1")

    @property
    def footing(self) -> Footing:
        """What its chunks and indexes stand on."""
        return Footing(self.embedder, self.vectors, self.keywords, self.chunking, self.generation)

    def on(self, footing: Footing) -> WorkspaceConfig:
        """The same configuration on another footing."""
        return replace(
            self,
            embedder=footing.embedder,
            vectors=footing.vectors,
            keywords=footing.keywords,
            chunking=footing.chunking,
            generation=footing.generation,
        )

    def shares_chunks_with(self, other: WorkspaceConfig) -> bool:
        """Whether documents indexed under one configuration serve the other as they are."""
        return (self.embedder, self.chunking, self.generation) == (
            other.embedder,
            other.chunking,
            other.generation,
        )


@dataclass(frozen=True, slots=True)
class Workspace:
    """A workspace at a revision; `uid` is never reused, even where a name is."""

    uid: str
    name: str
    revision: int
    config: WorkspaceConfig
    config_version: int
    created_at: datetime


def workspace_name(raw: str) -> str:
    """The name itself, if it is one.

    Raises:
        Rejected: if it is not 1 to 64 of a-z, 0-9, hyphen and underscore.
    """
    if not _NAME.fullmatch(raw):
        raise Rejected(
            f"workspace {raw[:80]!r} is not a name: use 1 to 64 of a-z, 0-9, '-' and '_'",
            code="invalid_workspace",
            field="workspace",
        )
    return raw
