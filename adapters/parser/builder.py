"""Collects the blocks that a parser meets into plain text with headings and pages."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Final

from orchestrator.domain.documents import Heading, ParsedDocument

MAX_LEVEL: Final = 6
_BREAKS: Final = re.compile(r"\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_NOT_TEXT: Final = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ufeff\ufffe\uffff\ud800-\udfff]")


class TextBuilder:
    """Blocks are parted by an empty line, list items and table rows by a line break."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._headings: list[Heading] = []
        self._pages: list[int] = []
        self._opened = 0  # pages whose first text is still to come
        self._tight = False

    def page(self) -> None:
        """A page, slide or sheet: it begins with the next text."""
        self._opened += 1

    def block(self, text: str) -> None:
        """A paragraph."""
        self._add(text, tight=False)

    def item(self, text: str, *, mark: str = "-", depth: int = 0) -> None:
        """A list item."""
        if text.strip():
            self._add(f"{'  ' * depth}{mark} {text.strip()}", tight=True)

    def row(self, cells: Sequence[str]) -> None:
        """A table row, as Markdown."""
        if any(cell.strip() for cell in cells):
            flat = (" ".join(cell.split()).replace("|", "/") for cell in cells)
            self._add(f"| {' | '.join(flat)} |", tight=True)

    def heading(self, text: str, level: int) -> None:
        """A heading, which begins a section."""
        flat = " ".join(normal(text).split())
        if flat:
            self._add(flat, tight=False)
            start = self._length - len(flat)
            self._headings.append(Heading(start, min(level, MAX_LEVEL), flat))

    def document(self, parsed: ParsedDocument) -> None:
        """A whole document as a part of this one: its headings go one level down."""
        self._add(parsed.text, tight=False)
        start = self._length - len(parsed.text)
        self._headings += [
            Heading(start + one.start, min(one.level + 1, MAX_LEVEL), one.text)
            for one in parsed.headings
        ]

    def build(
        self,
        title: str | None = None,
        *,
        headed: bool = True,
        properties: Mapping[str, str] | None = None,
        warnings: Sequence[str] = (),
    ) -> ParsedDocument:
        """The document; if `headed`, its first top-level heading serves for want of a title."""
        title = " ".join(normal(title or "").split())
        if not title and headed:
            title = next((h.text for h in self._headings if h.level == 1), "")
        found = {name: normal(value).strip() for name, value in (properties or {}).items()}
        return ParsedDocument(
            "".join(self._parts),
            title or None,
            tuple(self._headings),
            tuple(self._pages + [self._length] * self._opened),
            {name: value for name, value in found.items() if value},
            tuple(warnings),
        )

    def _add(self, text: str, *, tight: bool) -> None:
        text = normal(text).rstrip()
        if not text.strip():
            return
        if self._parts:
            gap = "\n" if tight and self._tight and not self._opened else "\n\n"
            self._parts.append(gap)
            self._length += len(gap)
        else:
            text = text.lstrip()
        self._pages += [self._length] * self._opened
        self._opened = 0
        self._parts.append(text)
        self._length += len(text)
        self._tight = tight


def normal(text: str) -> str:
    """Letters and their accents as one character, lines ended by newlines, nothing invisible."""
    return _NOT_TEXT.sub("", unicodedata.normalize("NFC", _BREAKS.sub("\n", text)))
