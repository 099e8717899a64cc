"""Plain text, in whatever encoding."""

from __future__ import annotations

import contextlib
from typing import Final

from charset_normalizer import from_bytes

from adapters.parser.builder import TextBuilder
from orchestrator.domain.documents import ParsedDocument
from orchestrator.domain.errors import Unsupported

MAX_TITLE: Final = 120
WESTERN: Final = 0.6
_WIDE: Final = (b"\xff\xfe", b"\xfe\xff")


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
        text = _guessed(content)
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")


def _guessed(content: bytes) -> str:
    """Mostly ASCII is Western, unless it begins as UTF-16 does; else the likeliest encoding."""
    plain = sum(byte < 0x80 for byte in content) / len(content)
    if plain >= WESTERN and not content.startswith(_WIDE):
        with contextlib.suppress(UnicodeDecodeError):
            return content.decode("cp1252")
    best = from_bytes(content).best()
    if best is None:
        raise Unsupported("the file is not text in any known encoding")
    return str(best)
