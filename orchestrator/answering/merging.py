"""Merging: passages that say the same become one, and so do neighbours of one document."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from orchestrator.domain.documents import Chunk
from orchestrator.domain.passages import Passage

ALIKE: Final = 0.8
"""The share of runs of four words that near duplicates have in common (Jaccard)."""
RUN: Final = 4
GAP: Final = 4
"""Chunks are neighbours if no more than so many characters, white space, lie between them."""
_WORD: Final = re.compile(r"\w+")
_DIGIT: Final = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class Joint:
    """Neighbours as one passage, which has the id and the scores of the best of them."""

    passage: Passage
    members: tuple[Passage, ...]

    @property
    def absorbed(self) -> Sequence[Passage]:
        """The members that it is not named for."""
        return [one for one in self.members if one.chunk.id != self.passage.chunk.id]


def distinct(passages: Sequence[Passage]) -> list[Passage]:
    """Without those that say, but for a few words, what one before them says.

    Two that differ in a number say different things.
    """
    kept: list[tuple[Passage, _Words]] = []
    having: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for one in passages:
        words = _Words(one)
        common = Counter(place for run in words.runs for place in having[run])
        if not any(words.repeats(kept[place][1], count) for place, count in common.items()):
            for run in words.runs:
                having[run].append(len(kept))
            kept.append((one, words))
    return [one for one, _ in kept]


def joints(passages: Sequence[Passage]) -> list[Joint]:
    """Neighbours of one section as one passage; each stands where the best of it stood."""
    rank = {one.chunk.id: place for place, one in enumerate(passages)}
    runs: list[_Run] = []
    for one in sorted(passages, key=_place):
        if not (runs and runs[-1].takes(one)):
            runs.append(_Run(one))
    found = [run.joint(rank) for run in runs]
    return sorted(found, key=lambda joint: rank[joint.passage.chunk.id])


class _Words:
    def __init__(self, passage: Passage) -> None:
        words = [word.casefold() for word in _WORD.findall(passage.chunk.text)]
        self.runs = {tuple(words[at : at + RUN]) for at in range(max(1, len(words) - RUN + 1))}
        self._all = words
        self._numbers = {word for word in words if _DIGIT.search(word)}
        self._asked = passage.chunk.section if passage.chunk.asked else None

    def repeats(self, other: _Words, common: int) -> bool:
        """Whether it says what the other does, with which it has so many runs in common."""
        if self._asked != other._asked or self._numbers != other._numbers:
            return False
        either = len(self.runs) + len(other.runs) - common
        return self._all == other._all or common >= ALIKE * either


def _place(passage: Passage) -> tuple[str, int, str, int, int]:
    chunk = passage.chunk
    return chunk.document_id, chunk.version, chunk.section or "", chunk.start, chunk.end


class _Run:
    """Neighbours in the order of their document, and their text."""

    def __init__(self, first: Passage) -> None:
        self._members = [first]
        self._text = first.chunk.text

    def takes(self, passage: Passage) -> bool:
        """Whether the passage goes on where these end; it is then one of them."""
        first, chunk = self._members[0].chunk, passage.chunk
        if chunk.asked or first.asked or _of(first) != _of(chunk):
            return False
        shared = first.start + len(self._text) - chunk.start
        told = self._text[chunk.start - first.start :][: len(chunk.text)]
        if shared < -GAP or told != chunk.text[: max(shared, 0)]:
            return False
        self._members.append(passage)
        self._text += "\n" * -shared + chunk.text[max(shared, 0) :]
        return True

    def joint(self, rank: Mapping[int, int]) -> Joint:
        """All of them, by the name of the best."""
        best = min(self._members, key=lambda one: rank[one.chunk.id])
        if len(self._members) == 1:
            return Joint(best, (best,))
        first = self._members[0].chunk
        end = first.start + len(self._text)
        chunk = replace(best.chunk, text=self._text, start=first.start, end=end, page=first.page)
        return Joint(replace(best, chunk=chunk), tuple(self._members))


def _of(chunk: Chunk) -> tuple[str, int, str | None]:
    return chunk.document_id, chunk.version, chunk.section
