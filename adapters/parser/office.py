"""Word, PowerPoint and Excel files, each read as what it is, whatever it is named."""

from __future__ import annotations

from adapters.parser.archive import SIGNATURE
from adapters.parser.docx import read_docx
from adapters.parser.package import DOCX, PPTX, XLSX, Package
from adapters.parser.pptx import read_pptx
from adapters.parser.xlsx import read_xlsx
from orchestrator.domain.documents import ParsedDocument
from orchestrator.domain.errors import Unsupported


class OfficeParser:
    """`orchestrator.ports.parser.Parser` of everything in an Office package."""

    media_types = frozenset({DOCX, PPTX, XLSX})

    def parse(self, content: bytes) -> ParsedDocument:
        """By the kind of its main part."""
        if not content.startswith(SIGNATURE):
            raise Unsupported("the file is not one of Word, PowerPoint or Excel")
        package = Package(content)
        kind = package.kind()
        if kind == DOCX:
            return read_docx(package)
        return read_pptx(package) if kind == PPTX else read_xlsx(package, content)
