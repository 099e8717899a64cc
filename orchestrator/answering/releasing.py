"""What an answer's policy lets through, piece by piece."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol

from orchestrator.answering.grounding import CitationGuard
from orchestrator.answering.judging import Judge
from orchestrator.domain.answers import NOT_FOUND
from orchestrator.domain.grounding import Sentence
from orchestrator.domain.statements import Statement, statements

WITHHELD: Final = "The rest of the answer is withheld: the documents do not support it."
"""What ends an answer that is refused after a part of it was shown."""


_ENDS: Final = frozenset(".!?\n")


class Release(Protocol):
    """One answer on its way out.

    `ended` says that nothing more of it will be let through, `answers` whether what was shown may
    be an answer at all; `withheld` counts the sentences that were not.
    """

    ended: bool
    answers: bool
    withheld: int

    async def admit(self, piece: str) -> str:
        """What may be shown now."""
        ...

    async def finish(self) -> str:
        """What else may be shown, when nothing more can come."""
        ...

    async def sentences(self) -> Sequence[Sentence]:
        """The sentences of all that was shown."""
        ...


class Flagging:
    """Everything at once, but for an unfinished citation; judged in the end."""

    def __init__(self, judge: Judge, passages: int) -> None:
        self.ended, self.answers, self.withheld = False, True, 0
        self._judge = judge
        self._guard = CitationGuard(passages)
        self._shown = ""

    async def admit(self, piece: str) -> str:
        """All but an unfinished citation."""
        shown = self._guard.admit(piece)
        self._shown += shown
        return shown

    async def finish(self) -> str:
        """What was held back."""
        rest = self._guard.finish()
        self._shown += rest
        return rest

    async def sentences(self) -> Sequence[Sentence]:
        """All of them; where none has a word, nothing was answered."""
        found = statements(self._shown)
        self.answers = any(one.parts for one in found)
        return await self._judge.judged(found)


class Releasing:
    """Whole sentences, each once it is verified; with `refuse`, none after the first that is not.

    What claims nothing waits for a sentence that was verified, so that no heading stands over
    what was removed. A sentence that another one's citation speaks for takes it along where that
    other one is removed. Where nothing was verified, the answer is `NOT_FOUND`.
    """

    def __init__(self, judge: Judge, passages: int, *, refuse: bool) -> None:
        self._judge = judge
        self._guard = CitationGuard(passages)
        self._refuse = refuse
        self._text = ""
        self._length = 0
        self._sentences: list[Sentence] = []
        self._waiting: list[tuple[str, str]] = []
        self._gap = ""
        self._lent: tuple[int, ...] = ()
        self._closed = False
        self.ended = self.answers = False
        self.withheld = 0

    async def admit(self, piece: str) -> str:
        """The sentences that are complete by now, and verified."""
        admitted = self._guard.admit(piece)
        self._text += admitted
        settled = _settled(statements(self._text)) if self._begins(admitted) else []
        if not settled:
            return ""
        shown = await self._let_through(settled)
        self._text = self._text[settled[-1].end :]
        return shown

    async def finish(self) -> str:
        """The last sentences, if they are verified."""
        if self.ended:
            return ""
        self._text += self._guard.finish()
        shown = await self._let_through(statements(self._text))
        if self.ended:
            return shown
        return shown + (self._flushed() if self.answers else self._said("", NOT_FOUND))

    async def sentences(self) -> Sequence[Sentence]:
        """Those that were let through."""
        return self._sentences

    def _begins(self, text: str) -> bool:
        """Whether another sentence may have begun: only then is there anything to look at."""
        begins = False
        for char in text:
            if char in _ENDS:
                self._closed = True
            elif self._closed and char.isalpha():  # a digit may be that of a citation
                self._closed, begins = False, True
        return begins

    async def _let_through(self, found: Sequence[Statement]) -> str:
        shown, at = "", 0
        for one, judged in zip(found, await self._judge.judged(found), strict=True):
            self._gap = _wider(self._gap, self._text[at : one.start])
            at = one.end
            text = self._text[one.start : one.end]
            if judged.score is None:
                self._waiting.append((self._take_gap(), text))
            elif judged.supported:
                shown += self._flushed() + self._said(self._take_gap(), text, judged)
                self._lent = () if one.own else one.cites
                self.answers = True
            else:
                self.withheld += 1
                shown += self._citing() if one.own or self._refuse else ""
                if self._refuse:
                    return shown + self._ending()
        return shown

    def _take_gap(self) -> str:
        gap, self._gap = self._gap, ""
        return gap

    def _flushed(self) -> str:
        waiting, self._waiting = self._waiting, []
        return "".join(self._said(gap, text) for gap, text in waiting)

    def _said(self, gap: str, text: str, judged: Sentence | None = None) -> str:
        gap = (gap or " ") if self._length else ""
        start, end = self._length + len(gap), self._length + len(gap) + len(text)
        plain = Sentence(start, end, (), None, supported=True)
        self._sentences.append(replace(judged, start=start, end=end) if judged else plain)
        self._length = end
        return gap + text

    def _citing(self) -> str:
        """The citation of a sentence that is not shown, for those before it that it spoke for."""
        lent, self._lent = self._lent, ()
        if not lent:
            return ""
        text = " " + "".join(f"[{number}]" for number in lent)
        self._length += len(text)
        self._sentences[-1] = replace(self._sentences[-1], end=self._length)
        return text

    def _ending(self) -> str:
        self.ended = True
        self._waiting = []
        return self._said("\n\n", WITHHELD if self.answers else NOT_FOUND)


def _settled(found: list[Statement]) -> list[Statement]:
    """Those that nothing to come can change: not the last, and none that still lacks a citation."""
    if not found:
        return found
    *whole, last = found
    while whole and not whole[-1].own and whole[-1].paragraph == last.paragraph:
        whole.pop()
    return whole


def _wider(one: str, other: str) -> str:
    return max(one, other, key=lambda gap: (gap.count("\n"), len(gap)))
