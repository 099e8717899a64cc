"""XML as data: no document types, no entities, nothing fetched, no nodes without end."""

from __future__ import annotations

from typing import Final

from lxml import etree

from orchestrator.domain.errors import Unsupported

MAX_BYTES: Final = 64 << 20
_WIDE: Final = (b"\xff\xfe", b"\xfe\xff")
_TYPES: Final = (b"<!DOCTYPE", b"<!ENTITY")


def read_xml(content: bytes, name: str) -> etree._Element:
    """The root of a document.

    Raises:
        Unsupported: when it is not well-formed, too large, or declares a type or entities.
    """
    if len(content) > MAX_BYTES:
        raise Unsupported(f"'{name}' is larger than {MAX_BYTES >> 20} MB", code="too_large")
    refuse_types(content, name)
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Unsupported(f"'{name}' is not well-formed: {error}", code="broken_file") from error
    if root.getroottree().docinfo.doctype:
        raise _typed(name)
    return root


def refuse_types(content: bytes, name: str) -> None:
    """Refuse a document type before any parser meets it.

    Raises:
        Unsupported: when there is one.
    """
    if content.startswith(_WIDE) or b"\0" in content[:4]:
        content = content.replace(b"\0", b"")
    if any(mark in content for mark in _TYPES):
        raise _typed(name)


def local(node: etree._Element) -> str:
    """An element's name without its namespace, of which Office has two for everything."""
    tag = node.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def attribute(node: etree._Element, name: str) -> str | None:
    """An attribute by its name without its namespace."""
    for key, value in node.attrib.items():
        if str(key).rpartition("}")[2] == name:
            return str(value)
    return None


def child(node: etree._Element | None, *path: str) -> etree._Element | None:
    """The first descendant along a path of names without namespaces."""
    for name in path:
        if node is None:
            return None
        node = next((one for one in node if local(one) == name), None)
    return node


def _typed(name: str) -> Unsupported:
    return Unsupported(
        f"'{name}' declares a document type or entities, which are not read", code="unsafe_xml"
    )
