"""Parsing: bytes to text with structure."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

from orchestrator.domain.documents import ParsedDocument

HEAD_BYTES: Final = 4096
"""How much of a file's beginning tells what kind it is."""

TOO_SLOW: Final = "too_slow"
TOO_MUCH_MEMORY: Final = "too_much_memory"
TOO_MUCH_TEXT: Final = "too_much_text"
CRASHED: Final = "parser_crashed"
HARMFUL: Final = frozenset({TOO_SLOW, TOO_MUCH_MEMORY, TOO_MUCH_TEXT, CRASHED})
"""The codes of files that brought a parser down, or to a limit."""


Progress = Callable[[int, int], None]
"""Told how many pages of how many have been read, or entries of an archive; ever more of them."""


def unheard(done: int, total: int) -> None:
    """Progress that nobody asked for."""


class Isolation(StrEnum):
    """How far a parser is kept from everything else, from least to most."""

    LIMITS = "limits"
    PARTIAL = "partial"
    FULL = "full"

    @property
    def rank(self) -> int:
        """For comparing: a higher one is safer."""
        return list(type(self)).index(self)

    @property
    def sentence(self) -> str:
        """What it means."""
        return {
            Isolation.LIMITS: "limits on memory and time alone; the kernel offers no more",
            Isolation.PARTIAL: "limits, and either seccomp or Landlock; the kernel offers not both",
            Isolation.FULL: "no network, no new process, no file but Python's own, and limits",
        }[self]


class Parser(Protocol):
    """Reads the media types that it names."""

    media_types: frozenset[str]

    def parse(self, content: bytes) -> ParsedDocument:
        """Extract the text; blocking, and with no limit of its own on time or memory.

        Raises:
            Unsupported: when the bytes are not what the media type says.
        """
        ...


class PagedParser(Protocol):
    """A parser whose files may be long, and which says how far it is."""

    media_types: frozenset[str]

    def parse(self, content: bytes, progress: Progress = unheard) -> ParsedDocument:
        """As `Parser` does, with word of every page."""
        ...


class Parsers(Protocol):
    """Every parser of a deployment behind one door."""

    def sniff(self, head: bytes, filename: str) -> str:
        """The media type, from the first `HEAD_BYTES`; the name only tells relatives apart.

        Raises:
            Unsupported: when no parser reads it, naming what it seems to be.
        """
        ...

    async def parse(
        self, file: Path, media_type: str, *, progress: Progress = unheard
    ) -> ParsedDocument:
        """Extract the text with the parser of that media type, within the deployment's limits.

        `progress` is called in the caller's event loop, now and then and at the last page; never
        where the format has no pages.

        Raises:
            Unsupported: when the bytes are not what the media type says, go beyond a limit, or
                bring the parser down.
            Unavailable: when nothing can be parsed now.
        """
        ...
