"""Which characters text may have: what some store cannot keep, none is given."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final

from orchestrator.domain.errors import Rejected

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zs", "Zl", "Zp"})
_UNKEPT: Final = re.compile("[\x00\ud800-\udfff]")
UNKEPT: Final = "must not hold U+0000, nor half of a character"


def kept(value: object) -> bool:
    """Whether every store can keep it: all text in it, keys and elements, too."""
    match value:
        case str():
            return not _UNKEPT.search(value)
        case Mapping():
            return all(kept(name) and kept(one) for name, one in value.items())
        case Iterable():
            return all(kept(one) for one in value)
    return True


def require_kept(**fields: object) -> None:
    """Let fields through that every store can keep.

    Raises:
        Rejected: naming the first that not every one can.
    """
    for name, value in fields.items():
        if not kept(value):
            raise Rejected(f"{name} {UNKEPT}", code="invalid_request", field=name)


def keepable(text: str) -> str:
    """The text with a replacement character for each that not every store can keep."""
    return _UNKEPT.sub("\ufffd", text)


def visible(text: str) -> bool:
    """Whether a reader would see any of it: not only space, and what is no character."""
    return any(unicodedata.category(one) not in _UNSEEN for one in text)
