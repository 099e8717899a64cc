"""Every parser behind one door, and what kind of file it is that stands there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Final

import puremagic

from adapters.parser.html import HtmlParser
from adapters.parser.markdown import MarkdownParser
from adapters.parser.qa import QaParser
from adapters.parser.text import TextParser
from orchestrator.domain.documents import QA_MEDIA_TYPE, ParsedDocument
from orchestrator.domain.errors import Unsupported
from orchestrator.ports.parser import HEAD_BYTES, Parser

_HTML: Final = re.compile(
    rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype html|html|head|body)\b", re.IGNORECASE | re.DOTALL
)
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_WIDE: Final = (b"\xff\xfe", b"\xfe\xff")
_SIGNED: Final = (b"%PDF-", b"PK\x03\x04", b"{\\rtf")


class ParserRegistry:
    """`orchestrator.ports.parser.Parsers` on a thread: for files that are trusted."""

    def __init__(self, parsers: Sequence[Parser] | None = None) -> None:
        chosen = parsers or (TextParser(), MarkdownParser(), HtmlParser(), QaParser())
        self._parsers = {kind: parser for parser in chosen for kind in parser.media_types}

    def sniff(self, head: bytes, filename: str) -> str:
        """Text by its bytes; HTML by its first tag; Markdown by the name's ending."""
        if not head.strip() and len(head) < HEAD_BYTES:
            raise Unsupported(f"'{filename}' is empty", code="empty_document", field="file")
        head = head[:HEAD_BYTES].removeprefix(b"\xef\xbb\xbf")
        if head.startswith(_SIGNED) or (_CONTROL.search(head) and not head.startswith(_WIDE)):
            raise Unsupported(
                f"'{filename}' is not text: it looks like {_guess(head)}; this service reads "
                f"{', '.join(sorted(self._parsers.keys() - {QA_MEDIA_TYPE}))}",
                field="file",
            )
        ending = PurePath(filename).suffix.casefold()
        if _HTML.match(head) or ending in {".html", ".htm", ".xhtml"}:
            return "text/html"
        return "text/markdown" if ending in {".md", ".markdown"} else "text/plain"

    async def parse(self, file: Path, media_type: str) -> ParsedDocument:
        """Hand over to the parser of that type."""
        return await asyncio.to_thread(lambda: self.read(file.read_bytes(), media_type))

    def read(self, content: bytes, media_type: str) -> ParsedDocument:
        """Extract the text; blocking.

        Raises:
            Unsupported: when no parser reads that type, or the bytes are of another.
        """
        try:
            parser = self._parsers[media_type]
        except KeyError:
            raise Unsupported(f"no parser reads {media_type}") from None
        return parser.parse(content)


def _guess(content: bytes) -> str:
    try:
        return str(puremagic.from_string(content, mime=True)) or "a binary file"
    except (puremagic.PureError, ValueError):
        return "a binary file"
