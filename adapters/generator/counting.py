"""How many tokens texts have: by a model's own tokeniser, or by a guess on the safe side."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from tokenizers import Tokenizer

from orchestrator.domain.errors import Misconfigured

Counter: TypeAlias = Callable[[Sequence[str]], Sequence[int]]

AT_ONCE: Final = 30_000
"""To guess for so many characters takes a millisecond: less than to wait for a thread."""
_GUESSED: Final = re.compile(r"[A-Za-z]{1,3}|[0-9]{1,2}|[^\S ]|  +|[!-~]|[^ -~]{1}")
_BEYOND: Final = re.compile(r"[^\x00-\uffff]")


def guessed(texts: Sequence[str]) -> list[int]:
    """At most three Latin letters, two digits or one other character are a token.

    Line breaks and runs of spaces are tokens too, and what is beyond the basic plane (emoji, rare
    characters) counts for its four bytes.
    """
    return [len(_GUESSED.findall(text)) + 3 * len(_BEYOND.findall(text)) for text in texts]


async def counted(counter: Counter, texts: Sequence[str]) -> Sequence[int]:
    """What the counter says, from another thread where it takes its time."""
    if counter is guessed and sum(map(len, texts)) <= AT_ONCE:
        return counter(texts)
    return await asyncio.to_thread(counter, texts)


def read_counter(path: Path) -> Counter:
    """The counter of a `tokenizer.json`, without the tokens that stand around a whole text.

    Raises:
        Misconfigured: when there is none, or it cannot be read.
    """
    try:
        tokenizer = Tokenizer.from_str(path.read_text())
    except Exception as error:  # the library raises no narrower class
        raise Misconfigured(f"the tokenizer '{path}' cannot be read: {error}") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()

    def count(texts: Sequence[str]) -> list[int]:
        found = tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(one) for one in found]

    return count
