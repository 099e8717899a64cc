"""What kind of thing a question asks for, and what of a sentence could be one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from adapters.analysis import STOP_WORDS

_UNITS: Final = r"(?:second|minute|hour|day|week|month|quarter|year|decade|centur(?:y|ie))s?"
_MONTHS: Final = (
    r"january|february|march|april|may|june|july|august|september|october|november|december"
    r"|monday|tuesday|wednesday|thursday|friday|saturday|sunday"
)
_DATE: Final = re.compile(
    rf"\b(?:1\d|20)\d\d\b|\b(?:{_MONTHS})\b|\b{_UNITS}\b|\b(?:daily|weekly|monthly|yearly|annually"
    r"|noon|midnight|during|after|before|since|until)\b|\d ?(?:am|pm|bc|ad)\b|\d:\d\d",
    re.IGNORECASE,
)
_NUMBER: Final = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|twenty|thirty"
    r"|forty|fifty|sixty|seventy|eighty|ninety|hundreds?|thousands?|millions?|billions?|half|twice"
    r"|dozen|percent|first|second|third|fourth|fifth|no|none|both|single|double|several|every)\b",
    re.IGNORECASE,
)
_DURATION: Final = re.compile(rf"\b\w+ {_UNITS}\b", re.IGNORECASE)
_AGE: Final = re.compile(
    r"\b(?:years?|aged?|old|older|young|younger|born|adults?)\b", re.IGNORECASE
)
_REASON: Final = re.compile(
    r"\b(?:because|due|since|so|order|caus\w+|reasons?|leads?|led|results?|therefore|thus|to)\b",
    re.IGNORECASE,
)
IDENTIFIER: Final = re.compile(
    r"\b(?!\d+(?:s|st|nd|rd|th)\b)(?=[\w./-]*\d)(?=[\w./-]*[A-Za-z])"
    r"[A-Za-z0-9]+(?:[-./_][A-Za-z0-9]+)*\b"
)
"""A code, a version or a ticket: letters and digits in one word, which is no `1990s` or `20th`."""


class Kind(StrEnum):
    """What an answer has to be."""

    TIME = "time"
    AGE = "age"
    COUNT = "count"
    NUMBER = "number"
    NAME = "name"
    REASON = "reason"
    ANY = "any"


_ASKS: Final = {
    Kind.TIME: re.compile(
        r"\bwhen\b|\b(?:what|which) (?:date|day|year|month|time)\b|\bhow (?:soon|late|long)\b",
        re.IGNORECASE,
    ),
    Kind.AGE: re.compile(r"\bhow old\b|\b(?:what|which|minimum|maximum) age\b", re.IGNORECASE),
    Kind.COUNT: re.compile(r"\bhow many\b", re.IGNORECASE),
    Kind.NUMBER: re.compile(
        r"\bhow (?:much|far|often|large|tall|fast|high|big|deep|heavy)\b|\bwhat "
        r"(?:percentage|percent|number|share)\b|\b(?:limit|price|cost|fee|amount|rate)\b"
        r"|\b(?:what|which) (?:\w+ )?version\b|\bwhat do(?:es)? (?:.+ )?pay\b",
        re.IGNORECASE,
    ),
    Kind.NAME: re.compile(
        r"\b(?:who|whose|whom|where)\b|\b(?:what|which) (?:\w+ )?(?:city|country|state|place|town"
        r"|region|street|river|building|area|continent|county|location|province)\b",
        re.IGNORECASE,
    ),
    Kind.REASON: re.compile(r"\bwhy\b|\bwhat (?:\w+ )?(?:caused?|reasons?)\b", re.IGNORECASE),
}
_IS: Final = {
    Kind.TIME: _DATE,
    Kind.AGE: _AGE,
    Kind.COUNT: _NUMBER,
    Kind.NUMBER: _NUMBER,
    Kind.REASON: _REASON,
}
MEASURES: Final = frozenset({Kind.TIME, Kind.AGE, Kind.COUNT, Kind.NUMBER})
"""What can be told apart from everything else by its looks."""


def kind(question: str) -> Kind:
    """What the question asks for."""
    return next((one for one, asks in _ASKS.items() if asks.search(question)), Kind.ANY)


def has(asked: Kind, new: Sequence[str]) -> bool:
    """Whether words that are not the question's own have the kind of thing that is asked for.

    A length of time is no count of anything else.
    """
    if asked is Kind.ANY:
        return True
    if asked is Kind.NAME:
        return any(_is_name(word) for word in new[1:])
    text = " ".join(new)
    if asked is Kind.COUNT:
        text = _DURATION.sub("", text)
    return bool(_IS[asked].search(text))


def could_be(asked: Kind, word: str) -> bool:
    """Whether a word by itself could be, or begin, what is asked for."""
    if asked in MEASURES:
        return bool((_DATE if asked is Kind.TIME else _NUMBER).search(word))
    return _is_name(word) if asked is Kind.NAME else word.casefold() not in STOP_WORDS


def unknown_identifiers(question: str, text: str) -> bool:
    """Whether the question names a code that the text does not have."""
    there = text.casefold()
    return any(code.casefold() not in there for code in IDENTIFIER.findall(question))


def _is_name(word: str) -> bool:
    return word[0].isupper() and word.casefold() not in STOP_WORDS
