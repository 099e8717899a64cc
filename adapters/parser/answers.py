"""What a process that parses says, checked: it is not trusted, so nothing is believed unseen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Annotated, Final, TypeVar

from pydantic import NonNegativeInt, StringConstraints, TypeAdapter, ValidationError

from adapters.parser.frames import Refusal
from orchestrator.domain.characters import kept
from orchestrator.domain.documents import ParsedDocument
from orchestrator.ports.parser import Isolation

MAX_LEVEL: Final = 99
Answer = TypeVar("Answer")


class Nonsense(ValueError):
    """Bytes that are no answer, and why."""


@dataclass(frozen=True, slots=True)
class _Hello:
    isolation: Isolation


@dataclass(frozen=True, slots=True)
class _Refused:
    code: Annotated[str, StringConstraints(pattern="^[a-z_]{1,40}$")]
    detail: Annotated[str, StringConstraints(max_length=1000)]


_ANSWER: Final = TypeAdapter(ParsedDocument | _Refused)
_STEP: Final = TypeAdapter(tuple[NonNegativeInt, NonNegativeInt])
_HELLO: Final = TypeAdapter(_Hello | _Refused)


def hello(content: bytes) -> Isolation | Refusal:
    """The first frame of a process: the level that it reached, or why it cannot begin.

    Raises:
        Nonsense: when it is neither.
    """
    found = _read(_HELLO, content, "it did not begin as it should")
    return found.isolation if isinstance(found, _Hello) else _refusal(found)


def step(content: bytes) -> tuple[int, int]:
    """How many pages of how many have been read.

    Raises:
        Nonsense: when it is not said.
    """
    try:
        return _STEP.validate_json(content)
    except ValidationError as error:
        raise Nonsense("it told of no progress") from error


def answer(content: bytes) -> ParsedDocument | Refusal:
    """Any later frame; what others rely on in a document is true of it.

    Raises:
        Nonsense: when it is none.
    """
    found = _read(_ANSWER, content, "it answered nonsense")
    if isinstance(found, _Refused):
        return _refusal(found)
    _check(found)
    return replace(
        found,
        headings=tuple(found.headings),
        pages=tuple(found.pages),
        warnings=tuple(found.warnings),
    )


def _read(kind: TypeAdapter[Answer], content: bytes, otherwise: str) -> Answer:
    try:
        return kind.validate_json(content)
    except ValidationError as error:
        raise Nonsense(otherwise) from error


def _refusal(found: _Refused) -> Refusal:
    words = "".join(character if character.isprintable() else " " for character in found.detail)
    return Refusal(found.code, words)


def _check(parsed: ParsedDocument) -> None:
    text, headings, pages = parsed.text, parsed.headings, parsed.pages
    if not kept((text, parsed.title, parsed.properties, parsed.warnings)):
        raise Nonsense("it answered with characters that cannot be kept")
    if any(first.start >= second.start for first, second in pairwise(headings)):
        raise Nonsense("it answered with headings out of order")
    if any(first > second for first, second in pairwise(pages)):
        raise Nonsense("it answered with pages out of order")
    if pages and not 0 <= pages[0] <= pages[-1] <= len(text):
        raise Nonsense("it answered with a page beyond the text")
    for heading in headings:
        stands = heading.start >= 0 and text.startswith(heading.text, heading.start)
        if not stands or not 1 <= heading.level <= MAX_LEVEL:
            raise Nonsense("it answered with a heading that is not in the text")
