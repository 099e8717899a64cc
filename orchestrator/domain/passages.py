"""What a search finds: hits by chunk id, and passages with their text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.domain.documents import Chunk
from orchestrator.domain.understanding import Understood
from orchestrator.domain.workspaces import Fusion


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that an index found; a higher score is better, on the index's own scale."""

    chunk_id: int
    score: float


@dataclass(frozen=True, slots=True)
class StageScore:
    """The raw score and the rank, from 1, that one stage gave a passage."""

    score: float
    rank: int


@dataclass(frozen=True, slots=True)
class Share:
    """What one stage gave to a fused score: a value on the scale of all, times its weight."""

    weight: float
    value: float
    found: bool


@dataclass(frozen=True, slots=True)
class Candidate:
    """A chunk chosen by a retriever: its score in [0, 1], and what each stage said of it.

    `shares` are there where an explanation is wanted.
    """

    chunk_id: int
    score: float
    stages: Mapping[str, StageScore] = field(default_factory=dict)
    shares: Mapping[str, Share] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk with the score, in [0, 1], that ranks it within one answer."""

    chunk: Chunk
    score: float
    stages: Mapping[str, StageScore] = field(default_factory=dict)
    shares: Mapping[str, Share] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Made:
    """What made a retrieval: the kinds of its stages, and the state of the workspace it saw."""

    retriever: str
    reranker: str
    revision: int
    config_version: int


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Passages, best first, and the names of the dependencies that did not take part.

    `fusion` holds the weights of this question, where two rankings were fused; `why` are reasons
    by chunk id, where they were asked for.
    """

    passages: Sequence[Passage]
    degraded: tuple[str, ...] = ()
    understood: Understood | None = None
    fusion: Fusion | None = None
    why: Mapping[int, Sequence[str]] = field(default_factory=dict)
    made: Made | None = None
