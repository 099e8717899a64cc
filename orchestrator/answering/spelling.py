"""Spelling: a word that nothing holds is read as one that stands in what the caller may see."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from orchestrator.answering.retrieval import Reader
from orchestrator.domain.answers import Query
from orchestrator.domain.identity import Scope
from orchestrator.domain.passages import Candidate, Passage
from orchestrator.domain.spelling import apart
from orchestrator.domain.understanding import Correction

Near: TypeAlias = Callable[[Sequence[str], Scope], Awaitable[Mapping[str, Sequence[int]]]]
"""`orchestrator.ports.indexes.Speller.near`, of the workspace's index."""

SHORTEST: Final = 5
"""Shorter words are left as they are: too many others are spelled nearly alike."""
WORDS: Final = 12
CORRECTED: Final = 3
"""So many words of a question are looked up at most, and so many of them corrected."""

_WORD: Final = re.compile(r"[^\W\d_]+")


class Spelling:
    """Corrects words by texts that were read in the caller's own scope, and by nothing else."""

    def __init__(self, near: Near, read: Reader) -> None:
        self._near = near
        self._read = read

    async def corrections(self, query: Query) -> tuple[Correction, ...]:
        """What is to be read otherwise; words with digits are codes, and stay."""
        words = [one for one in dict.fromkeys(_whole_words(query.text)) if len(one) >= SHORTEST]
        near = await self._near(words[:WORDS], query.scope)
        found = []
        for word, chunks in list(near.items())[:CORRECTED]:
            passages = await self._read([Candidate(one, 0.0) for one in chunks], query.scope)
            if best := nearest(word, passages):
                found.append(Correction(word, best))
        return tuple(found)


def corrected(text: str, corrections: Iterable[Correction]) -> str:
    """The text with every correction made, as whole words."""
    for one in corrections:
        text = re.sub(rf"(?<!\w){re.escape(one.word)}(?!\w)", lambda _: one.read_as, text)  # noqa: B023  # called at once
    return text


def nearest(word: str, passages: Iterable[Passage]) -> str | None:
    """The word of the passages that is spelled most alike, the more frequent of two such.

    It begins with the same letter, and differs in one letter, or two of eight and more.
    """
    asked, most = word.casefold(), 2 if len(word) >= 8 else 1
    seen = Counter(
        one.casefold()
        for passage in passages
        for part in (passage.chunk.title, passage.chunk.section or "", passage.chunk.text)
        for one in _WORD.findall(part)
    )
    near = [
        (distance, -count, one)
        for one, count in seen.items()
        if one[0] == asked[0] and 0 < (distance := apart(asked, one, most)) <= most
    ]
    return min(near)[2] if near else None


def _whole_words(text: str) -> list[str]:
    return [word for word in re.findall(r"[\w'’-]+", text) if _WORD.fullmatch(word)]
