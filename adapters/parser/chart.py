"""Charts in Office files: the numbers that were drawn, as a table."""

from __future__ import annotations

from lxml import etree

from adapters.parser.builder import TextBuilder
from adapters.parser.xml import child, local


def add_chart(root: etree._Element, builder: TextBuilder) -> None:
    """The title, then a row for each category with its value in every series."""
    chart = child(root, "chart")
    title = child(chart, "title")
    if title is not None:
        builder.block("".join(one.text or "" for one in title.iter() if local(one) == "t"))
    series = [one for one in root.iter() if local(one) == "ser"]
    names = [" ".join(_points(child(one, "tx")).values()) for one in series]
    values = [_points(child(one, "val")) or _points(child(one, "yVal")) for one in series]
    categories = next((found for one in series if (found := _categories(one))), {})
    builder.row(["", *names])
    for index in sorted({index for one in (categories, *values) for index in one}):
        builder.row([categories.get(index, ""), *(one.get(index, "") for one in values)])


def _categories(series: etree._Element) -> dict[int, str]:
    return _points(child(series, "cat")) or _points(child(series, "xVal"))


def _points(node: etree._Element | None) -> dict[int, str]:
    """The values that are kept beside the reference to the sheet, by their places."""
    found: dict[int, str] = {}
    for one in node.iter() if node is not None else ():
        if local(one) == "pt":
            value = child(one, "v")
            index = str(one.get("idx", ""))
            if value is not None and value.text and index.isdecimal():
                found[int(index[:9])] = value.text
    return found
