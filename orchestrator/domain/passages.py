"""What a search finds: hits by chunk id, and passages with their text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.domain.documents import Chunk
from orchestrator.domain.understanding import Understood


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
class Candidate:
    """A chunk chosen by a retriever: its score in [0, 1], and what each stage said of it."""

    chunk_id: int
    score: float
    stages: Mapping[str, StageScore] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk with the score, in [0, 1], that ranks it within one answer."""

    chunk: Chunk
    score: float
    stages: Mapping[str, StageScore] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Passages, best first, and the names of the dependencies that did not take part."""

    passages: Sequence[Passage]
    degraded: tuple[str, ...] = ()
    understood: Understood | None = None
