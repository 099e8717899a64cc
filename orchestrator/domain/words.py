"""Words as evidence: stems, numbers, names and negation, by rules for English and German."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal["plain", "name", "number"]

_ENGLISH: Final = frozenset(
    """a about above after again against all also am an and any are as at be because been before
    being below between both but by can could did do does doing down during each either few for
    from further had has have having he her here hers him his how i if in into is it its itself
    just may me might more most must my of off on once or other our ours out over own per same she
    should so some such than that the their theirs them then there these they this those through
    to too under until up upon us very was we were what when where whether which while who whom
    whose why will with within would yes you your yours one""".split()
)
_GERMAN: Final = frozenset(
    """aber alle
    allem allen aller alles als also am an andere auch auf aus bei beim bin bis da damit
    dann das dass dem den denn der des deren dessen die dies diese diesem diesen dieser dieses doch
    dort du durch ein eine einem einen einer eines er es etwa für gegen hat hatte haben hier hin
    ich ihr ihre ihrem ihren ihrer im in innerhalb ist ja je jede jedem jeden jeder jedes kann
    können man mehr mit muss müssen nach noch nun nur ob oder pro sehr sein seine seinem seinen
    seiner selbst sich sie sind so soll sollen sowie über um und uns unser unter vom von vor war
    waren was wegen weil wenn wer werden wie wir wird wo wurde wurden während zu zum zur zwar
    zwischen""".split()
)
STOP_WORDS: Final = _ENGLISH | _GERMAN
"""Function words, which say nothing alone."""

_NEGATIONS: Final = frozenset(
    """not no never none neither nor nobody nothing nowhere without cannot non nicht nichts nie
    niemals niemand ohne weder""".split()
)
_TOKEN: Final = re.compile(
    r"[^\W\d_]++(?:['’][^\W\d_]++)?(?!\d)|[^\W\d_]*\d[^\W_]*(?:[.,:]\d+)*|[%€$£]"
)
_NO_ABBREVIATED: Final = re.compile(r"\bno\.\s*(?=\d)", re.IGNORECASE)
_OPENS: Final = re.compile(r"(?:\A|[.!?:•|\n])[\s\"'“„(*#>-]*\Z")
_BEFORE: Final = 12
"""So many characters before a word are looked at for the end of another sentence."""
_ISO_DATE: Final = re.compile(r"\b\d{4}-(\d{2})-\d{2}\b")
_MEASURED: Final = re.compile(r"(\d+)([^\W\d_]{1,3})")
_GROUPED: Final = re.compile(r"\d{1,3}(?:[.,]\d{3})+")
_SYMBOLS: Final = {"%": "percent", "€": "eur", "$": "usd", "£": "gbp"}
_SAME: Final = {"euro": "eur", "dollar": "usd", "prozent": "percent", "pound": "gbp"}
_ORDINALS: Final = frozenset({"st", "nd", "rd", "th"})
_NUMBERS: Final = {
    word: str(value)
    for value, both in enumerate(
        "two zwei|three drei|four vier|five fünf|six sechs|seven sieben|eight acht|nine neun"
        "|ten zehn|eleven elf|twelve zwölf".split("|"),
        start=2,
    )
    for word in both.split()
} | {
    "fifteen": "15", "fünfzehn": "15", "twenty": "20", "zwanzig": "20", "thirty": "30",
    "dreißig": "30", "forty": "40", "vierzig": "40", "fifty": "50", "fünfzig": "50",
    "sixty": "60", "sechzig": "60", "ninety": "90", "neunzig": "90", "hundred": "100",
    "hundert": "100", "thousand": "1000", "tausend": "1000", "million": "1000000",
}  # fmt: skip
_MONTHS: Final = {
    word: f"month {number}"
    for number, both in enumerate(
        "january januar|february februar|march märz|april|may mai|june juni|july juli|august"
        "|september|october oktober|november|december dezember".split("|"),
        start=1,
    )
    for word in both.split()
}
_ENDINGS: Final = tuple(
    "ements ement ments ment ingly ings ing edly ed ies es s ly en em er e n y".split()
)
_SHORTEST: Final = 3
"""So many letters of a word stay, whatever its ending."""
PREFIX: Final = 6
"""Words that begin with as many same letters are akin."""


class Word(NamedTuple):
    """A word that says something, by its stem, or a number as digits.

    `akin` is how a long word begins: it is the same for compounds, and for forms no rule knows.
    """

    term: str
    kind: Kind
    akin: str = ""

    @classmethod
    def of(cls, term: str, kind: Kind) -> Word:
        """With what it begins with."""
        long = kind != "number" and len(term) >= PREFIX
        return cls(term, kind, f"{term[:PREFIX]}…" if long else "")


@dataclass(frozen=True, slots=True)
class Reading:
    """A text's words in order, without function words; whether it says that something is not.

    `places` are where the words stand among all; `folded` is all of them, in lower case and with
    one space between them.
    """

    words: tuple[Word, ...]
    places: tuple[int, ...]
    negated: bool
    folded: str


def words(text: str) -> tuple[Word, ...]:
    """The words of a text."""
    return read(text).words


def negated(text: str) -> bool:
    """Whether the text says that something is not, or is without something."""
    return read(text).negated


def folded(text: str) -> str:
    """All words of a text, in lower case and with one space between them."""
    return " ".join(_TOKEN.findall(text)).casefold()


def read(text: str) -> Reading:
    """Read a text."""
    found: list[Word] = []
    places: list[int] = []
    tokens: list[str] = []
    negates = False
    for place, token in enumerate(_TOKEN.finditer(text)):
        raw = token[0]
        tokens.append(raw)
        terms = _terms(raw, raw[0].isupper() and _opens(text, token.start()))
        if terms:
            found += terms
            places += [place] * len(terms)
        elif terms is None:
            negates = negates or not _NO_ABBREVIATED.match(text, token.start())
    if text.count("-") > 1:
        dates = [Word(f"month {int(one[1])}", "number") for one in _ISO_DATE.finditer(text)]
        found += dates
        places += [0] * len(dates)
    return Reading(tuple(found), tuple(places), negates, " ".join(tokens).casefold())


def _opens(text: str, at: int) -> bool:
    return _OPENS.search(text, max(0, at - _BEFORE), at) is not None


def capitals_are_names(text: str) -> bool:
    """Whether a capital within a sentence means a name, as in English, and not any noun."""
    said = folded(text).split()
    german = sum(one in _GERMAN and one not in _ENGLISH for one in said)
    return german <= sum(one in _ENGLISH and one not in _GERMAN for one in said)


@lru_cache(maxsize=65_536)
def _terms(raw: str, opens: bool) -> tuple[Word, ...] | None:
    """What a token stands for; nothing where it is a function word, none where it negates."""
    low = raw.casefold().replace("’", "'")
    if any(char.isdigit() for char in low):
        return tuple(_number(low))
    if low in _NEGATIONS or low.endswith("n't") or low.startswith("kein"):
        return None
    if low in _NUMBERS or _is_month(low, raw, opens):
        return (Word(_NUMBERS.get(low) or _MONTHS[low], "number"),)
    if low in STOP_WORDS and not _is_acronym(raw):
        return ()
    return (Word.of(_SYMBOLS.get(low) or stem(low), _kind(raw, opens)),)


def _kind(raw: str, opens: bool) -> Kind:
    return "name" if _is_acronym(raw) or (raw[0].isupper() and not opens) else "plain"


def _is_acronym(raw: str) -> bool:
    return len(raw) > 1 and raw.isupper()


def _is_month(low: str, raw: str, opens: bool) -> bool:
    return low in _MONTHS and raw[0].isupper() and not (opens and low in {"may", "march"})


def _number(low: str) -> Iterator[Word]:
    if measured := _MEASURED.fullmatch(low):
        yield Word(measured[1].lstrip("0") or "0", "number")
        if measured[2] not in _ORDINALS:
            yield Word(stem(measured[2]), "plain")
    elif _GROUPED.fullmatch(low):
        yield Word(re.sub("[.,]", "", low), "number")
    elif low.isdigit():
        yield Word(low.lstrip("0") or "0", "number")
    else:
        yield Word(low.replace(",", "."), "number")


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """A word in lower case without its endings: two at most, and never below three letters."""
    word = word.removesuffix("'s")
    for _ in range(2):
        for ending in _ENDINGS:
            if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST:
                word = word[: -len(ending)]
                break
    return _SAME.get(word, word)
