"""A question, its answer, and the events by which the answer is told."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeAlias

from orchestrator.domain.errors import Rejected
from orchestrator.domain.identity import DEFAULT_WORKSPACE, Scope
from orchestrator.domain.passages import StageScore
from orchestrator.domain.understanding import Understood

MAX_QUERY_CHARACTERS: Final = 4_000
MAX_TOP_K: Final = 100
NOT_FOUND: Final = "The documents do not say."
"""What is said instead of an answer."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Something said before the question, and by whom."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class Query:
    """A question in a scope; `top_k` counts the passages an answer may rest on.

    Keyword search looks for `synonyms` too; a positive `lean` speaks for it, a negative one for
    vectors. With `explain`, retrieval keeps what an explanation is made of. `history` is what the
    caller says was said before, oldest first; nothing reads it: `text` must stand alone.
    """

    text: str
    scope: Scope = field(default_factory=lambda: Scope(DEFAULT_WORKSPACE))
    top_k: int = 5
    synonyms: tuple[str, ...] = ()
    lean: float = 0.0
    explain: bool = False
    history: tuple[Turn, ...] = ()

    def understood(self) -> Query:
        """The question as every later stage sees it: Unicode-normalised, spaces collapsed."""
        return replace(self, text=" ".join(unicodedata.normalize("NFKC", self.text).split()))

    def at(self, revision: int) -> Query:
        """The same question, pinned to a revision of its workspace."""
        return replace(self, scope=self.scope.at(revision))


def query_text(raw: str) -> str:
    """The question without space around it, if it is one.

    Raises:
        Rejected: if it is empty, or longer than `MAX_QUERY_CHARACTERS`.
    """
    text = raw.strip()
    if not text:
        raise Rejected("the question is empty", code="invalid_request", field="query")
    if len(text) > MAX_QUERY_CHARACTERS:
        raise Rejected(
            f"the question is {len(text):,} characters long: at most {MAX_QUERY_CHARACTERS:,} "
            "are allowed",
            code="invalid_request",
            field="query",
        )
    return text


@dataclass(frozen=True, slots=True)
class Source:
    """A passage given to the generator; its place in the list is the number that cites it."""

    doc_id: str
    chunk_id: str
    source_id: str
    title: str
    snippet: str
    score: float
    page: int | None
    section: str | None
    start: int
    end: int
    cited: bool = False
    scores: Mapping[str, StageScore] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that a model read and wrote."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Meta:
    """How an answer came to be; times are in milliseconds.

    `degraded` names what was missing, and `skipped` what there was no need of.
    """

    cache_hit: bool = False
    latency_ms: float = 0.0
    trace_id: str = ""
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    degraded: tuple[str, ...] = ()
    retriever: str = ""
    reranker: str = ""
    generator: str = ""
    usage: Usage = Usage()
    skipped: tuple[str, ...] = ()
    revision: int = 0
    config_version: int = 0
    query: Understood | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with its sources; `answerable` is false where the documents do not say."""

    answer: str
    answerable: bool
    sources: tuple[Source, ...]
    meta: Meta


@dataclass(frozen=True, slots=True)
class Sources:
    """The first event: what the answer will rest on."""

    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the answer's text; concatenated, the pieces are the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """A generator's last word: whether the passages answered, the cost, and what it did without."""

    answerable: bool
    usage: Usage = Usage()
    degraded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """The last event, with the whole answer."""

    answer: Answer


Event: TypeAlias = Sources | Token | Done
