"""PowerPoint presentations: every slide a page, its title a heading, its notes below."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lxml import etree

from adapters.parser.builder import TextBuilder
from adapters.parser.chart import add_chart
from adapters.parser.package import Package, relation
from adapters.parser.table import Cell, span, spread
from adapters.parser.xml import attribute, child, local
from orchestrator.domain.documents import ParsedDocument

_TITLES: Final = frozenset({"title", "ctrTitle"})
_UNREAD: Final = frozenset({"dt", "ftr", "hdr", "sldNum", "sldImg"})
_BULLETS: Final = frozenset({"buChar", "buAutoNum"})


def read_pptx(package: Package) -> ParsedDocument:
    """The slides in the order in which they are shown."""
    properties, warnings = package.properties()
    builder = TextBuilder()
    slides = package.related(package.main, "slide")
    listed = child(package.xml(package.main), "sldIdLst")
    for number, reference in enumerate(listed if listed is not None else (), start=1):
        name = slides.get(relation(reference), "")
        slide = package.optional(name)
        builder.page()
        if slide is None:
            warnings.append(f"slide {number} is missing")
            continue
        _slide(slide, builder)
        for chart in package.related(name, "chart").values():
            if chart in package.names:
                add_chart(package.xml(chart), builder)
        notes = package.one_related(name, "notesSlide")
        if notes is not None:
            _slide(notes, builder)
    return builder.build(properties.pop("title", None), properties=properties, warnings=warnings)


def _slide(root: etree._Element, builder: TextBuilder) -> None:
    """Titles first, wherever they stand in the file."""
    shapes = list(_shapes(child(root, "cSld", "spTree")))
    shapes.sort(key=lambda shape: _placeholder(shape) not in _TITLES)
    for shape in shapes:
        if local(shape) == "graphicFrame":
            _table(child(shape, "graphic", "graphicData", "tbl"), builder)
        else:
            _shape(shape, builder)


def _shapes(tree: etree._Element | None) -> Iterator[etree._Element]:
    for node in tree if tree is not None else ():
        name = local(node)
        if name in {"sp", "graphicFrame"}:
            yield node
        elif name in {"grpSp", "AlternateContent", "Choice"}:
            yield from _shapes(node)


def _placeholder(shape: etree._Element) -> str | None:
    """The kind of placeholder that a shape is, if it is one."""
    node = child(shape, "nvSpPr", "nvPr", "ph")
    return None if node is None else node.get("type") or "body"


def _shape(shape: etree._Element, builder: TextBuilder) -> None:
    kind, body = _placeholder(shape), child(shape, "txBody")
    if body is None or kind in _UNREAD:
        return
    paragraphs = [one for one in body if local(one) == "p"]
    if kind in _TITLES:
        builder.heading(" ".join(_text(one) for one in paragraphs), 1)
        return
    for paragraph in paragraphs:
        text, properties = _text(paragraph), child(paragraph, "pPr")
        depth = int(level) if (level := (_attribute(properties, "lvl") or "0")).isdecimal() else 0
        bullet = properties is not None and any(local(one) in _BULLETS for one in properties)
        if depth or bullet:
            builder.item(text, depth=min(depth, 8))
        else:
            builder.block(text)


def _table(table: etree._Element | None, builder: TextBuilder) -> None:
    rows = [row for row in (table if table is not None else ()) if local(row) == "tr"]
    cells = ([_cell(one) for one in row if _is_cell(one)] for row in rows)
    for texts in spread(cells):
        builder.row(texts)


def _is_cell(node: etree._Element) -> bool:
    """Not one that another covers from the left."""
    return local(node) == "tc" and node.get("hMerge") is None


def _cell(cell: etree._Element) -> Cell:
    return Cell(
        " ".join(_text(one) for one in cell.iter() if local(one) == "p"),
        columns=span(cell.get("gridSpan")),
        merged=cell.get("vMerge") is not None,
    )


def _text(paragraph: etree._Element) -> str:
    parts = []
    for node in paragraph.iter():
        if local(node) == "t":
            parts.append(node.text or "")
        elif local(node) == "br":
            parts.append("\n")
    return "".join(parts)


def _attribute(node: etree._Element | None, name: str) -> str | None:
    return None if node is None else attribute(node, name)
