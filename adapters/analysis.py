"""Words of English text as every lexical adapter here sees them: folded, stemmed, no stop words."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

import snowballstemmer

WORD: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
"""A run of letters and digits, with an apostrophe inside."""

STOP_WORDS: Final = frozenset(
    """a about above after again against all also am an and any are as at be because been before
    being below between both but by can could did do does doing down during each few for from
    further had has have having he her here hers him his how i if in into is it its itself just
    me more most my no nor not now of off on once only or other our ours out over own per same she
    should so some such than that the their theirs them then there these they this those through
    to too under until up upon us very was we were what when where which while who whom whose why
    will with would you your yours""".split()  # a paragraph is easier to read
)
"""Function words of English, question words among them."""

_stemmer = snowballstemmer.stemmer("english")


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """A word's Snowball stem, folded to lower case and plain letters."""
    plain = word.casefold()
    if not plain.isascii():
        folded = unicodedata.normalize("NFKD", plain)
        plain = "".join(char for char in folded if not unicodedata.combining(char))
    if not plain.isalpha() and "'" not in plain:  # a code or a number has no stem
        return plain
    stemmed: str = _stemmer.stemWord(plain.removesuffix("'s").removesuffix("’s"))
    return stemmed


def terms(text: str) -> list[str]:
    """The stems of the text's words, in order, without stop words."""
    return [term for word in WORD.findall(text) if (term := _term(word))]


@lru_cache(maxsize=65_536)
def _term(word: str) -> str:
    return "" if word.casefold() in STOP_WORDS else stem(word)
