"""Word documents: paragraphs, headings, lists, tables, text boxes and footnotes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from lxml import etree

from adapters.parser.builder import TextBuilder
from adapters.parser.chart import add_chart
from adapters.parser.docx_styles import Numbers, Styles
from adapters.parser.package import Package, relation
from adapters.parser.table import Cell, span, spread
from adapters.parser.xml import attribute, child, local
from orchestrator.domain.documents import ParsedDocument

_WRAPPERS: Final = frozenset("sdt sdtContent customXml smartTag ins moveTo".split())
_UNREAD: Final = frozenset("pPr rPr sdtPr tblPr del moveFrom instrText delText Fallback".split())
_CHARACTERS: Final = {
    "tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "ptab": "\t",
    "sup": "^", "sub": "_", "den": "/", "oMath": " ", "func": " ",
}  # fmt: skip
_FORMULAS: Final = frozenset({"sup", "sub", "den"})
_NOTES: Final = {"footnoteReference": "footnotes", "endnoteReference": "endnotes"}


def read_docx(package: Package) -> ParsedDocument:
    """The body in order; notes and text boxes below the paragraph that they hang on."""
    properties, warnings = package.properties()
    styles = Styles(package.one_related(package.main, "styles"))
    reader = _Reader(package, styles)
    body = child(package.xml(package.main), "body")
    reader.blocks(body if body is not None else ())
    if styles.language:
        properties.setdefault("language", styles.language)
    title = properties.pop("title", None)
    return reader.builder.build(title, properties=properties, warnings=warnings)


class _Reader:
    """One pass over a document."""

    def __init__(self, package: Package, styles: Styles) -> None:
        self.builder = TextBuilder()
        self._styles = styles
        self._numbers = Numbers(package.one_related(package.main, "numbering"))
        self._charts = package.related(package.main, "chart")
        self._package = package
        self._notes = {
            (kind, attribute(note, "id")): note
            for kind in _NOTES.values()
            for note in _children(package.one_related(package.main, kind))
        }

    def blocks(self, nodes: Iterable[etree._Element]) -> None:
        """Hand paragraphs and tables to the builder."""
        for node in nodes:
            name = local(node)
            if name == "p":
                self._paragraph(node)
            elif name == "tbl":
                self._table(node)
            elif name in _WRAPPERS:
                self.blocks(node)

    def _paragraph(self, node: etree._Element) -> None:
        text = _text(node).strip()
        properties = child(node, "pPr")
        level = self._styles.level(properties)
        numbering = self._styles.numbering(properties) if text else None
        mark = self._numbers.mark(*numbering) if numbering else ""
        if level and len(text) <= 300:
            self.builder.heading(f"{mark if mark != '-' else ''} {text}", level)
        elif numbering and mark:
            self.builder.item(text, mark=mark, depth=numbering[1])
        else:
            self.builder.block(text)
        self._hanging(node)

    def _hanging(self, node: etree._Element) -> None:
        """Text boxes, charts and notes of a paragraph or table."""
        for one in _within(node):
            name = local(one)
            if name == "txbxContent":
                self.blocks(one)
            elif name == "chart":
                chart = self._package.optional(self._charts.get(relation(one)))
                if chart is not None:
                    add_chart(chart, self.builder)
            elif name in _NOTES:
                note = self._notes.get((_NOTES[name], attribute(one, "id")))
                if note is not None:
                    self.builder.block(" ".join(_text(note).split()))

    def _table(self, table: etree._Element) -> None:
        rows = [_cells(row) for row in _unwrapped(table, "tr")]
        if [len(cells) for cells in rows] == [1]:  # a frame, or a box for layout
            self.blocks(rows[0][0])
            return
        for texts in spread([_cell(one) for one in cells] for cells in rows):
            self.builder.row(texts)
        self._hanging(table)


def _cells(row: etree._Element) -> list[etree._Element]:
    return list(_unwrapped(row, "tc"))


def _cell(cell: etree._Element) -> Cell:
    parts = (_text(one) for one in cell.iter() if local(one) == "p" and _is_read(one, cell))
    properties = child(cell, "tcPr")
    columns, merged = child(properties, "gridSpan"), child(properties, "vMerge")
    return Cell(
        " ".join(part for part in parts if part.strip()),
        columns=1 if columns is None else span(attribute(columns, "val")),
        merged=merged is not None and attribute(merged, "val") != "restart",
    )


def _is_read(node: etree._Element, top: etree._Element) -> bool:
    """Whether no element between says otherwise; text boxes are read apart."""
    above = node.getparent()
    while above is not None and above is not top:
        if local(above) in _UNREAD or local(above) == "txbxContent":
            return False
        above = above.getparent()
    return True


def _unwrapped(node: etree._Element, wanted: str) -> Iterator[etree._Element]:
    for one in node:
        if local(one) == wanted:
            yield one
        elif local(one) in _WRAPPERS:
            yield from _unwrapped(one, wanted)


def _within(node: etree._Element) -> Iterator[etree._Element]:
    """What is read within a node; what is in a text box belongs to the box."""
    for one in node:
        if local(one) not in _UNREAD:
            yield one
            if local(one) != "txbxContent":
                yield from _within(one)


def _text(node: etree._Element) -> str:
    parts: list[str] = []
    for one in _within(node):
        name = local(one)
        if name == "t":
            parts.append(one.text or "")
        elif name in _CHARACTERS and (name not in _FORMULAS or len(one)):
            parts.append(_CHARACTERS[name])
        elif name == "p" and parts:
            parts.append("\n")
    return "".join(parts)


def _children(node: etree._Element | None) -> Iterable[etree._Element]:
    return node if node is not None else ()
