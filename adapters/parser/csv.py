"""Tables in text, parted by commas, semicolons, tabs or bars."""

from __future__ import annotations

import csv
import io
from typing import Final

from adapters.parser.builder import TextBuilder
from adapters.parser.text import decode
from orchestrator.domain.documents import ParsedDocument
from orchestrator.domain.errors import Unsupported

SAMPLE: Final = 1 << 16
DELIMITERS: Final = ",;\t|"
MAX_FIELD: Final = 16 << 20


class CsvParser:
    """`orchestrator.ports.parser.Parser`."""

    media_types = frozenset({"text/csv", "text/tab-separated-values"})

    def parse(self, content: bytes) -> ParsedDocument:
        """Every row, as one of a table."""
        text = decode(content)
        builder = TextBuilder()
        csv.field_size_limit(MAX_FIELD)
        try:
            for row in csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text)):
                builder.row(row)
        except csv.Error as error:
            raise Unsupported(f"the table is broken: {error}", code="broken_file") from error
        return builder.build()


def _delimiter(text: str) -> str:
    """The one that parts the first lines most evenly; a comma where none does."""
    lines = [line for line in text[:SAMPLE].split("\n") if line.strip()][:50]
    if len(lines) > 1 and len(text) > SAMPLE:
        lines = lines[:-1]
    best, most = ",", 0
    for delimiter in DELIMITERS:
        widths = [len(row) for row in csv.reader(lines, delimiter=delimiter)]
        common = max(set(widths), key=widths.count, default=1)
        even = widths.count(common) * (common > 1) * (100 + common)
        if even > most:
            best, most = delimiter, even
    return best
