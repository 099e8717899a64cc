"""Parsers that see no file before the virus scanner has."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from orchestrator.domain.documents import ParsedDocument
from orchestrator.domain.errors import Unsupported
from orchestrator.ports.parser import Parsers, Progress, unheard
from orchestrator.ports.scanner import Scanner

INFECTED: Final = "infected"


class Scanned:
    """`orchestrator.ports.parser.Parsers` over others; what the scanner reports is not parsed."""

    def __init__(self, parsers: Parsers, scanner: Scanner) -> None:
        self._parsers = parsers
        self._scanner = scanner

    def sniff(self, head: bytes, filename: str) -> str:
        """As the parsers do."""
        return self._parsers.sniff(head, filename)

    async def parse(
        self, file: Path, media_type: str, *, progress: Progress = unheard
    ) -> ParsedDocument:
        """Scan, then parse."""
        if found := await self._scanner.scan(file):
            raise Unsupported(f"the virus scanner found '{found}' in the file", code=INFECTED)
        return await self._parsers.parse(file, media_type, progress=progress)
