"""What a reranker reads of a passage, and the passages as it judged them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from orchestrator.domain.documents import Chunk
from orchestrator.domain.passages import Passage, StageScore

STAGE: Final = "reranker"


def read_of(chunk: Chunk) -> str:
    """The text; of a question with its answer, both."""
    return f"{chunk.section}\n{chunk.text}" if chunk.asked else chunk.text


def ranked(
    passages: Sequence[Passage], scores: Sequence[float], *, limit: int
) -> Sequence[Passage]:
    """The best `limit` by these scores, in [0, 1], now their own; ties keep their order."""
    order = sorted(range(len(passages)), key=lambda at: -scores[at])
    return [
        replace(
            passages[at],
            score=scores[at],
            stages={**passages[at].stages, STAGE: StageScore(scores[at], rank)},
        )
        for rank, at in enumerate(order[:limit], start=1)
    ]
