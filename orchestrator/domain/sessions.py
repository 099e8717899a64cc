"""Conversations that are kept: sessions, and what was asked and answered in them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from orchestrator.domain.answers import Turn
from orchestrator.domain.errors import NotFound


@dataclass(frozen=True, slots=True)
class Session:
    """A conversation of one caller in one workspace, by the workspace's uid."""

    id: str
    workspace: str
    subject: str
    title: str | None
    created_at: datetime
    used_at: datetime


@dataclass(frozen=True, slots=True)
class Cited:
    """A passage that an answer was made from, by its ids alone."""

    doc_id: str
    chunk_id: str
    cited: bool


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and its answer; the answer is None where its reader may not see it any more.

    `number` counts the exchanges of a session from 1. `sources` are what the answer was made
    from; `heard` are further documents from which text may have come into it, as earlier answers
    were read to make the question whole.
    """

    question: str
    answer: str | None
    answerable: bool
    sources: tuple[Cited, ...]
    heard: frozenset[str] = frozenset()
    number: int = 0
    at: datetime | None = None

    @property
    def documents(self) -> frozenset[str]:
        """Every document of which it may hold text."""
        return self.heard | {one.doc_id for one in self.sources}


def turns(exchanges: Sequence[Exchange]) -> tuple[Turn, ...]:
    """What was said, oldest first; an answer that may not be seen was not said."""
    said: list[Turn] = []
    for one in exchanges:
        said.append(Turn("user", one.question))
        if one.answer is not None:
            said.append(Turn("assistant", one.answer))
    return tuple(said)


def unknown_session(session_id: str) -> NotFound:
    """What is said of a session that is not there, or not for the caller."""
    return NotFound(f"there is no session '{session_id[:80]}'", code="unknown_session")


def new_session_id() -> str:
    """32 hexadecimal digits: when it was made, to the millisecond, and 80 random bits."""
    return f"{int(time.time() * 1e3):012x}{uuid.uuid4().hex[12:]}"
