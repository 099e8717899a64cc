"""Excel workbooks: every sheet a page and a section, its rows a table."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Sequence
from datetime import datetime, time
from typing import Any, Final
from xml.etree.ElementTree import ParseError

from lxml import etree
from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from adapters.parser.builder import TextBuilder
from adapters.parser.package import Package
from adapters.parser.xml import refuse_types
from orchestrator.domain.documents import ParsedDocument
from orchestrator.domain.errors import Unsupported

MAX_COLUMNS: Final = 2000
_BROKEN: Final = (
    InvalidFileException,
    ParseError,
    etree.XMLSyntaxError,
    zipfile.BadZipFile,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    IndexError,
)


def read_xlsx(package: Package, content: bytes) -> ParsedDocument:
    """The values that the cells had when the workbook was saved."""
    _look_over(package)
    properties, notes = package.properties()
    builder = TextBuilder()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of extensions and styles, which are not read
        try:
            book = load_workbook(
                io.BytesIO(content), read_only=True, data_only=True, keep_links=False
            )
            for sheet in book.worksheets:
                builder.page()
                builder.heading(sheet.title, 1)
                sheet.reset_dimensions()  # they may lie
                for row in sheet.iter_rows(values_only=True, max_col=MAX_COLUMNS):
                    builder.row(_cells(row))
        except _BROKEN as error:
            raise Unsupported(f"the workbook is broken: {error}", code="broken_file") from error
    return builder.build(
        properties.pop("title", None), headed=False, properties=properties, warnings=notes
    )


def _look_over(package: Package) -> None:
    """Inflate every part once within its limits: the library opens the file by itself."""
    for name in sorted(package.names):
        with package.archive.open(name) as stream:
            before = b""
            while piece := stream.read(1 << 16):
                if name.endswith((".xml", ".rels", ".vml")):
                    refuse_types(before + piece, name)
                before = piece[-64:]


def _cells(row: Sequence[Any]) -> list[str]:
    cells = [_shown(value) for value in row]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _shown(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "TRUE" if value else "FALSE"
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case datetime() if value.time() == time.min:
            return value.date().isoformat()
        case _:
            return str(value)
