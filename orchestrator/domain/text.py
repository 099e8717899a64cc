"""Plain text in blocks and sentences, as character spans."""

from __future__ import annotations

import re
from typing import Final

Span = tuple[int, int]

_LINE_ITEM: Final = re.compile(r"\A[ \t]*(?:[-*•]|\d{1,3}[.)])[ \t]")
_ROW: Final = re.compile(r"\A\|(?=\s|.*\|\Z)|\s\|\Z", re.DOTALL)
_MARK: Final = r"(?:(?:[-*•]|\d{1,3}[.)])[ \t]|\|)"
_BREAK: Final = re.compile(rf"\n[ \t]*\n+|\n(?=[ \t]*{_MARK})")
_NUMBERED: Final = re.compile(r"\s?(?:\[\s?\d+\s?\]|[【［]\s?\d+\s?(?:†[^】］\n]{0,40})?[】］])")
_NUMBERS: Final = re.compile(r"[\[【［]((?:\s?\d+\s?[,;–-])+\s?\d+\s?)[\]】］]")
_SHOWN: Final = re.compile(r"\S")
_END: Final = re.compile(r"[.!?]+[\"'”’)\]]*(?=\s)")
_ABBREVIATIONS: Final = frozenset(
    """mr mrs ms dr prof st no nos vs etc eg e.g ie i.e al fig figs eq approx inc ltd co corp
    dept est jan feb mar apr jun jul aug sep sept oct nov dec u.s u.k vol pp ca cf sr jr gen
    col""".split()
)


def blocks(text: str, start: int = 0, end: int | None = None) -> list[Span]:
    """Paragraphs, list items and table rows within `[start:end]`, without outer white space."""
    end = len(text) if end is None else end
    found, at = [], start
    for gap in _BREAK.finditer(text, start, end):
        found.append(_trimmed(text, at, gap.start()))
        at = gap.end()
    found.append(_trimmed(text, at, end))
    return [span for span in found if span[0] < span[1]]


def tables(text: str, start: int = 0, end: int | None = None) -> list[Span]:
    """Tables of two rows or more within `[start:end]`, each row on the line after the other."""
    runs: list[list[Span]] = []
    for block in blocks(text, start, end):
        if text[block[0]] != "|" or text[block[1] - 1] != "|":
            continue
        if runs and _is_line_break(text[runs[-1][-1][1] : block[0]]):
            runs[-1].append(block)
        else:
            runs.append([block])
    return [(run[0][0], run[-1][1]) for run in runs if len(run) > 1]


def sentences(text: str, start: int = 0, end: int | None = None) -> list[Span]:
    """Sentences within `[start:end]`, never across a block; a list item without a stop is one."""
    found = []
    for first, last in blocks(text, start, end):
        at = first
        for stop in _END.finditer(text, first, last):
            if _ends_sentence(text, stop.start(), stop.end(), last):
                found.append(_trimmed(text, at, stop.end()))
                at = stop.end()
        found.append(_trimmed(text, at, last))
    return [span for span in found if span[0] < span[1]]


def quotable(text: str) -> str:
    """A sentence or item on one line, without its list mark or table bars."""
    plain = _LINE_ITEM.sub("", text).strip()
    if _ROW.search(plain):
        cells = [cell.strip() for cell in plain.strip("|").split("|")]
        plain = ", ".join(cell for cell in cells if cell)
    return " ".join(plain.split())


def without_markers(text: str) -> str:
    """The text without numbers in square brackets, which a reader would take for citations.

    Several, which may be an interval, are put in parentheses.
    """
    while (plain := _NUMBERED.sub("", text)) != text:
        text = plain
    return _NUMBERS.sub(r"(\1)", text)


def _ends_sentence(text: str, stop: int, after: int, last: int) -> bool:
    if text[stop] != ".":
        return True
    before = re.split(r"[^\w.]", text[max(0, stop - 12) : stop])[-1].casefold()
    if before in _ABBREVIATIONS or (len(before) == 1 and before.isalpha()):
        return False
    following = _SHOWN.search(text, after, last)
    return following is None or not following[0].islower()


def _is_line_break(gap: str) -> bool:
    return gap.isspace() and gap.count("\n") == 1


def _trimmed(text: str, start: int, end: int) -> Span:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end
