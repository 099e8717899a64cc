"""Manifests: files named one by one, each with what is said of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from orchestrator.domain.errors import Rejected
from orchestrator.http.forms import PlaceItem

_ITEMS: Final = TypeAdapter(list[PlaceItem])
_FORM: Final = "a manifest is a JSON array, or one JSON object a line"


def read_manifest(path: Path) -> Sequence[PlaceItem]:
    """Every item of a manifest; each names a path.

    Raises:
        Rejected: when it cannot be read, or an item is none, or names a URL.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Rejected(f"the manifest '{path}': {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Rejected(f"the manifest '{path}' is not UTF-8") from error
    items = list(_array(path, text) if text.lstrip().startswith("[") else _lines(path, text))
    if not items:
        raise Rejected(f"the manifest '{path}' names nothing: {_FORM}")
    for item in items:
        _check(path, item)
    return items


def _array(path: Path, text: str) -> Iterator[PlaceItem]:
    try:
        yield from _ITEMS.validate_json(text)
    except ValidationError as error:
        raise _wrong(f"the manifest '{path}'", error) from error


def _lines(path: Path, text: str) -> Iterator[PlaceItem]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            yield PlaceItem.model_validate_json(line)
        except ValidationError as error:
            raise _wrong(f"the manifest '{path}', line {number}", error) from error


def _check(path: Path, item: PlaceItem) -> None:
    if item.url is not None or "://" in (item.path or ""):
        raise Rejected(
            f"the manifest '{path}' names {item.url or item.path}: `rag ingest` reads files only; "
            "hand URLs to POST /v1/documents:batch of a running service"
        )
    if item.path is None or "\0" in item.path:
        raise Rejected(f"the manifest '{path}': every item needs a path")


def _wrong(where: str, error: ValidationError) -> Rejected:
    first = error.errors()[0]
    at = ".".join(str(part) for part in first["loc"])
    return Rejected(f"{where}: {f'{at}: ' if at else ''}{first['msg']}; {_FORM}")
