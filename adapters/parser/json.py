"""JSON, as lines of path and value; lists of like objects as tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from adapters.parser.builder import TextBuilder
from adapters.parser.text import decode
from orchestrator.domain.documents import ParsedDocument
from orchestrator.domain.errors import Unsupported

MAX_COLUMNS: Final = 50


class JsonParser:
    """`orchestrator.ports.parser.Parser`; also of one JSON value a line."""

    media_types = frozenset({"application/json"})

    def parse(self, content: bytes) -> ParsedDocument:
        """Everything that has a value, under its path; `title` is the title."""
        value = _value(decode(content))
        builder = TextBuilder()
        try:
            _write(value, "", builder)
        except RecursionError as error:
            raise Unsupported("the JSON nests too deeply", code="broken_file") from error
        title = value.get("title") if isinstance(value, dict) else None
        return builder.build(title if isinstance(title, str) else None)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as whole:
        try:
            return [json.loads(line) for line in text.split("\n") if line.strip()]
        except ValueError:
            raise Unsupported(f"the file is not JSON: {whole}", code="broken_file") from whole
    except RecursionError as error:
        raise Unsupported("the JSON nests too deeply", code="broken_file") from error


def _write(value: Any, path: str, builder: TextBuilder) -> None:
    """Scalars of one object stand together; objects and lists within follow."""
    if _is_table(value):
        _table(value, path, builder)
        return
    lines, inner = [], []
    for name, one in _members(value):
        at = f"{path}.{name}" if path and name and not name.startswith("[") else f"{path}{name}"
        if isinstance(one, dict | list):
            inner.append((at, one))
        elif one is not None and str(one).strip():
            lines.append(f"{at}: {_scalar(one)}" if at else _scalar(one))
    builder.block("\n".join(lines))
    for at, one in inner:
        _write(one, at, builder)


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    match value:
        case dict():
            yield from ((str(name), one) for name, one in value.items())
        case list() if not any(isinstance(one, dict | list) for one in value):
            yield "", ", ".join(_scalar(one) for one in value if one is not None)
        case list():
            yield from ((f"[{index}]", one) for index, one in enumerate(value))
        case _:
            yield "", value


def _is_table(value: Any) -> bool:
    """Whether it is a list of flat objects with about the same names."""
    if not isinstance(value, list) or len(value) < 2:
        return False
    if not all(isinstance(one, dict) and _is_flat(one) for one in value):
        return False
    names = _names(value)
    filled = sum(len(one) for one in value)
    return 0 < len(names) <= MAX_COLUMNS and filled * 2 >= len(names) * len(value)


def _is_flat(one: Mapping[str, Any]) -> bool:
    return not any(isinstance(value, dict | list) for value in one.values())


def _names(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _table(rows: Sequence[Mapping[str, Any]], path: str, builder: TextBuilder) -> None:
    names = _names(rows)
    builder.block(path)
    builder.row(names)
    for row in rows:
        builder.row(["" if row.get(name) is None else _scalar(row[name]) for name in names])


def _scalar(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
