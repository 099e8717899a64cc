"""A chain of generators: where one is down, the next answers, and the answer says so."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final

from orchestrator.domain.answers import Outcome, Query, Token
from orchestrator.domain.errors import Exhausted, Misconfigured, TimedOut, TooLarge, Unavailable
from orchestrator.domain.passages import Passage
from orchestrator.ports.generator import Generator

PASSED_ON: Final = (Unavailable, Exhausted, TimedOut, Misconfigured, TooLarge)
"""What another generator may do better at: its window may be larger, and quotations need none."""


@dataclass(frozen=True, slots=True)
class Link:
    """A generator of a chain, by its name and kind; `admit` raises where it would refuse now."""

    name: str
    kind: str
    generator: Generator
    admit: Callable[[], None] = lambda: None


class FallbackGenerator:
    """`orchestrator.ports.generator.Generator`, and `Admitting`: the first that says anything.

    Each that was passed over is in `Outcome.degraded`, as `generator:NAME:CODE`; `fell_back` is
    told of it, too. What fails after its first word fails: a reader is shown no second answer.
    """

    def __init__(
        self, links: Sequence[Link], fell_back: Callable[[str, str], None] = lambda *_: None
    ) -> None:
        self._links = links
        self._fell_back = fell_back

    def admit(self) -> None:
        """Return if any of the chain may begin; raises what the last one does."""
        for link in self._links:
            try:
                link.admit()
            except PASSED_ON:
                if link is self._links[-1]:
                    raise
            else:
                return

    async def generate(
        self, query: Query, passages: Sequence[Passage]
    ) -> AsyncGenerator[Token | Outcome]:
        """As the first that answers; raises what the last one does."""
        passed: tuple[str, ...] = ()
        for link in self._links:
            shown = False
            try:
                async with aclosing(link.generator.generate(query, passages)) as pieces:
                    async for piece in pieces:
                        shown = True
                        yield _told(piece, link, passed)
                return
            except PASSED_ON as error:
                if shown or link is self._links[-1]:
                    raise
                code = next(kind.code for kind in PASSED_ON if isinstance(error, kind))
                self._fell_back(link.name, code)
                passed = (*passed, f"generator:{link.name}:{code}")


def _told(piece: Token | Outcome, link: Link, passed: tuple[str, ...]) -> Token | Outcome:
    if isinstance(piece, Token):
        return piece
    return replace(piece, degraded=(*passed, *piece.degraded), generator=link.kind, model=link.name)
