"""Where the tokens of a text are: by a model's own tokenizer, or by a guess on the safe side."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from tokenizers import Tokenizer

from orchestrator.domain.errors import Misconfigured

Spans: TypeAlias = Sequence[tuple[int, int]]
Counter: TypeAlias = Callable[[str], Spans]

_GUESSED: Final = re.compile(r"[A-Za-z]{1,3}|[0-9]{1,2}|\S")


def guessed(text: str) -> Spans:
    """At most three Latin letters, two digits or one other character are a token.

    Tokenizers in use make fewer of ordinary text: an English word of six letters is one or two.
    """
    return [found.span() for found in _GUESSED.finditer(text)]


def counter_of(tokenizer: Tokenizer) -> Counter:
    """The tokenizer's own word pieces, however many there are, without special tokens."""
    whole = Tokenizer.from_str(tokenizer.to_str())
    whole.no_padding()
    whole.no_truncation()

    def spans(text: str) -> Spans:
        offsets = whole.encode(text, add_special_tokens=False).offsets
        return [
            (start, end) for start, end in (_bare(text, *one) for one in offsets) if start < end
        ]

    return spans


def read_counter(path: Path) -> Counter:
    """The counter of a `tokenizer.json`.

    Raises:
        Misconfigured: when there is none, or it cannot be read.
    """
    try:
        return counter_of(Tokenizer.from_str(path.read_text()))
    except Exception as error:  # the library raises no narrower class
        raise Misconfigured(f"the tokenizer '{path}' cannot be read: {error}") from error


def first(text: str, tokens: int, counter: Counter) -> str:
    """As much of the text's beginning as so many tokens hold."""
    spans = counter(text)
    return text if len(spans) <= tokens else text[: spans[tokens][0]].rstrip()


def _bare(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without space at its ends, which some tokenizers count to the word."""
    inside = text[start:end]
    return start + len(inside) - len(inside.lstrip()), end - (len(inside) - len(inside.rstrip()))
