"""How tantivy reads texts and questions: a language's stems, and words that stand close."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Final

from tantivy import (
    Filter,
    Occur,
    Query,
    Schema,
    SchemaBuilder,
    TextAnalyzer,
    TextAnalyzerBuilder,
    Tokenizer,
)

from adapters.analysis import STOP_WORDS
from orchestrator.ports.indexes import IndexKey

MAX_QUERY_TERMS: Final = 256
SCHEMA: Final = (
    SchemaBuilder()
    .add_integer_field("id", indexed=True, fast=True)
    .add_text_field("text", tokenizer_name="english", index_option="freq")
    .build()
)
STOPPED: Final = frozenset(
    "danish dutch finnish french german hungarian italian norwegian portuguese russian spanish "
    "swedish".split()
)
"""The languages whose stop words tantivy has; of others, all words count."""
PAIRS: Final = 16
SLOP: Final = 2
"""So many pairs of a question's words gain where they stand close, with so many words between."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How texts and questions are read: a language's stems, without its stop words.

    Two words that follow each other in the question count `proximity` times as much again where
    they stand close to each other; 0 keeps no positions, in half of the room.
    """

    language: str = "english"
    proximity: float = 0.0

    def key(self, key: IndexKey) -> IndexKey:
        """What is read in another way is another index."""
        if self.schema is SCHEMA:
            return key
        how = f"{self.language}{' with positions' if self.proximity else ''}"
        return replace(key, model=f"{key.model} {how}")

    @property
    def schema(self) -> Schema:
        """The fields of the index."""
        if self.language == "english" and not self.proximity:
            return SCHEMA
        return _schema(self.language, positions=self.proximity > 0)

    @property
    def analyzer(self) -> TextAnalyzer:
        """What texts and questions are made words by."""
        return _analyzer(self.language)

    def words(self, text: str) -> list[str]:
        """The stems of a text, in order; half a character is none."""
        found: list[str] = self.analyzer.analyze(text.encode("utf-8", "replace").decode())
        return found

    def any_of(self, words: Sequence[str]) -> Query:
        """What holds any of the words, the more the better, and best where they stand close."""
        distinct = list(dict.fromkeys(words))[:MAX_QUERY_TERMS]
        wanted = [*(self.term(word) for word in distinct), *self._pairs(words)]
        return Query.boolean_query([(Occur.Should, one) for one in wanted])

    def term(self, word: str) -> Query:
        """What holds a stem."""
        return Query.term_query(self.schema, "text", word, "freq")

    def alike(self, word: str, changes: int) -> Query:
        """What holds a stem of so many changes, by a Levenshtein automaton."""
        return Query.fuzzy_term_query(self.schema, "text", word, changes)

    def _pairs(self, words: Sequence[str]) -> list[Query]:
        if not self.proximity:
            return []
        pairs = [pair for pair in dict.fromkeys(pairwise(words)) if pair[0] != pair[1]]
        return [
            Query.boost_query(
                Query.phrase_query(self.schema, "text", list(pair), SLOP), self.proximity
            )
            for pair in pairs[:PAIRS]
        ]


ENGLISH: Final = Reading()


@cache
def _schema(language: str, *, positions: bool) -> Schema:
    return (
        SchemaBuilder()
        .add_integer_field("id", indexed=True, fast=True)  # first, as in SCHEMA
        .add_text_field(
            "text",
            tokenizer_name=language,
            index_option="position" if positions else "freq",
        )
        .build()
    )


@cache
def _analyzer(language: str) -> TextAnalyzer:
    builder = (
        TextAnalyzerBuilder(Tokenizer.simple())
        .filter(Filter.remove_long(64))
        .filter(Filter.lowercase())
    )
    if language == "english":
        builder = builder.filter(Filter.ascii_fold())
        builder = builder.filter(Filter.custom_stopword(sorted(STOP_WORDS)))
    elif language in STOPPED:
        builder = builder.filter(Filter.stopword(language))
    return builder.filter(Filter.stemmer(language)).build()
