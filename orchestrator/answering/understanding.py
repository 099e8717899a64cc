"""Understanding a question by rules: its kind, its parts, which side its form speaks for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from orchestrator.domain.understanding import Kind, Understood

_ASKS: Final = r"(?:what|when|where|which|who|whom|whose|why|how)"
_BEFORE: Final = r"(?:about|at|by|for|from|in|of|on|since|to|under|until|with|within)"
OPENS: Final = re.compile(
    rf"\A(?:{_BEFORE} )?{_ASKS}\b|\A(?:is|are|was|were|do|does|did|can|could|may|must|should"
    r"|will|would|has|have|had)\b",
    re.IGNORECASE,
)
"""How a question begins."""
_JOINT: Final = re.compile(rf"[,;]?\s+(?:and|or|but)\s+(?:also\s+)?(?={_ASKS}\b)", re.IGNORECASE)
_ENDS: Final = re.compile(r"(?<=\?)\s+(?=\w)")
_QUOTED: Final = re.compile(r"[\"“«][^\"“”«»]{2,}[\"”»]")
_CODE: Final = re.compile(
    r"\b(?=\w*[A-Za-z])(?=\w*\d)\w[\w-]*\w\b"  # E1042, 4xx, INV-2026-17
    r"|\b\w+_\w+\b"  # max_tokens
    r"|\b[a-z]+[A-Z]\w*\b"  # camelCase
    r"|\b\w{2,}(?:\.\w{2,})+|\b\d+(?:\.\d+){2,}"  # asyncio.run, 10.0.0.1
    r"|(?<!\w)-{1,2}[a-z]\w*"  # --force
    r"|(?<![\w/\\])\w*[/\\]\w+[/\\]\w*"  # /etc/hosts
)
_WORD: Final = re.compile(r"\w+")
_SENTENCE: Final = 6
"""A text of so many words, or more, says something rather than names it."""
_SHORTEST: Final = 3
"""Fewer words than these are no part that can be asked alone."""


def also(text: str, groups: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """The other names of what the text names, from groups of names for one thing."""
    plain = f" {' '.join(_WORD.findall(text.casefold()))} "
    found = [group for group in groups if any(_within(name, plain) for name in group)]
    return tuple(name for group in found for name in group if not _within(name, plain))


@lru_cache(maxsize=1024)
def understood(text: str) -> Understood:
    """The question by its form alone."""
    found = parts(text)
    kind, why = _kind(text, found)
    lean, lean_why = leaning(text, kind)
    return Understood(kind, why, text, parts=found, lean=lean, lean_why=lean_why)


def parts(text: str) -> tuple[str, ...]:
    """The questions that a compound one is made of; none where it is one."""
    found = [
        part.strip(" ,;")
        for question in _ENDS.split(text)
        for part in (_JOINT.split(question) if OPENS.match(question) else [question])
    ]
    whole = all(len(part.split()) >= _SHORTEST for part in found)
    return tuple(found) if len(found) > 1 and whole else ()


def leaning(text: str, kind: Kind) -> tuple[float, str]:
    """Which side the form speaks for, from 1 (words) to -1 (meaning), and why."""
    if quoted := _QUOTED.search(text):
        return 1.0, f"quotes {quoted[0]}"
    codes = _CODE.findall(text)
    if codes:
        share = len(codes) / len(text.split())
        return (1.0 if share >= 1 / 3 else 0.5), f"holds the code {codes[0]}"
    if kind == "lookup":
        return 0.5, "names rather than asks"
    if OPENS.match(text):
        return -0.5, "asks in words of its own"
    return 0.0, ""


def _within(name: str, plain: str) -> bool:
    return f" {' '.join(_WORD.findall(name.casefold()))} " in plain


def _kind(text: str, found: tuple[str, ...]) -> tuple[Kind, str]:
    if found:
        return "compound", f"asks {len(found)} things"
    if text.endswith("?"):
        return "question", "ends with a question mark"
    if opening := OPENS.match(text):
        return "question", f"begins with '{opening[0].lower()}'"
    count = len(text.split())
    if count >= _SENTENCE and not _QUOTED.fullmatch(text):
        return "question", f"says something, in {count} words"
    return "lookup", "names something" if count > 1 else "is one word"
