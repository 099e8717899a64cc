"""PDF, by PDFium: the text layer, page by page."""

from __future__ import annotations

import ctypes
import math
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from itertools import groupby
from typing import Final

import pypdfium2 as pdfium
from pypdfium2 import raw

from adapters.parser.builder import TextBuilder
from adapters.parser.form import fields
from adapters.parser.layout import Bookmark, Layout, Line, Page
from orchestrator.domain.documents import ParsedDocument
from orchestrator.domain.errors import Unsupported
from orchestrator.ports.parser import Progress, unheard

HEAD: Final = 1024
MAX_BOOKMARKS: Final = 20_000
SHOWN: Final = 5
"""So many runs of pages are named where no page has text, and not all for the same reason."""
_LIBRARY: Final = threading.Lock()
"""PDFium may be called by one thread at a time."""
_DATE: Final = re.compile(
    r"(?:D:)?(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?([Zz]|[+-]\d\d'?\d\d)?"
)
_MADE_FROM: Final = re.compile(r"\AMicrosoft (?:Word|PowerPoint|Excel) - ")


class PdfParser:
    """`orchestrator.ports.parser.Parser`: text, headings and pages; no page is held for long."""

    media_types = frozenset({"application/pdf"})

    def parse(self, content: bytes, progress: Progress = unheard) -> ParsedDocument:
        """The text layer; a page without one is a warning, a file without one is unsupported."""
        if b"%PDF-" not in content[:HEAD]:
            raise Unsupported("the file is not a PDF", code="broken_file")
        with _LIBRARY, closing(_opened(content)) as document:
            warnings = _with_form(document)
            pages = list(_pages(document, progress))
            properties, bookmarks = _properties(document), _bookmarks(document)
        if not pages:
            raise Unsupported("the PDF has no pages", code="broken_file")
        if not any(page.lines or page.fields for page in pages):
            raise _without_text(pages)
        builder = TextBuilder()
        layout = Layout(pages, bookmarks)
        layout.write(builder)
        title = _MADE_FROM.sub("", properties.pop("title", "")) or layout.title
        return builder.build(title, properties=properties, warnings=warnings + _warnings(pages))


def _opened(content: bytes) -> pdfium.PdfDocument:
    try:
        return pdfium.PdfDocument(content)
    except pdfium.PdfiumError as error:
        if error.err_code == raw.FPDF_ERR_PASSWORD:
            raise Unsupported(
                "the PDF is encrypted: it needs a password", code="encrypted"
            ) from error
        if error.err_code == raw.FPDF_ERR_SECURITY:
            raise Unsupported(
                "the PDF is encrypted in a way that is not read", code="encrypted"
            ) from error
        raise Unsupported(f"the PDF is broken: {error}", code="broken_file") from error


def _with_form(document: pdfium.PdfDocument) -> list[str]:
    """Before any page is opened; a warning where it cannot be done."""
    try:
        document.init_forms()
    except pdfium.PdfiumError:
        return ["the fields of its form could not be read"]
    return []


def _pages(document: pdfium.PdfDocument, progress: Progress) -> Iterator[Page]:
    total = len(document)
    for index in range(total):
        yield _page(document, index)
        progress(index + 1, total)


def _page(document: pdfium.PdfDocument, index: int) -> Page:
    try:
        with closing(document[index]) as page, closing(page.get_textpage()) as text:
            drawn = raw.FPDFPage_CountObjects(page) > 0
            return Page(tuple(_lines(text)), tuple(fields(page)), drawn=drawn)
    except pdfium.PdfiumError:
        return Page((), drawn=False, broken=True)


def _lines(text: pdfium.PdfTextPage) -> Iterator[Line]:
    at = 0
    whole = text.get_text_range(errors="replace")
    for line in whole.split("\r\n"):
        bare = line.strip()
        if bare:
            first = at + _units(line[: len(line) - len(line.lstrip())])
            yield _placed(text, bare, raw.FPDFText_GetCharIndexFromTextIndex(text, first))
        at += _units(line) + 2


def _placed(text: pdfium.PdfTextPage, line: str, index: int) -> Line:
    """A line with the size of its first letter and where it stands."""
    matrix = raw.FS_MATRIX()
    if index < 0 or not raw.FPDFText_GetMatrix(text, index, ctypes.byref(matrix)):
        return Line(line)
    size = raw.FPDFText_GetFontSize(text, index) * math.hypot(matrix.c, matrix.d)
    return Line(line, round(size * 2) / 2, matrix.f)


def _units(text: str) -> int:
    """How many UTF-16 units, in which PDFium counts."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def _properties(document: pdfium.PdfDocument) -> dict[str, str]:
    found = document.get_metadata_dict()
    return {
        "title": found.get("Title", ""),
        "author": found.get("Author", ""),
        "created": _date(found.get("CreationDate", "")),
        "modified": _date(found.get("ModDate", "")),
        "language": _language(document),
    }


def _language(document: pdfium.PdfDocument) -> str:
    length = raw.FPDFCatalog_GetLanguage(document, None, 0)
    if not 2 < length < 100:
        return ""
    buffer = ctypes.create_string_buffer(length)
    raw.FPDFCatalog_GetLanguage(
        document, ctypes.cast(buffer, ctypes.POINTER(raw.FPDF_WCHAR)), length
    )
    return buffer.raw[: length - 2].decode("utf-16-le", "ignore")


def _date(written: str) -> str:
    """PDF's way of writing a date as ISO's; nothing for what is none."""
    found = _DATE.match(written.strip())
    if not found:
        return ""
    year, month, day, hour, minute, second, zone = found.groups()
    iso = f"{year}-{month or '01'}-{day or '01'}T{hour or '00'}:{minute or '00'}:{second or '00'}"
    if zone:
        iso += "+00:00" if zone in "Zz" else f"{zone[:3]}:{zone[-2:]}"
    try:
        return datetime.fromisoformat(iso).isoformat()
    except ValueError:
        return ""


def _bookmarks(document: pdfium.PdfDocument) -> list[Bookmark]:
    found = []
    for one in document.get_toc(max_depth=6):
        target = one.get_dest()
        index = target.get_index() if target else None
        if index is not None:
            found.append(Bookmark(index, one.level + 1, one.get_title()))
        if len(found) >= MAX_BOOKMARKS:
            break
    return found


def _without_text(pages: Sequence[Page]) -> Unsupported:
    if all(page.broken for page in pages):
        return Unsupported("the PDF is broken: none of its pages can be read", code="broken_file")
    which = "its page" if len(pages) == 1 else f"any of its {len(pages)} pages"
    found = [] if all(page.drawn for page in pages) else _warnings(pages)
    more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    details = f" ({'; '.join(found[:SHOWN] + more)})" if found else ""
    return Unsupported(
        f"the PDF has no text layer on {which}{details}: a scan needs OCR, which is not done here",
        code="no_text_layer",
    )


def _warnings(pages: Sequence[Page]) -> list[str]:
    bare = [i for i, page in enumerate(pages, 1) if page.drawn and not page.lines]
    broken = [i for i, page in enumerate(pages, 1) if page.broken]
    return [f"{_named(*run)} no text layer" for run in _runs(bare, "has", "have")] + [
        f"{_named(*run)} broken" for run in _runs(broken, "is", "are")
    ]


def _runs(numbers: Sequence[int], one: str, many: str) -> Iterator[tuple[int, int, str]]:
    """Numbers that follow on each other as first, last and the verb for them."""
    for _, run in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        found = [number for _, number in run]
        yield found[0], found[-1], one if len(found) == 1 else many


def _named(first: int, last: int, verb: str) -> str:
    return f"page {first} {verb}" if first == last else f"pages {first}-{last} {verb}"
