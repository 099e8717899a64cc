"""HTML: what a reader of the page would read, without menus and scripts."""

from __future__ import annotations

import contextlib
import re
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

from adapters.parser.builder import TextBuilder
from adapters.parser.table import Cell, span, spread
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
    walk = _Walk(builder)
    for node in tree.body.traverse(include_text=True):
        walk.at(node)
    walk.flush()


class _Walk:
    """One pass over a page, a block at a time."""

    def __init__(self, builder: TextBuilder) -> None:
        self._builder = builder
        self._block: LexborNode | None = None
        self._parts: list[str] = []
        self._counts: dict[int, int] = {}  # items so far, by list
        self._item: tuple[str, int] | None = None  # mark and depth of an item that begins

    def at(self, node: LexborNode) -> None:
        """Take one node in."""
        if node.tag == "table":
            if _table_around(node.parent) is None:
                self.flush()
                _add_table(node, self._builder)
        elif node.tag == "li":
            self.flush()
            self._item = self._mark(node), _depth(node)
        elif node.tag == "br":
            self._parts.append("\n")
        elif node.tag == "img":
            self._text(node, f" {node.attributes.get('alt') or ''} ")
        elif node.tag == "-text":
            self._text(node, node.text_content or "")

    def flush(self) -> None:
        """Hand the block over."""
        raw = "".join(self._parts)
        self._parts.clear()
        if self._block is None or not raw.strip():
            return
        if self._block.tag == "pre":
            self._builder.block(raw)
            return
        text = "\n".join(" ".join(line.split()) for line in raw.split("\n")).strip()
        if self._block.tag in HEADINGS:
            self._builder.heading(text, int(str(self._block.tag)[1]))
        elif self._item and _is_in_list(self._block):
            self._builder.item(text, mark=self._item[0], depth=self._item[1])
        else:
            self._builder.block(text)
        self._item = None

    def _text(self, node: LexborNode, text: str) -> None:
        home = _home(node)
        if home is None or home.tag == "table":
            return
        if self._block is None or home.mem_id != self._block.mem_id:
            self.flush()
            self._block = home
        self._parts.append(text if home.tag == "pre" else _SPACE.sub(" ", text))

    def _mark(self, item: LexborNode) -> str:
        """The number of an item, or a dash."""
        above = item.parent
        if above is None or above.tag != "ol":
            return "-"
        if above.mem_id not in self._counts:
            self._counts[above.mem_id] = span(above.attributes.get("start")) - 1
        self._counts[above.mem_id] += 1
        return f"{self._counts[above.mem_id]}."


def _add_table(table: LexborNode, builder: TextBuilder) -> None:
    """Caption and rows; a table in a cell is read as the cell's text."""
    for caption in table.css("caption"):
        if _is_of(table, caption):
            builder.block(" ".join(caption.text().split()))
    rows = (row for row in table.css("tr") if _is_of(table, row))
    cells = ([one for one in row.css("th, td") if _is_of(table, one)] for row in rows)
    for texts in spread([_cell(one) for one in row] for row in cells):
        builder.row(texts)


def _cell(cell: LexborNode) -> Cell:
    texts = [
        cell.text(separator=" "),
        *(one.attributes.get("alt") or "" for one in cell.css("img")),
    ]
    columns, rows = (span(cell.attributes.get(name)) for name in ("colspan", "rowspan"))
    return Cell(" ".join(texts), columns, rows)


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


def _depth(item: LexborNode) -> int:
    """How many lists are around the one that an item is of."""
    depth, at = -1, item.parent
    for _ in range(MAX_CLIMB):
        if at is None:
            break
        depth += at.tag in {"ul", "ol"}
        at = at.parent
    return max(depth, 0)


def _is_in_list(block: LexborNode) -> bool:
    at: LexborNode | None = block
    for _ in range(MAX_CLIMB):
        if at is None or at.tag == "li":
            return at is not None
        at = at.parent
    return False
