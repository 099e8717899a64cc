"""How likely passages answer, and how likely an answer is right: fitted, not invented."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.answering.lexical import Place
from orchestrator.domain.passages import Passage
from orchestrator.domain.words import words

FITTED: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""The digest of the embedder whose cosines the models were fitted on: all-MiniLM-L6-v2."""


@dataclass(frozen=True, slots=True)
class Logistic:
    """A logistic model of what is known by name."""

    bias: float
    weights: Mapping[str, float]

    def of(self, known: Mapping[str, float]) -> float | None:
        """The probability, or none where something that it needs is not known."""
        if not self.weights.keys() <= known.keys():
            return None
        z = self.bias + sum(weight * known[name] for name, weight in self.weights.items())
        return 1 / (1 + math.exp(-z))


# Fitted by `benchmarks/confidence.py` on half of the articles of SQuAD 1.1 dev, with every fifth
# question asked without the article that answers it; measured on the other half.
ANSWERS: Final = Logistic(-8.8, {"cosine": 9.74, "coverage": 7.18, "names": 0.65})
ANSWERS_BY_WORDS: Final = Logistic(-5.42, {"coverage": 8.93, "names": 1.01})
"""That the passages found answer the question; without vectors, by words alone."""
RIGHT: Final = {
    "extractive": Logistic(-4.87, {"evidence": 6.85}),
}
"""That an answer is right, by the kind of generator that gave it, with its default options."""
TOLD: Final = frozenset({"evidence", "grounding"})
"""What is known of an answer without another look at what was found: as its generator told it."""


async def known_of(
    question: str, passages: Sequence[Passage], *, vectors: bool
) -> dict[str, float]:
    """What retrieval says of itself; gives way to others between passages.

    `cosine` is the best, where the vectors are those that models were fitted on; `coverage` the
    share of the question's words in the passage that has most of them, and `names` that of its
    names and numbers. Of no passages, nothing is known.
    """
    if not passages:
        return {}
    wanted = words(question)
    read = []
    for one in passages:
        read.append(_whole(one))
        await asyncio.sleep(0)
    named = [one for one in wanted if one.kind != "plain"]
    known = {
        "coverage": max(one.share(wanted) for one in read) if wanted else 0.0,
        "names": max(one.share(named) for one in read) if named else 1.0,
    }
    cosines = [one.stages["dense"].score for one in passages if "dense" in one.stages]
    if vectors and cosines:
        known["cosine"] = max(cosines)
    return known


def _whole(passage: Passage) -> Place:
    chunk = passage.chunk
    return Place.of(f"{chunk.title}\n{chunk.section or ''}\n{chunk.text}")


def evidence(known: Mapping[str, float]) -> float:
    """How likely what was found answers, in [0, 1]."""
    by_meaning = ANSWERS.of(known)
    return by_meaning if by_meaning is not None else ANSWERS_BY_WORDS.of(known) or 0.0
