"""Parsing: bytes to text with structure."""

from typing import Protocol

from orchestrator.domain.documents import ParsedDocument


class Parser(Protocol):
    """Reads the media types that it names."""

    media_types: frozenset[str]

    def parse(self, content: bytes) -> ParsedDocument:
        """Extract the text. Blocking: the caller runs it on a thread or in a process.

        Raises:
            Unsupported: when the bytes are not what the media type says.
        """
        ...


class Parsers(Protocol):
    """Every parser of a deployment behind one door."""

    def sniff(self, content: bytes, filename: str) -> str:
        """The media type, from the bytes first; the name only tells kinds of text apart.

        Raises:
            Unsupported: when no parser reads it, naming what it seems to be.
        """
        ...

    def parse(self, content: bytes, media_type: str) -> ParsedDocument:
        """Extract the text with the parser of that media type; blocking."""
        ...
