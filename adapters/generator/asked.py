"""What kind of thing a question asks for, and whether a sentence has one."""

from __future__ import annotations

import re
from typing import Final

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
_KINDS: Final = (
    (
        re.compile(
            r"\bwhen\b|\b(?:what|which) (?:date|day|year|month|time)\b|\bhow (?:soon|late|long)\b",
            re.IGNORECASE,
        ),
        _DATE,
    ),
    (
        re.compile(
            r"\bhow (?:many|much|old|far|often|large|tall|fast|high|big|deep|heavy)\b|\bwhat "
            r"(?:percentage|percent|number|share|age)\b|\b(?:limit|price|cost|fee|amount|rate)\b",
            re.IGNORECASE,
        ),
        _NUMBER,
    ),
)
IDENTIFIER: Final = re.compile(
    r"\b(?=[\w./-]*\d)(?=[\w./-]*[A-Za-z])[A-Za-z0-9]+(?:[-./_][A-Za-z0-9]+)*\b"
)
"""A code, a version or a ticket: letters and digits in one word."""


def lacks_what_is_asked(question: str, sentence: str) -> bool:
    """Whether the question asks for a time or a number, and the sentence has none."""
    for asks, has in _KINDS:
        if asks.search(question):
            return not has.search(sentence)
    return False


def unknown_identifiers(question: str, text: str) -> bool:
    """Whether the question names a code that the text does not have."""
    there = text.casefold()
    return any(code.casefold() not in there for code in IDENTIFIER.findall(question))
