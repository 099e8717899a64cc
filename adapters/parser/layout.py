"""Lines on pages to paragraphs, headings and lists, without what every page repeats."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final

from adapters.parser.builder import TextBuilder

HEADING: Final = 1.15
"""A heading's letters are so much larger than the body's."""
MAX_HEADING: Final = 160
MAX_HEADINGS: Final = 0.3
"""Beyond this share of a document's lines, large letters mean nothing."""
EDGE: Final = 2
"""So many lines at the top and the bottom of a page may be its header and footer."""
REPEATED: Final = 0.3
"""On such a share of the pages, a header is one."""
MIN_REPEATED: Final = 3
FULL: Final = 0.7
"""A line of such a share of the longest one's length goes on in the next."""
APART: Final = 1.4

_NUMBER: Final = re.compile(r"\d{1,5}")
_WORD: Final = re.compile(r"\w+(?:-\w+)*")
_BROKEN_WORD: Final = re.compile(r"(\w{1,60})[\ufffe\x02\xad](\w{1,60})")
_NO_LETTER: Final = re.compile(r"[\W_]+")
_BULLET: Final = re.compile(r"[•‣◦▪▫●○■□\uf0b7]\s*")
_NUMBERING: Final = re.compile(r"\A(?:\w{1,3}\.)*\w{1,3}[.)]?\s+")
_ALEF_LAM: Final = re.compile("\u0627([\u0622\u0623\u0625\u0627])\u0644")
"""What PDFium makes of the ligature of lam and alef after an alef: no word has two alefs."""
_SCRIPTS: Final = re.compile(r"(?<=[\u0620-\u064a])(?=[A-Za-z])|(?<=[A-Za-z])(?=[\u0620-\u064a])")
_LIGATURES: Final = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text, the size of its letters, and how high it stands on its page."""

    text: str
    size: float = 0.0
    height: float = 0.0


@dataclass(frozen=True, slots=True)
class Page:
    """A page's lines in reading order, what is filled in there, and whether it shows anything."""

    lines: Sequence[Line]
    fields: Sequence[str] = ()
    drawn: bool = True
    broken: bool = False


@dataclass(frozen=True, slots=True)
class Bookmark:
    """An entry of a document's outline."""

    page: int
    level: int
    title: str


class Layout:
    """What the lines of a document are, seen together."""

    def __init__(self, pages: Sequence[Page], bookmarks: Sequence[Bookmark]) -> None:
        self._pages = pages
        sizes: Counter[float] = Counter()
        for page in pages:
            for line in page.lines:
                sizes[line.size] += len(line.text)
        self._body = max(sizes, key=sizes.__getitem__, default=0.0)
        self._levels = self._levels_of(sizes)
        self._outline = _outline(pages, bookmarks)
        self.title = self._largest()

    def write(self, builder: TextBuilder) -> None:
        """Hand every page's blocks to the builder."""
        running = _running(self._pages, self._body * HEADING)
        for index, page in enumerate(self._pages):
            builder.page()
            kept = [line for at, line in enumerate(page.lines) if (index, at) not in running]
            outline = self._outline.get(index, {})
            for lines in _blocks(kept):
                self._block(lines, outline, builder)
            for field in page.fields:
                builder.item(self._mended(field))

    def _block(self, lines: Sequence[Line], outline: dict[str, int], builder: TextBuilder) -> None:
        text = self._mended(_joined(lines))
        named = outline.get(_bare(text)) if outline else None
        level = named or self._level(lines[0], text)
        bullet = _BULLET.match(text)
        if level and len(text) <= MAX_HEADING:
            builder.heading(text, level)
        elif bullet:
            builder.item(" ".join(text[bullet.end() :].split()))
        else:
            builder.block(text)

    def _level(self, line: Line, text: str) -> int | None:
        """By the size of its letters, where the document has no outline."""
        level = None if self._outline else self._levels.get(line.size)
        return level if any(letter.isalpha() for letter in text) else None

    def _levels_of(self, sizes: Counter[float]) -> dict[float, int]:
        large = sorted((size for size in sizes if size >= self._body * HEADING), reverse=True)
        if not self._body or sum(sizes[size] for size in large) > MAX_HEADINGS * sizes.total():
            return {}
        return {size: level for level, size in enumerate(large, start=1)}

    def _largest(self) -> str | None:
        """The line in the largest letters of the first page that has text, if they are large."""
        lines = next((page.lines for page in self._pages if page.lines), ())
        for block in _blocks(lines):
            largest = max(line.size for line in lines)
            if block[0].size == largest and largest >= self._body * HEADING:
                text = self._mended(_joined(block))
                return text if len(text) <= MAX_HEADING else None
        return None

    def _mended(self, text: str) -> str:
        """Words that a line's end broke are whole again; ligatures are letters."""
        if text.isascii() and "\x02" not in text:
            return text
        text = _BROKEN_WORD.sub(self._whole, text.translate(_LIGATURES)).replace("\ufffe", "-")
        return _SCRIPTS.sub(" ", _ALEF_LAM.sub("\u0627\u0644\\1", text))

    @cached_property
    def _words(self) -> Counter[str]:
        """How often each word stands in the document."""
        return Counter(
            word.casefold()
            for page in self._pages
            for line in page.lines
            for word in _WORD.findall(line.text.translate(_LIGATURES))
        )

    def _whole(self, found: re.Match[str]) -> str:
        """Without the hyphen, unless the document writes the word with one elsewhere."""
        first, second = found.groups()
        whole, hyphened = f"{first}{second}", f"{first}-{second}"
        if not second[0].islower() or not first[-1].isalpha():
            return hyphened
        known = self._words[hyphened.casefold()] > self._words[whole.casefold()]
        return hyphened if known else whole


def _blocks(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """Lines parted where the letters change, a gap opens, or a bullet stands."""
    steps = [a.height - b.height for a, b in pairwise(lines)]
    usual = sorted(step for step in steps if step > 0)
    step = usual[len(usual) // 2] if usual else 0.0
    block: list[Line] = []
    for line in lines:
        if block and _parts(block[-1], line, step):
            yield block
            block = []
        block.append(line)
    if block:
        yield block


def _parts(above: Line, line: Line, usual: float) -> bool:
    if abs(above.size - line.size) > 0.1 * max(above.size, line.size) or _BULLET.match(line.text):
        return True
    step = above.height - line.height
    return step > APART * max(usual, line.size) or step < -line.size


def _joined(lines: Sequence[Line]) -> str:
    """A paragraph's full lines flow; short ones, as of tables and verse, stay."""
    longest = max(len(line.text) for line in lines)
    parts = []
    for line in lines:
        parts += [line.text, " " if len(line.text) >= FULL * longest else "\n"]
    return "".join(parts[:-1])


def _running(pages: Sequence[Page], large: float) -> set[tuple[int, int]]:
    """Headers, after their first time, and page numbers, as (page, line); none in large letters."""
    places: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for index, page in enumerate(pages):
        count = len(page.lines)
        edges = {*range(min(EDGE, count)), *range(max(0, count - EDGE), count)}
        for at in sorted(edges):
            if page.lines[at].size >= large > 0:
                continue
            for key in _keys(page.lines[at].text, index):
                places[key].append((index, at))
    enough = max(MIN_REPEATED, REPEATED * sum(bool(page.lines) for page in pages))
    found: set[tuple[int, int]] = set()
    for key, where in places.items():
        if len(where) >= enough:
            found.update(where if key.strip("#+-0123456789 ") == "" else where[1:])
    return found


def _keys(text: str, index: int) -> Iterator[str]:
    """How a line would be repeated: as it is, or with a number that counts the pages."""
    if len(text) > MAX_HEADING:
        return
    if not text.isdecimal():
        yield text
    for number in _NUMBER.finditer(text):
        yield f"{text[: number.start()]}#{int(number[0]) - index:+d}{text[number.end() :]}"


def _outline(pages: Sequence[Page], bookmarks: Sequence[Bookmark]) -> dict[int, dict[str, int]]:
    """For each page the headings that the outline names and the page has."""
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for one in bookmarks:
        if one.page < len(pages) and _bare(one.title):
            found[one.page][_bare(one.title)] = one.level
    written = {
        index: {_bare(_joined(block)) for block in _blocks(pages[index].lines)} for index in found
    }
    return {
        index: titles
        for index, titles in found.items()
        if not titles.keys().isdisjoint(written[index])
    }


def _bare(text: str) -> str:
    """A heading without its number, spaces and case."""
    bare = _NUMBERING.sub("", " ".join(text.split()))
    return _NO_LETTER.sub("", bare.casefold())
