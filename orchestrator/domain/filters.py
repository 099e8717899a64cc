"""The filter grammar: typed conditions over metadata, joined by and, or, not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Final, TypeAlias

from orchestrator.domain.characters import UNKEPT, kept
from orchestrator.domain.errors import Rejected

Scalar: TypeAlias = str | int | float | bool
MetadataValue: TypeAlias = Scalar | list[Scalar] | None
Metadata: TypeAlias = Mapping[str, MetadataValue]

OPERATORS: Final = ("eq", "ne", "in", "gt", "gte", "lt", "lte", "prefix", "exists")
MAX_DEPTH: Final = 8
MAX_CONDITIONS: Final = 100
MAX_VALUES: Final = 10_000
"""In all lists of one filter together."""


@dataclass(frozen=True, slots=True)
class Condition:
    """`field op value`, as in `department eq legal`."""

    field: str
    op: str
    value: Scalar | tuple[Scalar, ...]
    _members: frozenset[tuple[bool, Scalar]] = dataclass_field(
        init=False, repr=False, compare=False, default=frozenset()
    )

    def __post_init__(self) -> None:
        if isinstance(self.value, tuple):
            object.__setattr__(self, "_members", frozenset(map(_typed, self.value)))

    def matches(self, metadata: Metadata) -> bool:
        """Whether the metadata holds; a list-valued field holds when any of its values does."""
        actual = metadata.get(self.field)
        if self.op == "exists":
            return (actual is not None) is bool(self.value)
        values = actual if isinstance(actual, list) else [] if actual is None else [actual]
        if self.op == "in":
            return any(_typed(value) in self._members for value in values)
        if self.op == "ne":
            return not any(_same(value, self.value) for value in values)
        return any(_holds(self.op, value, self.value) for value in values)


@dataclass(frozen=True, slots=True)
class And:
    """Every operand holds."""

    operands: tuple[Filter, ...]

    def matches(self, metadata: Metadata) -> bool:
        """Whether every operand holds."""
        return all(operand.matches(metadata) for operand in self.operands)


@dataclass(frozen=True, slots=True)
class Or:
    """At least one operand holds."""

    operands: tuple[Filter, ...]

    def matches(self, metadata: Metadata) -> bool:
        """Whether any operand holds."""
        return any(operand.matches(metadata) for operand in self.operands)


@dataclass(frozen=True, slots=True)
class Not:
    """The operand does not hold."""

    operand: Filter

    def matches(self, metadata: Metadata) -> bool:
        """Whether the operand fails."""
        return not self.operand.matches(metadata)


Filter: TypeAlias = Condition | And | Or | Not


def parse_filter(raw: object) -> Filter:
    """Read a filter from its JSON form.

    Raises:
        Rejected: naming the path of the first part that is not in the grammar.
    """
    parser = _Parser()
    return parser.read(raw, "filters", MAX_DEPTH)


class _Parser:
    def __init__(self) -> None:
        self._left = MAX_CONDITIONS
        self._values = MAX_VALUES

    def read(self, raw: object, path: str, depth: int) -> Filter:
        if not isinstance(raw, Mapping):
            raise _wrong(path, "must be an object such as {field, op, value} or {and: [...]}")
        if depth == 0:
            raise _wrong(path, f"is nested more than {MAX_DEPTH} deep")
        match sorted(raw):
            case ["and"]:
                return And(self._operands(raw["and"], f"{path}.and", depth))
            case ["or"]:
                return Or(self._operands(raw["or"], f"{path}.or", depth))
            case ["not"]:
                return Not(self.read(raw["not"], f"{path}.not", depth - 1))
            case ["field", "op", "value"]:
                return self._condition(raw, path)
        raise _wrong(
            path, "must have exactly 'field', 'op' and 'value', or one of 'and', 'or', 'not'"
        )

    def _operands(self, raw: object, path: str, depth: int) -> tuple[Filter, ...]:
        if not isinstance(raw, list) or not raw:
            raise _wrong(path, "must be a list of at least one filter")
        return tuple(self.read(part, f"{path}[{i}]", depth - 1) for i, part in enumerate(raw))

    def _condition(self, raw: Mapping[str, object], path: str) -> Condition:
        self._left -= 1
        if self._left < 0:
            raise _wrong(path, f"is more than {MAX_CONDITIONS} conditions")
        field, op, value = raw["field"], raw["op"], raw["value"]
        if not isinstance(field, str) or not field:
            raise _wrong(f"{path}.field", "must be the name of a metadata field")
        if op not in OPERATORS or not isinstance(op, str):
            raise _wrong(f"{path}.op", f"must be one of {', '.join(OPERATORS)}")
        if isinstance(value, list):
            self._values -= len(value)
            if self._values < 0:
                raise _wrong(f"{path}.value", f"makes more than {MAX_VALUES:,} values in all")
        for name, part in (("field", field), ("value", value)):
            if not kept(part):
                raise _wrong(f"{path}.{name}", UNKEPT)
        return Condition(field, op, _operand(op, value, f"{path}.value"))


def _operand(op: str, value: object, path: str) -> Scalar | tuple[Scalar, ...]:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, float) and not math.isfinite(one):
            raise _wrong(path, f"must be finite: {one} cannot be compared")
    match op:
        case "in":
            if (
                isinstance(value, list)
                and value
                and all(isinstance(v, str | int | float) for v in value)
            ):
                return tuple(value)
            raise _wrong(path, "must be a list of at least one string, number or boolean")
        case "prefix" if not isinstance(value, str):
            raise _wrong(path, "must be a string")
        case "exists" if not isinstance(value, bool):
            raise _wrong(path, "must be true or false")
    if isinstance(value, str | int | float):
        return value
    raise _wrong(path, "must be a string, a number or a boolean")


def _holds(op: str, actual: Scalar, wanted: Scalar | tuple[Scalar, ...]) -> bool:
    match op, wanted:
        case "eq", _:
            return _same(actual, wanted)
        case "prefix", str():
            return isinstance(actual, str) and actual.startswith(wanted)
        case _, str() if isinstance(actual, str):
            return _ordered(op, actual, wanted)
        case _, bool():
            pass  # which has no order
        case _, int() | float() if isinstance(actual, int | float) and not isinstance(actual, bool):
            return _ordered(op, actual, wanted)
    return False


def _ordered(op: str, actual: str | float, wanted: str | float) -> bool:
    order = (actual > wanted) - (actual < wanted)  # type: ignore[operator]  # both of one kind
    return {"gt": order > 0, "gte": order >= 0, "lt": order < 0, "lte": order <= 0}[op]


def _typed(value: Scalar) -> tuple[bool, Scalar]:
    """A value that equals another where both are the same: `1` is `1.0`, and not `True`."""
    return isinstance(value, bool), value


def _same(actual: Scalar, wanted: Scalar | tuple[Scalar, ...]) -> bool:
    return isinstance(actual, bool) is isinstance(wanted, bool) and actual == wanted


def _wrong(path: str, what: str) -> Rejected:
    return Rejected(f"{path} {what}", code="invalid_filter", field=path)
