"""Markdown: CommonMark with tables and front matter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

from adapters.parser.builder import TextBuilder
from adapters.parser.html import HEADINGS, add_html
from adapters.parser.text import decode
from orchestrator.domain.documents import ParsedDocument

_FRONT_MATTER: Final = re.compile(r"\A---[ \t]*\n(.*?)\n---[ \t]*(?:\n|\Z)", re.DOTALL)


class MarkdownParser:
    """`orchestrator.ports.parser.Parser`: text without its markup, structure kept."""

    media_types = frozenset({"text/markdown"})

    def parse(self, content: bytes) -> ParsedDocument:
        """Headings, paragraphs, lists, tables and code."""
        text = decode(content)
        title = None
        if front := _FRONT_MATTER.match(text):
            text, title = text[front.end() :], _title(front[1])
        builder = TextBuilder()
        _Walk(builder).over(MarkdownIt("commonmark").enable("table").parse(text))
        return builder.build(title)


class _Walk:
    """One pass over the tokens of a document."""

    def __init__(self, builder: TextBuilder) -> None:
        self._builder = builder
        self._row: list[str] = []
        self._lists: list[int | None] = []  # the last number of each open list; None for bullets
        self._mark: str | None = None

    def over(self, tokens: Sequence[Token]) -> None:
        """Hand every block to the builder."""
        opened = ""
        for token in tokens:
            match token.type:
                case "bullet_list_open":
                    self._lists.append(None)
                case "ordered_list_open":
                    self._lists.append(int(token.attrGet("start") or 1) - 1)
                case "bullet_list_close" | "ordered_list_close":
                    self._lists.pop()
                case "list_item_open":
                    self._mark = self._next_mark()
                case "tr_close":
                    self._builder.row(self._row)
                    self._row = []
                case "fence" | "code_block":
                    self._builder.block(token.content)
                case "html_block":
                    add_html(token.content, self._builder)
                case "inline":
                    self._inline(_plain(token.children or []), opened)
            opened = token.tag if token.nesting > 0 else ""

    def _next_mark(self) -> str:
        number = self._lists[-1]
        if number is None:
            return "-"
        self._lists[-1] = number + 1
        return f"{number + 1}."

    def _inline(self, text: str, opened: str) -> None:
        if opened in HEADINGS:
            self._builder.heading(text, int(opened[1]))
        elif opened in {"th", "td"}:
            self._row.append(text)
        elif self._mark:
            self._builder.item(text, mark=self._mark, depth=len(self._lists) - 1)
            self._mark = None
        else:
            self._builder.block(text)


def _plain(children: Sequence[Token]) -> str:
    parts = []
    for child in children:
        match child.type:
            case "text" | "code_inline":
                parts.append(child.content)
            case "softbreak":
                parts.append(" ")
            case "hardbreak":
                parts.append("\n")
            case "image":
                parts.append(_plain(child.children or []))
    return "".join(parts)


def _title(front_matter: str) -> str | None:
    try:
        fields: Any = yaml.safe_load(front_matter)
    except yaml.YAMLError:
        return None
    title = fields.get("title") if isinstance(fields, dict) else None
    return str(title) if title else None
