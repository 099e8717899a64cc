"""Parsing: bytes to text with structure."""

from pathlib import Path
from typing import Final, Protocol

from orchestrator.domain.documents import ParsedDocument

HEAD_BYTES: Final = 4096
"""How much of a file's beginning tells what kind it is."""


class Parser(Protocol):
    """Reads the media types that it names."""

    media_types: frozenset[str]

    def parse(self, content: bytes) -> ParsedDocument:
        """Extract the text; blocking, and with no limit of its own on time or memory.

        Raises:
            Unsupported: when the bytes are not what the media type says.
        """
        ...


class Parsers(Protocol):
    """Every parser of a deployment behind one door."""

    def sniff(self, head: bytes, filename: str) -> str:
        """The media type, from the first `HEAD_BYTES`; the name only tells relatives apart.

        Raises:
            Unsupported: when no parser reads it, naming what it seems to be.
        """
        ...

    async def parse(self, file: Path, media_type: str) -> ParsedDocument:
        """Extract the text with the parser of that media type, within the deployment's limits.

        Raises:
            Unsupported: when the bytes are not what the media type says, or go beyond a limit.
            Unavailable: when nothing can be parsed now.
        """
        ...
