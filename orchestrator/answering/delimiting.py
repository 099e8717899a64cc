"""Delimiting: text reaches a language model only inside blocks that it cannot forge."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Sequence
from typing import Final

from orchestrator.domain.passages import Passage

MAX_HEADER: Final = 200
"""A title or a section is given up to so many characters."""

_MARKS: Final = "[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e"
    "\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff0-\ufffb"
    "\U00013430-\U0001343f\U00016fe4\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
    "|(?<![\u0590-\u109f\U0001f000-\U0001faff])[\u200c\u200d]+"
    r"|(?<![\u2600-\u2757\u2763-\u2767\u2795-\u27bf\U0001f000-\U0001faff])\ufe0f"
    rf"|(?<![^\W\d_]|{_MARKS}){_MARKS}+"
)
"""What no reader sees, and accents of no letter; joiners stay after what needs them."""
_LINE_BREAK: Final = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")

_ALIKE: Final = {
    "<": "‹〈⟨❮❰ᐸ˂⟪《«≺⋖⧼",
    ">": "›〉⟩❯❱ᐳ˃⟫》»≻⋗⧽",
    "[": "⟦【〔〖⁅❲⦋⦍⦏⎡⎣",
    "]": "⟧】〕〗⁆❳⦌⦎⦐⎤⎦",
    "|": "¦ǀ│┃∣❘❙❚⏐⎸⎹",
    "/": "⁄∕⧸╱⟋",
    "#": "♯⌗",
    ":": "։׃܃∶ː˸꞉︓",
    "_": "‗▁",
    "-": "‐‑‒–—−",
    "a": "аαɑ",
    "c": "сϲ",
    "d": "ԁ",
    "e": "еє",
    "g": "ɡ",
    "h": "һ",
    "i": "іιı",
    "j": "ј",
    "k": "к",
    "l": "ӏ",
    "m": "м",
    "n": "ո",
    "o": "оοօ",
    "p": "рρ",
    "q": "ԛ",
    "r": "г",
    "s": "ѕ",
    "t": "т",
    "u": "ս",
    "v": "νѵ",
    "w": "ԝ",
    "x": "хχ",
    "y": "уγ",
    "A": "АΑ",
    "B": "ВΒ",
    "C": "СϹ",
    "E": "ЕΕ",
    "H": "НΗ",
    "I": "ІΙӀ",
    "K": "КΚ",
    "M": "МΜ",
    "N": "Ν",
    "O": "ОΟ",
    "P": "РΡ",
    "S": "Ѕ",
    "T": "ТΤ",
    "U": "Ս",
    "X": "ХΧ",
    "Y": "ҮΥ",
}
"""What looks like a character that delimiters are made of, beside its compatibility forms."""
_COMPATIBLE: Final = (*range(0x2000, 0x3000), *range(0xFE10, 0xFFF0), *range(0x1D400, 0x1D800))


def _as_ascii() -> dict[int, str]:
    """Each character that looks like one of ASCII, by its code point."""
    found = {code: unicodedata.normalize("NFKC", chr(code)) for code in _COMPATIBLE}
    folded = {code: plain for code, plain in found.items() if len(plain) == 1 and plain.isascii()}
    return folded | {ord(one): plain for plain, many in _ALIKE.items() for one in many}


_FOLD: Final = _as_ascii()

_ROLES: Final = "system|user|assistant|human|developer"
_NAMES: Final = rf"""{_ROLES}|passages?|questions?|history|boundary|documents?|context|tools?
    |(?:tool|function)_(?:calls?|results?|response|output)|function|invoke|parameter|instructions?
    |prompt|messages?|im_start|im_end|sys|(?:start|end)_of_turn|think(?:ing)?"""
_FORGED: Final = re.compile(
    rf"""<{{1,3}}\s{{0,3}}\|[^<>\n]{{0,80}}>{{0,3}}
    |<{{1,3}}\s{{0,3}}[/!?]?\s{{0,3}}(?:\w{{1,20}}:)?(?:{_NAMES})(?![^\W\d_])[^<>\n]{{0,200}}>{{0,3}}
    |</?(?:s|bos|eos|pad|unk|data|answer|sources?|model|image)>
    |\[\s{{0,3}}[\^\#]?\s{{0,3}}\d[\d\s,;-]{{0,40}}\]
    |\[\s{{0,3}}/?\s{{0,3}}(?:(?:begin|end|start)\s(?:of\s)?)?(?:{_NAMES}|inst|img|system_prompt
        |available_tools|tool_content)(?:\s(?:prompt|message|note|override))?(?:\s?:[^\[\]]{{0,200}}
        )?\s{{0,3}}\]
    |^[ \t>*_\#|=-]*(?:
        (?P<role>(?:{_ROLES}|ai|model|tools?|function|instructions?|response)
            (?:[ _](?:prompt|message|note|override|update|instructions?)){{0,3}})[ \t*_]*:[:>*_]*
        |(?P<alone>(?:{_ROLES})(?:[ _](?:prompt|message|note|override|update)){{0,3}})[ \t*_]*$)""",
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)
"""What is or looks like a template's token, a tag that delimits, a citation, or a role's marker."""
_PARENTHESES: Final = str.maketrans("<>[]", "()()")


def fresh_boundary() -> str:
    """64 random bits, so that no text written before can hold them."""
    return secrets.token_hex(8)


def neutral(text: str) -> str:
    """The text without what a reader cannot see, and with nothing in it that delimits or cites.

    Brackets of what looks like a delimiter, a template's token or a citation become parentheses;
    a role at the beginning of a line is put in parentheses, without its colon.
    """
    plain = _INVISIBLE.sub("", _LINE_BREAK.sub("\n", text))
    folded = plain.translate(_FOLD)  # character for character: places stay the same
    while found := [(*one.span(), _harmless(one)) for one in _FORGED.finditer(folded)]:
        plain, folded = _replaced(plain, found), _replaced(folded, found)
    return plain


def passage_block(number: int, passage: Passage, boundary: str) -> str:
    """A passage with its number, title and section, between lines that hold the boundary."""
    chunk = passage.chunk
    head = [f"title: {_one_line(chunk.title)}"]
    if chunk.section:
        head.append(f"section: {_one_line(chunk.section)}")
    return _between(f"passage {number} {boundary}", "\n".join(head) + "\n\n" + neutral(chunk.text))


def delimited(kind: str, text: str, boundary: str) -> str:
    """Any other text, such as the question, between lines that hold the boundary."""
    return _between(f"{kind} {boundary}", neutral(text))


def _between(name: str, text: str) -> str:
    return f"<{name}>\n{text.strip()}\n</{name}>"


def _one_line(text: str) -> str:
    return " ".join(neutral(text).split())[:MAX_HEADER]


def _harmless(forged: re.Match[str]) -> str:
    role = forged["role"] or forged["alone"]
    return f"({role})" if role else forged[0].translate(_PARENTHESES)


def _replaced(text: str, found: Sequence[tuple[int, int, str]]) -> str:
    ends = (0, *(end for _, end, _ in found))
    kept = (text[end:start] for end, (start, _, _) in zip(ends, found, strict=False))
    return "".join(one + put for one, (*_, put) in zip(kept, found, strict=True)) + text[ends[-1] :]
