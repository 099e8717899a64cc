"""Follow-ups made whole by rules, for English and German: from the words of questions alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from orchestrator.answering.understanding import OPENS
from orchestrator.domain.words import STOP_WORDS

EARLIER: Final = 6
"""So many questions back, at most, a follow-up is understood from."""
TOPIC: Final = 12
"""So many words of the question before are added at most."""
ELLIPTIC: Final = 6
"""A fragment has so many words at most."""
STANDS_ALONE: Final = "it stands alone"

_JOINS: Final = re.compile(r"(?:and|but|or|so|then|und|aber|oder|also)\b[,\s]+", re.IGNORECASE)
_ABOUT: Final = re.compile(
    r"(?:(?:what|how) about|(?:the )?same for|what if it(?:'s| is)"
    r"|(?:was|wie) (?:ist|gilt|steht es|sieht es|ist es)(?: aus)? (?:mit|für|bei))\s+",
    re.IGNORECASE,
)
_PREPOSITION: Final = (
    r"(?:after|at|before|by|during|for|from|in|on|outside|since|to|under|until|with|within|without"
    r"|auf|aus|bei|bis|für|im|nach|ohne|seit|von|vor|während|zu)"
)
_PLACED: Final = re.compile(rf"({_PREPOSITION})\s+(.+)", re.IGNORECASE)
_PLACE_ENDS: Final = re.compile(rf"\b{_PREPOSITION}\s\Z")
_NAME: Final = r"[A-ZÄÖÜ0-9][\w.&-]*(?:\s+[A-ZÄÖÜ0-9][\w.&-]*)*"
_TIME: Final = re.compile(
    r"(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day|weekend|(?:mon|diens|donners|frei|sams|sonn)tag"
    r"|mittwoch)",
    re.IGNORECASE,
)
_NAMED: Final = re.compile(rf"(?:(?:the|a|an|der|die|das)\s+)?({_NAME})")
_WORD: Final = re.compile(r"\w[\w.'’-]*\w|\w")
_ASKED: Final = re.compile(
    r"(?:what|when|where|which|who|whom|whose|why|how"
    r"|was|wann|wo|wohin|welche\w*|wer|wem|wen|wessen|warum|wieso|wie)\b",
    re.IGNORECASE,
)
_LIGHT: Final = frozenset(
    """long much many often far fast soon exactly else late early far instead really actually
    please explain tell more lange viel viele oft weit schnell genau sonst bitte""".split()
)
"""Words that name no topic beside those of `STOP_WORDS`."""

_LEADS: Final = "|".join(
    rf"(?<=\b[{one[0].upper()}{one[0]}]{one[1:]} )"
    for one in "about of for with to by is are does do did can was will".split()
)
_PRONOUN: Final = re.compile(
    r"\b(?P<own>its|their|theirs|his|hers|deren|dessen)\b"
    r"|\b(?P<other>[Tt]hey|them|he|she|him|er|ihn|ihm|ihnen|dafür|davon|dazu|darüber|dabei)\b"
    r"|\b(?P<it>[Ii]t|es)\b(?!\s+(?:(?:is|be)\s+)?(?:possible|true|allowed|necessary|required|ok|okay"
    r"|worth|legal|safe|better|permitted|rains?|snows?|möglich|erlaubt|nötig|wahr)\b"
    r"|\s+(?:takes?\s+(?:to|for|until|before)|means?\s+to)\b)"
    r"|\b(?P<place>there|dort|das)\b(?=\s*(?:[?.!,]|$))"
    r"|(?:(?<=\bman )|(?<=\bich )|(?<=\bwir ))(?P<sie>sie)\b"
    rf"|(?:{_LEADS})"
    r"(?P<that>this|that|these|those)\b"
    r"(?=\s*(?:[?.!,]|$)|\s+(?:\w+(?:ed|able|ible)|apply|mean|work|include|cost|take|happen|also"
    r"|hold|count|true|so|too)\b)"
)
_DUMMY: Final = re.compile(r"\b(?:gibt|ist|geht|is there|are there)\s+\Z", re.IGNORECASE)
_SUBORDINATE: Final = re.compile(
    r"\b(?:if|when|because|that|who|which|after|before|unless|while|whether|as|and"
    r"|wenn|dass|weil|die|der|nachdem|bevor|falls|ob|und)\b",
    re.IGNORECASE,
)


def standalone(question: str, earlier: Sequence[str]) -> tuple[str, str]:
    """The question as it can be understood without the earlier ones, oldest first; and why.

    What is no follow-up for sure stays as it is.
    """
    before = ""
    for one in earlier[-EARLIER:]:
        before, _ = _continued(one, before)
    return _continued(question, before)


def topic(text: str) -> Sequence[str]:
    """The words of a question that name what it is about, as they were written, each once."""
    words = [one for one in _WORD.findall(text) if one.casefold() not in STOP_WORDS | _LIGHT]
    return list({one.casefold(): one for one in words if not _ASKED.fullmatch(one)}.values())


def _continued(question: str, before: str) -> tuple[str, str]:
    if not topic(before):
        return question, STANDS_ALONE
    joined = _JOINS.match(question)
    plain = question[joined.end() :] if joined else question
    if about := _ABOUT.match(plain):
        return _merged(before, plain[about.end() :]), f"begins with '{about[0].strip()}'"
    if _is_fragment(plain) and (joined or _PLACED.match(plain)):
        opening = joined[0].strip(" ,") if joined else plain.split()[0]
        return _merged(before, plain), f"is a fragment that begins with '{opening}'"
    if not topic(plain) and _ASKED.search(plain):
        return _with_topic(plain, before), "names nothing itself"
    if said := _refers(plain):
        return _with_topic(plain, before), f"'{said}' refers to what was asked before"
    return question, STANDS_ALONE


def _is_fragment(text: str) -> bool:
    """Whether it asks nothing by itself."""
    short = len(text.split()) <= ELLIPTIC
    return short and bool(topic(text)) and not OPENS.match(text) and not _ASKED.search(text)


def _refers(text: str) -> str | None:
    """The pronoun that stands for something outside the question, if there is one."""
    for found in _PRONOUN.finditer(text):
        before = text[: found.start()]
        named = topic(before)
        within = named and _SUBORDINATE.search(before.partition(named[0])[2])
        most = 0 if found["own"] else 1
        if len(named) <= most and not within and not _DUMMY.search(before):
            return found[0]
    return None


def _with_topic(text: str, before: str) -> str:
    known = {one.casefold() for one in _WORD.findall(text)}
    added = [one for one in topic(before) if one.casefold() not in known][:TOPIC]
    return f"{_bare(text)} ({' '.join(added)})?" if added else text


def _merged(before: str, fragment: str) -> str:
    """The question before with the fragment in the place of its like, or behind it."""
    base, rest = _bare(before), _bare(fragment)
    placed, named = _PLACED.fullmatch(rest), _NAMED.fullmatch(rest)
    if placed and (inner := _NAMED.fullmatch(placed[2])):
        found = re.search(rf"(?i:\b{placed[1]}\s+(?:(?:the|der|die|das)\s+)?){_NAME}", base)
        if found:
            return f"{base[: found.start()]}{placed[1].lower()} {inner[1]}{base[found.end() :]}?"
    if placed:
        return f"{base} {rest[0].lower()}{rest[1:]}?"
    if named and (alike := _alike(base, named[1])):
        return f"{base[: alike.start()]}{named[1]}{base[alike.end() :]}?"
    return f"{base}, {rest}?"


def _alike(base: str, name: str) -> re.Match[str] | None:
    """The one other name, or the one other number, in the question; else the one in a place."""
    if _TIME.match(name):
        return None
    numeric = name[0].isdigit()
    found = [
        one
        for one in re.finditer(rf"(?<=\s){_NAME}", base)
        if one[0][0].isdigit() == numeric and one[0].casefold() not in STOP_WORDS
    ]
    placed = [one for one in found if _PLACE_ENDS.search(base, 0, one.start())]
    for some in (found, placed):
        if len(some) == 1:
            return some[0]
    return None


def _bare(text: str) -> str:
    return text.strip().rstrip("?!. ").rstrip()
