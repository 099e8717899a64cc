"""Follow-ups: a question made whole by what was said before it, ahead of anything that looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from orchestrator.answering.following import STANDS_ALONE, standalone
from orchestrator.answering.rewriting import MISSING
from orchestrator.domain.answers import Query, Turn
from orchestrator.domain.text import without_markers
from orchestrator.domain.understanding import FollowUp
from orchestrator.domain.workspaces import Conversing
from orchestrator.ports.rewriter import Conversant

LONGEST: Final = 2_000
"""Of something that was said, a language model is told so many characters."""
SUMMARISED: Final = 8
"""So many times the budget, at most, is summarised of what does not fit into it."""
_SPEAKERS: Final = {"user": "Q", "assistant": "A"}


@dataclass(frozen=True, slots=True)
class Followed:
    """A question without history that stands alone, how it came to be, and what was missing."""

    query: Query
    follow_up: FollowUp | None = None
    degraded: tuple[str, ...] = ()


class FollowUps:
    """Makes questions whole: by a language model where there is one, else by rules."""

    def __init__(self, how: Conversing | None = None, model: Conversant | None = None) -> None:
        self._how = how or Conversing()
        self._model = model

    async def made_whole(self, query: Query) -> Followed:
        """The question as all that follows sees it; where the model is down, rules do."""
        asked = replace(query, history=())
        if not query.history or self._how.rewrite == "none":
            return Followed(asked)
        if self._model is None or self._how.rewrite == "rules":
            return _by_rules(asked, query.history)
        try:
            history, degraded = await self._heard(asked, query.history, self._model)
            whole = replace(asked, text=await self._model.standalone(asked, history)).understood()
        except MISSING:
            return replace(_by_rules(asked, query.history), degraded=("follow_up",))
        why = STANDS_ALONE if whole.text == asked.text else "made whole by a language model"
        return Followed(whole, FollowUp(asked.text, whole.text, why, "model"), degraded)

    async def _heard(
        self, query: Query, history: Sequence[Turn], model: Conversant
    ) -> tuple[str, tuple[str, ...]]:
        """What was said, within the budget: the latest as it was said, the rest summarised."""
        lines = [_line(one) for one in history]
        sizes = await model.lengths(lines)
        first = len(lines) - _fitting(sizes, self._how.history)
        if first == 0:
            return "\n".join(lines), ()
        early = _fitting(sizes[:first], self._how.history * SUMMARISED)
        try:
            summary = await model.summary(query, "\n".join(lines[first - early : first]))
        except MISSING:
            return "\n".join(lines[first:]), ("history_summary",)
        return "\n".join((_one_line(f"Before: {summary}"), *lines[first:])), ()


def _by_rules(asked: Query, history: Sequence[Turn]) -> Followed:
    questions = [one.text for one in history if one.role == "user"]
    text, why = standalone(asked.text, questions)
    whole = replace(asked, text=text).understood()
    return Followed(whole, FollowUp(asked.text, whole.text, why, "rules"))


def _fitting(sizes: Sequence[int], budget: int) -> int:
    """How many of the last fit into the budget together."""
    left = budget
    for count, size in enumerate(reversed(sizes)):
        left -= size
        if left < 0:
            return count
    return len(sizes)


def _line(turn: Turn) -> str:
    """One line, so that nothing that was said can look like another turn."""
    return _one_line(f"{_SPEAKERS[turn.role]}: {without_markers(turn.text)[:LONGEST]}")


def _one_line(text: str) -> str:
    return " ".join(text.split())
