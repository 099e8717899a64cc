"""How alike two texts are, told from sketches that are small and of one size."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from heapq import nsmallest
from itertools import islice
from typing import Final

SHINGLE: Final = 4
SKETCH: Final = 32
MAX_WORDS: Final = 20_000
ALIKE: Final = 0.75
"""The share of two sketches that nearly equal texts have in common."""

_WORD: Final = re.compile(r"\w+")


def sketch(text: str) -> list[int]:
    """The smallest hashes of the text's runs of four words, at most 32, ascending.

    Of equal texts they are equal; of others, their share in common estimates 2J / (1 + J), where
    J is the share of runs that both texts have (bottom-k MinHash: Broder, 1997). Case and
    punctuation do not count, nor what comes after the first 20,000 words.
    """
    return nsmallest(SKETCH, {_hash(run) for run in _runs(text)})


def _runs(text: str) -> Iterator[str]:
    words = [word.group().casefold() for word in islice(_WORD.finditer(text), MAX_WORDS)]
    for start in range(max(1, len(words) - SHINGLE + 1)):
        yield " ".join(words[start : start + SHINGLE])


def _hash(run: str) -> int:
    digest = hashlib.blake2b(run.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest) >> 1  # databases know only signed numbers
