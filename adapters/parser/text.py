"""Plain text, in whatever encoding."""

from __future__ import annotations

from typing import Final

from charset_normalizer import from_bytes

from adapters.parser.builder import TextBuilder
from orchestrator.domain.documents import ParsedDocument
from orchestrator.domain.errors import Unsupported

MAX_TITLE: Final = 120


class TextParser:
    """`orchestrator.ports.parser.Parser`: a short first line above others is the title."""

    media_types = frozenset({"text/plain"})

    def parse(self, content: bytes) -> ParsedDocument:
        """Paragraphs, as they are."""
        text = decode(content)
        first, _, rest = text.strip().partition("\n")
        builder = TextBuilder()
        if (
            rest.strip()
            and len(first) <= MAX_TITLE
            and not first.rstrip().endswith((".", ",", ";"))
        ):
            builder.heading(first, 1)
            text = rest
        builder.block(text.strip("\n"))
        return builder.build()


def decode(content: bytes) -> str:
    """The bytes as text, its lines ended by newlines.

    Raises:
        Unsupported: when no encoding makes text of them.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        best = from_bytes(content).best()
        if best is None:
            raise Unsupported("the file is not text in any known encoding") from None
        text = str(best)
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
