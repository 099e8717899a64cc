"""What the pool and its processes say to each other: JSON below a tag and its length."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Final

HEADER: Final = struct.Struct(">8sBQ")
"""The tag of a request, which all that is said to it repeats; the kind; how many bytes follow."""
WHOLE: Final = 0
"""The kind of a request, and of what ends it."""
STEP: Final = 1
"""The kind that says how far the answer is: `[done, total]`; each says more than the one before."""
STEP_BYTES: Final = 64
STEP_S: Final = 0.25
"""Steps are so far apart, but for the last; the pool suffers twice as many."""
FIRST: Final = bytes(8)
"""The tag of what a process says unasked, once, when it is ready."""

EXHAUSTED: Final = 109
"""The status with which a process exits that ran out of memory where it could not say so."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a process is told when it is started; `registry` is a class, as `module:name`."""

    parent: int
    memory_bytes: int
    open_files: int
    niceness: int
    max_text_chars: int
    registry: str = "adapters.parser.registry:ParserRegistry"


@dataclass(frozen=True, slots=True)
class Refusal:
    """There is no text, and why: a stable code, and a sentence."""

    code: str
    detail: str


def framed(tag: bytes, value: object, kind: int = WHOLE) -> bytes:
    """A value as a frame; a half of a character becomes a question mark."""
    content = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
    return HEADER.pack(tag, kind, len(content)) + content
