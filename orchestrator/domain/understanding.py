"""What a question was understood as: its kind, why, and what is searched for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["lookup", "question", "compound"]


@dataclass(frozen=True, slots=True)
class Correction:
    """A word that nothing the caller may see holds, and the word that it was read as."""

    word: str
    read_as: str


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A question that was asked after others, as it can be understood alone; and why so."""

    asked: str
    standalone: str
    why: str
    by: Literal["rules", "model"]


@dataclass(frozen=True, slots=True)
class Understood:
    """A question's kind and the rule that said so, and what was made of it.

    `lean` says which side its form speaks for: from 1, its exact words, to -1, its meaning.
    """

    kind: Kind
    why: str
    text_searched: str
    corrections: tuple[Correction, ...] = ()
    synonyms: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    lean: float = 0.0
    lean_why: str = ""
    follow_up: FollowUp | None = None
