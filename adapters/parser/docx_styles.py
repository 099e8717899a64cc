"""What a Word paragraph is, by its styles and numbering: heading, list item or neither."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Final

from lxml import etree

from adapters.parser.xml import attribute, child, local

MAX_BASED_ON: Final = 20
_HEADING: Final = re.compile(r"heading (\d)")
_PLACE: Final = re.compile(r"%(\d)")
_ROMAN: Final = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"),
    (50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip


class Styles:
    """Paragraph styles by id."""

    def __init__(self, root: etree._Element | None) -> None:
        self._styles = {
            attribute(one, "styleId"): one
            for one in (root if root is not None else ())
            if local(one) == "style"
        }
        self.language = _value(child(root, "docDefaults", "rPrDefault", "rPr", "lang"))

    def level(self, properties: etree._Element | None) -> int | None:
        """The level of the heading that a paragraph is."""
        for settings, name in self._along(properties):
            if name == "title":
                return 1
            if found := _HEADING.fullmatch(name):
                return int(found[1])
            outline = _number(_value(child(settings, "outlineLvl")))
            if outline is not None:
                return outline + 1 if outline < 9 else None
        return None

    def numbering(self, properties: etree._Element | None) -> tuple[str, int] | None:
        """The list and the depth in it of the item that a paragraph is."""
        number, depth = None, None
        for settings, _ in self._along(properties):
            numbered = child(settings, "numPr")
            depth = depth if depth is not None else _number(_value(child(numbered, "ilvl")))
            number = number or _value(child(numbered, "numId"))
        if number is None or number == "0":
            return None
        return number, min(depth or 0, 8)

    def _along(self, properties: etree._Element | None) -> list[tuple[etree._Element | None, str]]:
        """A paragraph's own properties, then its style's, then those that one is based on."""
        found: list[tuple[etree._Element | None, str]] = [(properties, "")]
        style = _value(child(properties, "pStyle"))
        for _ in range(MAX_BASED_ON):
            node = self._styles.get(style)
            if style is None or node is None:
                break
            name = (_value(child(node, "name")) or "").casefold()
            found.append((child(node, "pPr"), name))
            style = _value(child(node, "basedOn"))
        return found


class Numbers:
    """Counts the items of every list."""

    def __init__(self, root: etree._Element | None) -> None:
        nodes = list(root) if root is not None else []
        self._kinds = {
            attribute(one, "abstractNumId"): {
                _number(attribute(level, "ilvl")): level for level in one if local(level) == "lvl"
            }
            for one in nodes
            if local(one) == "abstractNum"
        }
        self._lists = {
            attribute(one, "numId"): _value(child(one, "abstractNumId"))
            for one in nodes
            if local(one) == "num"
        }
        self._counts: dict[str | None, dict[int, int]] = defaultdict(dict)

    def mark(self, number: str, depth: int) -> str:
        """The mark of the next item: its number, a dash, or nothing."""
        kind = self._lists.get(number)
        levels = self._kinds.get(kind, {})
        level = levels.get(depth)
        form = _value(child(level, "numFmt")) or "bullet"
        if form in {"bullet", "none"}:
            return "-" if form == "bullet" else ""
        counts = self._counts[kind]
        counts[depth] = counts.get(depth, _start(level) - 1) + 1
        for deeper in [one for one in counts if one > depth]:
            del counts[deeper]

        def place(found: re.Match[str]) -> str:
            at = int(found[1]) - 1
            own = _value(child(levels.get(at), "numFmt")) or "decimal"
            return _written(counts.get(at, _start(levels.get(at))), own)

        return _PLACE.sub(place, _value(child(level, "lvlText")) or "")


def _start(level: etree._Element | None) -> int:
    start = _number(_value(child(level, "start")))
    return 1 if start is None else start


def _written(number: int, form: str) -> str:
    if form in {"lowerLetter", "upperLetter"} and 0 < number <= 26:
        letter = chr(ord("a") + number - 1)
        return letter if form == "lowerLetter" else letter.upper()
    if form in {"lowerRoman", "upperRoman"} and 0 < number < 4000:
        parts = []
        for value, letters in _ROMAN:
            parts.append(letters * (number // value))
            number %= value
        return "".join(parts) if form == "lowerRoman" else "".join(parts).upper()
    return str(number)


def _value(node: etree._Element | None) -> str | None:
    return None if node is None else attribute(node, "val")


def _number(value: str | None) -> int | None:
    return int(value) if value and value.isdecimal() and len(value) < 6 else None
