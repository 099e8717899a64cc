"""HTML: what a reader of the page would read, without menus and scripts."""

from __future__ import annotations

import contextlib
import re
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

from adapters.parser.builder import TextBuilder
from adapters.parser.text import decode
from orchestrator.domain.documents import ParsedDocument

SKIPPED: Final = "script, style, noscript, template, svg, nav, footer, aside, form, iframe"
HEADINGS: Final = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
BLOCKS: Final = HEADINGS | frozenset(
    """address article blockquote body caption dd details div dl dt figcaption figure header
    html li main ol p pre section summary table ul""".split()
)
MAX_CLIMB: Final = 64
_SPACE: Final = re.compile(r"\s+")
HEAD_BYTES: Final = 4096
_CHARSET: Final = re.compile(rb"<meta[^>]+charset=[\"']?([\w:.-]{1,40})", re.IGNORECASE)


class HtmlParser:
    """`orchestrator.ports.parser.Parser`."""

    media_types = frozenset({"text/html"})

    def parse(self, content: bytes) -> ParsedDocument:
        """The body's headings, paragraphs, lists and tables; the title element's title."""
        html = _decoded(content)
        builder = TextBuilder()
        add_html(html, builder)
        title = LexborHTMLParser(html).css_first("head > title")
        return builder.build(" ".join(title.text().split()) if title else None)


def _decoded(content: bytes) -> str:
    """By the encoding that the page declares, where that fits; else as any text."""
    if declared := _CHARSET.search(content[:HEAD_BYTES]):
        with contextlib.suppress(LookupError, UnicodeDecodeError):
            return decode(content.decode(declared[1].decode()).encode())
    return decode(content)


def add_html(html: str, builder: TextBuilder) -> None:
    """Add a page's or fragment's readable blocks to the builder."""
    tree = LexborHTMLParser(html)
    for node in tree.css(SKIPPED):
        node.decompose()
    if tree.body is None:
        return
    block: LexborNode | None = None
    parts: list[str] = []
    for node in tree.body.traverse(include_text=True):
        if node.tag == "table":
            if _table_around(node.parent) is None:
                _flush(block, parts, builder)
                _add_table(node, builder)
        elif node.tag == "br":
            parts.append("\n")
        elif node.tag == "-text":
            home = _home(node)
            if home is None or home.tag == "table":
                continue
            if block is None or home.mem_id != block.mem_id:
                _flush(block, parts, builder)
                block = home
            text = node.text_content or ""
            parts.append(text if home.tag == "pre" else _SPACE.sub(" ", text))
    _flush(block, parts, builder)


def _add_table(table: LexborNode, builder: TextBuilder) -> None:
    """Caption and rows; a table in a cell is read as the cell's text."""
    for caption in table.css("caption"):
        if _is_of(table, caption):
            builder.block(" ".join(caption.text().split()))
    for row in table.css("tr"):
        if _is_of(table, row):
            cells = [cell for cell in row.css("th, td") if _is_of(table, cell)]
            builder.row([cell.text(separator=" ") for cell in cells])


def _is_of(table: LexborNode, node: LexborNode) -> bool:
    around = _table_around(node.parent)
    return around is not None and around.mem_id == table.mem_id


def _table_around(node: LexborNode | None) -> LexborNode | None:
    for _ in range(MAX_CLIMB):
        if node is None or node.tag == "table":
            return node
        node = node.parent
    return None


def _home(node: LexborNode) -> LexborNode | None:
    """The nearest block around a text; a table where there is one, as its rows are read whole."""
    home, at = None, node.parent
    for _ in range(MAX_CLIMB):
        if at is None:
            break
        if at.tag == "table":
            return at
        if home is None and at.tag in BLOCKS:
            home = at
        at = at.parent
    return home


def _flush(block: LexborNode | None, parts: list[str], builder: TextBuilder) -> None:
    raw = "".join(parts)
    parts.clear()
    if block is None or not raw.strip():
        return
    if block.tag == "pre":
        builder.block(raw)
        return
    text = "\n".join(" ".join(line.split()) for line in raw.split("\n")).strip()
    if block.tag in HEADINGS:
        builder.heading(text, int(str(block.tag)[1]))
    elif block.tag == "li":
        builder.item(text)
    else:
        builder.block(text)
