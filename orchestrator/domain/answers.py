"""A question, its answer, and the events by which the answer is told."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeAlias

from orchestrator.domain.errors import Rejected
from orchestrator.domain.grounding import Grounded
from orchestrator.domain.identity import DEFAULT_WORKSPACE, Scope
from orchestrator.domain.passages import StageScore
from orchestrator.domain.understanding import Understood
from orchestrator.domain.workspaces import Prompting

MAX_QUERY_CHARACTERS: Final = 4_000
MAX_TOP_K: Final = 100
FinishReason: TypeAlias = Literal["stop", "length", "content_filter"]
"""Why a model's answer ended: by itself, at the limit of its length, or by its server's filter."""
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
    vectors. With `explain`, retrieval keeps what an explanation is made of. A language model is
    told what `prompting` says. `model` names the generator that is to answer, the workspace's own
    where it is empty. `history` is what was said before, oldest first: by it, and before
    anything else, `text` is made to stand alone. A `session` keeps the question and its answer,
    and is the history.
    """

    text: str
    scope: Scope = field(default_factory=lambda: Scope(DEFAULT_WORKSPACE))
    top_k: int = 5
    synonyms: tuple[str, ...] = ()
    lean: float = 0.0
    explain: bool = False
    prompting: Prompting = field(default_factory=Prompting)
    history: tuple[Turn, ...] = ()
    session: str = ""
    model: str = ""

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
    """Tokens that a model read and wrote, and what they cost where its prices are known."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    model: str = ""
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class Packing:
    """How passages came into a language model's window: `given` to it, in so many `tokens`.

    The rest are ids of chunks: `merged` into a neighbour's source, `duplicates` of another,
    `compressed` to some of their sentences, and `left_out`, as they did not fit into `budget`.
    """

    given: int
    tokens: int
    budget: int
    merged: tuple[str, ...] = ()
    duplicates: tuple[str, ...] = ()
    compressed: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Meta:
    """How an answer came to be; times are in milliseconds.

    `degraded` names what was missing, and `skipped` what there was no need of. `generator` is the
    kind that answered, and `model` its name in the settings; `finish_reason` is why a language
    model's answer ended, and `stop` of any other. A `prompt` and
    `packing` there are where the generator is a language model. `confidence` is
    how likely the answer is right, where that was measured for what made it.
    """

    cache_hit: bool = False
    latency_ms: float = 0.0
    trace_id: str = ""
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    degraded: tuple[str, ...] = ()
    retriever: str = ""
    reranker: str = ""
    generator: str = ""
    model: str = ""
    finish_reason: FinishReason = "stop"
    usage: Usage = Usage()
    skipped: tuple[str, ...] = ()
    revision: int = 0
    config_version: int = 0
    query: Understood | None = None
    prompt: str = ""
    packing: Packing | None = None
    grounding: Grounded | None = None
    confidence: float | None = None


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
    """A generator's last word: whether the passages answered, the cost, and what it did without.

    `generator` is the kind that answered, and `model` its name, where another was asked first;
    `prompt` names what a language model was told, such as `answer/v1.en`, and `finish_reason` is
    why it ended. `evidence` is its own estimate, in [0, 1], that they do, if it makes one.
    """

    answerable: bool
    usage: Usage = Usage()
    degraded: tuple[str, ...] = ()
    generator: str = ""
    model: str = ""
    prompt: str = ""
    finish_reason: FinishReason = "stop"
    evidence: float | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """The last word of an answer's check: the generator's, as far as it was let through.

    `cited` are the numbers of the passages that are cited in what was shown.
    """

    outcome: Outcome
    cited: frozenset[int] = frozenset()
    grounding: Grounded | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """The last event, with the whole answer."""

    answer: Answer


Event: TypeAlias = Sources | Token | Done
