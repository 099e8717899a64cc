"""Collects the blocks that a parser meets into plain text with headings."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from orchestrator.domain.documents import Heading, ParsedDocument


class TextBuilder:
    """Blocks are parted by an empty line, list items and table rows by a line break."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._headings: list[Heading] = []
        self._tight = False

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
        flat = " ".join(text.split())
        if flat:
            self._add(flat, tight=False)
            self._headings.append(Heading(self._length - len(_normal(flat)), level, _normal(flat)))

    def build(self, title: str | None = None) -> ParsedDocument:
        """The document; without a title of its own, its first top-level heading is one."""
        if not title:
            title = next((h.text for h in self._headings if h.level == 1), None)
        return ParsedDocument("".join(self._parts), title and _normal(title), tuple(self._headings))

    def _add(self, text: str, *, tight: bool) -> None:
        text = _normal(text).rstrip()
        if not text.strip():
            return
        if self._parts:
            gap = "\n" if tight and self._tight else "\n\n"
            self._parts.append(gap)
            self._length += len(gap)
        self._parts.append(text)
        self._length += len(text)
        self._tight = tight


def _normal(text: str) -> str:
    return unicodedata.normalize("NFC", text)
