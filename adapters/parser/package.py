"""The package that every Office file is: parts in a zip file, related by XML."""

from __future__ import annotations

import posixpath
from typing import Final

from lxml import etree

from adapters.parser.archive import Archive, Budget
from adapters.parser.xml import attribute, local, read_xml
from orchestrator.domain.errors import Unsupported

CONTENT_TYPES: Final = "[Content_Types].xml"
DOCX: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX: Final = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_ROOTS: Final = {"document": DOCX, "presentation": PPTX, "workbook": XLSX}
_PROPERTIES: Final = {
    "creator": "author",
    "created": "created",
    "modified": "modified",
    "language": "language",
    "title": "title",
}


class Package:
    """An Office file's parts, by their paths."""

    def __init__(self, content: bytes, budget: Budget | None = None) -> None:
        self.archive = Archive(content, budget)
        self.names = self.archive.names
        if CONTENT_TYPES not in self.names:
            raise Unsupported(
                "the file is a zip file, but not one of Word, PowerPoint or Excel",
                code="broken_file",
            )
        self.main = next(iter(self.related("", "officeDocument").values()), "")
        if self.main not in self.names:
            raise Unsupported("the file has no main part", code="broken_file")

    def xml(self, name: str) -> etree._Element:
        """A part that is there."""
        return read_xml(self.archive.read(name), name)

    def optional(self, name: str | None) -> etree._Element | None:
        """A part, or None where there is none."""
        return self.xml(name) if name in self.names and name else None

    def related(self, name: str, kind: str) -> dict[str, str]:
        """The parts of one kind that a part refers to, by the id of the reference."""
        folder, base = posixpath.split(name)
        relations = self.optional(posixpath.join(folder, "_rels", f"{base}.rels"))
        return {
            str(one.get("Id")): _path(folder, str(one.get("Target", "")))
            for one in (relations if relations is not None else ())
            if str(one.get("Type", "")).endswith(f"/{kind}") and one.get("TargetMode") != "External"
        }

    def one_related(self, name: str, kind: str) -> etree._Element | None:
        """The first such part, or None."""
        return self.optional(next(iter(self.related(name, kind).values()), None))

    def kind(self) -> str:
        """The media type, by the main part's root element.

        Raises:
            Unsupported: when it is of no kind that is read.
        """
        with self.archive.open(self.main) as stream:
            head = stream.read(4096)
        for root, media_type in _ROOTS.items():
            if _begins_with(head, root):
                return media_type
        raise Unsupported("the file is not one of Word, PowerPoint or Excel", code="broken_file")

    def properties(self) -> tuple[dict[str, str], list[str]]:
        """What the file says of itself, `title` among it; or a warning."""
        found: dict[str, str] = {}
        try:
            core = next(iter(self.related("", "core-properties").values()), None)
            root = self.optional(core)
        except Unsupported as error:
            if error.code != "broken_file":
                raise
            return found, [f"the properties could not be read: {error.detail}"]
        for one in root if root is not None else ():
            name = _PROPERTIES.get(local(one))
            if name and one.text and one.text.strip():
                found[name] = one.text.strip()
        return found, []


def relation(node: etree._Element) -> str:
    """The id by which an element refers to a part."""
    for key, value in node.attrib.items():
        if str(key).endswith("/relationships}id"):
            return str(value)
    return attribute(node, "embed") or ""


def _path(folder: str, target: str) -> str:
    if target.startswith("/"):
        return posixpath.normpath(target).lstrip("/")
    return posixpath.normpath(posixpath.join(folder, target))


def _begins_with(head: bytes, root: str) -> bool:
    """Whether the first element is so named, in whatever namespace and encoding of ASCII."""
    plain = head.replace(b"\0", b"")
    start = plain.find(b"<")
    while start >= 0 and plain[start + 1 : start + 2] in {b"?", b"!"}:
        start = plain.find(b"<", start + 1)
    name = plain[start + 1 :].split(b">")[0].split()[:1]
    return bool(name) and name[0].rpartition(b":")[2] == root.encode()
