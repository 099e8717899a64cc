"""Refusals: the fixed sentence of a prompt, recognised in what a model says as it says it."""

from __future__ import annotations

import re
from typing import Final

_GAP: Final = re.compile(r"(?:\[\d*\]?|[\W_])+")
"""What stands between words; a citation is none, finished or not."""
_STOP: Final = re.compile(r"[.!?…。\n]")
MOST_BEFORE: Final = 16
"""A refusal may be wrapped, such as in `**` or quotation marks, by so many characters."""


class RefusalWatch:
    """Lets an answer through, holding back only what may still become a refusal.

    An answer is one if its first sentence is that sentence, in any case, however it is wrapped,
    and whatever it cites; nothing else of it is shown. It is one, too, if it cites nothing and
    says so further on.
    """

    def __init__(self, sentence: str) -> None:
        self._sentence = sentence
        self._words = _words(sentence)
        between = r"[\W_]+".join(re.escape(word) for word in self._words.split())
        self._whole = re.compile(rf"[\W_]*{between}(?P<after>(?:\[\d*\]|[\W_])*)", re.IGNORECASE)
        self._held = ""
        self._said = ""
        self._open = True
        self.refused = False

    def admit(self, piece: str) -> str:
        """The text that may be shown now."""
        if not self._open:
            return self._shown("" if self.refused else piece)
        self._held += piece
        found = self._whole.match(self._held)
        if found and _STOP.search(found["after"]):
            return self._decided(refused=True)
        if found and found.end() == len(self._held):
            return ""
        begun = _words(self._held)
        if self._words.startswith(begun) and (begun or len(self._held) <= MOST_BEFORE):
            return ""
        return self._decided(refused=False)

    def finish(self) -> str:
        """What was still held back, when nothing more can come."""
        rest = ""
        if self._open:
            rest = self._decided(refused=_words(self._held) == self._words)
        elif not self.refused and "[" not in self._said:
            self.refused = f" {self._words} " in f" {_words(self._said)} "
        return rest

    def _decided(self, *, refused: bool) -> str:
        self._open, self.refused = False, refused
        return self._shown(self._sentence if refused else self._held.lstrip())

    def _shown(self, text: str) -> str:
        self._said += text
        return text


def _words(text: str) -> str:
    return _GAP.sub(" ", text).strip().casefold()
