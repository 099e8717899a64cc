"""Markdown: CommonMark with tables and front matter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

from adapters.parser.builder import TextBuilder
from adapters.parser.html import add_html
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
        _walk(MarkdownIt("commonmark").enable("table").parse(text), builder)
        return builder.build(title)


def _walk(tokens: Sequence[Token], builder: TextBuilder) -> None:
    row: list[str] = []
    marks: list[tuple[str, int]] = []
    pending: str | None = None
    for before, token in zip([None, *tokens], tokens, strict=False):
        match token.type:
            case "bullet_list_open":
                marks.append(("-", 0))
            case "ordered_list_open":
                marks.append((".", int(token.attrGet("start") or 1) - 1))
            case "bullet_list_close" | "ordered_list_close":
                marks.pop()
            case "list_item_open":
                kind, number = marks[-1]
                marks[-1] = (kind, number + 1)
                pending = "-" if kind == "-" else f"{number + 1}."
            case "tr_open":
                row = []
            case "tr_close":
                builder.row(row)
            case "fence" | "code_block":
                builder.block(token.content)
            case "html_block":
                add_html(token.content, builder)
            case "inline":
                text = _plain(token.children or [])
                opened = before.type if before else ""
                if opened == "heading_open" and before:
                    builder.heading(text, int(before.tag[1]))
                elif opened in {"th_open", "td_open"}:
                    row.append(text)
                elif pending:
                    builder.item(text, mark=pending, depth=len(marks) - 1)
                    pending = None
                else:
                    builder.block(text)


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
