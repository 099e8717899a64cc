"""Archives of files that are read: one document, a section for each file."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final, Protocol
from zipfile import ZipInfo

from adapters.parser.archive import MAX_DEPTH, SIGNATURE, UNSAFE, Archive, Budget, shown, unsafe
from adapters.parser.builder import TextBuilder
from adapters.parser.package import CONTENT_TYPES, DOCX
from orchestrator.domain.documents import ParsedDocument
from orchestrator.domain.errors import Unsupported
from orchestrator.ports.parser import Progress, unheard

ZIP: Final = "application/zip"
HEAD_BYTES: Final = 4096
MAX_WARNINGS: Final = 100


class Reading(Protocol):
    """What the registry offers for a file within."""

    def sniff(self, head: bytes, filename: str) -> str:
        """The media type."""
        ...

    def read(self, content: bytes, media_type: str) -> ParsedDocument:
        """The text."""
        ...


class ZipParser:
    """`orchestrator.ports.parser.Parser`; archives within are read to a depth of five."""

    media_types = frozenset({ZIP})

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def parse(self, content: bytes, progress: Progress = unheard) -> ParsedDocument:
        """Every file that can be read, under its path; a warning for every other."""
        if not content.startswith((SIGNATURE, b"PK\x05\x06")):
            raise Unsupported("the file is not a zip file")
        budget = Budget()
        archive = Archive(content, budget)
        if CONTENT_TYPES in archive.names:
            return self._reading.read(content, DOCX)
        walk = _Walk(self._reading, budget)
        walk.over(archive, "", 1, progress)
        if not walk.found:
            reasons = "; ".join(walk.warnings[:3]) or "it is empty"
            raise Unsupported(f"nothing in the archive can be read: {reasons}")
        return walk.builder.build(headed=False, warnings=_few(walk.warnings))


class _Walk:
    """One pass over an archive and those within it."""

    def __init__(self, reading: Reading, budget: Budget) -> None:
        self.builder = TextBuilder()
        self.warnings: list[str] = []
        self.found = 0
        self._reading = reading
        self._budget = budget

    def over(self, archive: Archive, above: str, depth: int, progress: Progress = unheard) -> None:
        """Read every entry in the archive's order."""
        if depth > MAX_DEPTH:
            raise unsafe(f"it nests deeper than {MAX_DEPTH} archives")
        for done, entry in enumerate(archive.entries, start=1):
            path = f"{above}{shown(entry.filename)}"
            try:
                self._entry(archive, entry, path, depth)
            except Unsupported as error:
                if error.code == UNSAFE:
                    raise
                self._skip(path, error.detail)
            progress(done, len(archive.entries))

    def _skip(self, path: str, reason: str) -> None:
        self.warnings.append(f"entry '{path}' was skipped: {reason}")

    def _entry(self, archive: Archive, entry: ZipInfo, path: str, depth: int) -> None:
        if entry.is_dir():
            return
        if reason := archive.refusal(entry):
            self._skip(path, reason)
            return
        content = archive.read(entry.filename)
        media_type = self._reading.sniff(content[:HEAD_BYTES], PurePosixPath(path).name)
        if content.startswith(SIGNATURE):
            inner = Archive(content, self._budget)
            if media_type == ZIP and CONTENT_TYPES not in inner.names:
                self.over(inner, f"{path}/", depth + 1)
                return
        parsed = self._reading.read(content, media_type)
        self.found += 1
        self.builder.heading(path, 1)
        self.builder.document(parsed)
        self.warnings += [f"entry '{path}': {warning}" for warning in parsed.warnings]


def _few(warnings: list[str]) -> list[str]:
    more = len(warnings) - MAX_WARNINGS
    if more <= 0:
        return warnings
    return [*warnings[:MAX_WARNINGS], f"{more} more entries have warnings"]
