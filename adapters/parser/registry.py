"""Every parser behind one door, and what kind of file it is that stands there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Final

import puremagic

from adapters.parser.csv import CsvParser
from adapters.parser.html import HtmlParser
from adapters.parser.json import JsonParser
from adapters.parser.markdown import MarkdownParser
from adapters.parser.office import OfficeParser
from adapters.parser.package import DOCX, PPTX, XLSX
from adapters.parser.pdf import PdfParser
from adapters.parser.qa import QaParser
from adapters.parser.text import TextParser
from adapters.parser.zip import ZIP, ZipParser
from orchestrator.domain.documents import QA_MEDIA_TYPE, ParsedDocument
from orchestrator.domain.errors import Unsupported
from orchestrator.ports.parser import HEAD_BYTES, PagedParser, Parser, Progress, unheard

_HTML: Final = re.compile(
    rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype html|html|head|body)\b", re.IGNORECASE | re.DOTALL
)
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_WIDE: Final = (b"\xff\xfe", b"\xfe\xff")
_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")
_OLD_OFFICE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_RTF: Final = b"{\\rtf"
_PDF: Final = re.compile(rb"(?:\A|[\r\n])%PDF-\d")
_PDF_WITHIN: Final = 1024
_TEXTS: Final = {
    ".html": "text/html",
    ".htm": "text/html",
    ".xhtml": "text/html",
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".json": "application/json",
    ".jsonl": "application/json",
    ".ndjson": "application/json",
}
_ZIPS: Final = {
    ".docx": DOCX, ".docm": DOCX, ".dotx": DOCX,
    ".pptx": PPTX, ".pptm": PPTX, ".ppsx": PPTX, ".potx": PPTX,
    ".xlsx": XLSX, ".xlsm": XLSX, ".xltx": XLSX,
}  # fmt: skip
_NAMES: Final = {DOCX: "DOCX", PPTX: "PPTX", XLSX: "XLSX"}
_OLD: Final = {
    ".doc": "an old Word file: save it as .docx",
    ".xls": "an old Excel file: save it as .xlsx",
    ".ppt": "an old PowerPoint file: save it as .pptx",
}


class ParserRegistry:
    """`orchestrator.ports.parser.Parsers` on a thread: for files that are trusted."""

    def __init__(self) -> None:
        plain: Sequence[Parser] = (
            TextParser(),
            MarkdownParser(),
            HtmlParser(),
            QaParser(),
            CsvParser(),
            JsonParser(),
            OfficeParser(),
        )
        paged: Sequence[PagedParser] = (PdfParser(), ZipParser(self))
        self._plain = {kind: parser for parser in plain for kind in parser.media_types}
        self._paged = {kind: parser for parser in paged for kind in parser.media_types}
        self._files = {*self._plain, *self._paged} - {QA_MEDIA_TYPE}

    def sniff(self, head: bytes, filename: str) -> str:
        """By the first bytes; the name's ending tells kinds of text apart, and of zip files."""
        if not head.strip() and len(head) < HEAD_BYTES:
            raise Unsupported(f"'{filename}' is empty", code="empty_document", field="file")
        head = head[:HEAD_BYTES].removeprefix(b"\xef\xbb\xbf")
        ending = PurePath(filename).suffix.casefold()
        kind = _signed(head, ending) or _text(head, ending)
        if kind not in self._files:
            raise Unsupported(
                f"'{filename}' is not read: it looks like {_guess(head, ending)}; this service "
                f"reads {', '.join(sorted(_NAMES.get(one, one) for one in self._files))}",
                field="file",
            )
        return kind

    async def parse(
        self, file: Path, media_type: str, *, progress: Progress = unheard
    ) -> ParsedDocument:
        """Hand over to the parser of that type."""
        loop = asyncio.get_running_loop()

        def told(done: int, total: int) -> None:
            loop.call_soon_threadsafe(progress, done, total)

        return await asyncio.to_thread(lambda: self.read(file.read_bytes(), media_type, told))

    def read(self, content: bytes, media_type: str, progress: Progress = unheard) -> ParsedDocument:
        """Extract the text; blocking.

        Raises:
            Unsupported: when no parser reads that type, or the bytes are of another.
        """
        if paged := self._paged.get(media_type):
            return paged.parse(content, progress)
        if plain := self._plain.get(media_type):
            return plain.parse(content)
        raise Unsupported(f"no parser reads {media_type}")


def _signed(head: bytes, ending: str) -> str | None:
    """The kind that the first bytes say, if they do."""
    if head.startswith(_ZIP):
        return _ZIPS.get(ending, ZIP)
    if head.startswith(b"%PDF-"):
        return "application/pdf"
    late = _PDF.search(head[:_PDF_WITHIN])
    return "application/pdf" if late and (ending == ".pdf" or _is_binary(head)) else None


def _text(head: bytes, ending: str) -> str | None:
    """The kind of text, or None for what is none."""
    if _is_binary(head) or head.startswith(_RTF):
        return None
    if _HTML.match(head):
        return "text/html"
    return _TEXTS.get(ending, "text/plain")


def _is_binary(head: bytes) -> bool:
    return _CONTROL.search(head) is not None and not head.startswith(_WIDE)


def _guess(content: bytes, ending: str) -> str:
    if content.startswith(_OLD_OFFICE):
        return _OLD.get(ending, "an old or an encrypted Office file")
    try:
        return str(puremagic.from_string(content, mime=True)) or "a binary file"
    except (puremagic.PureError, ValueError):
        return "a binary file"
