"""Workspaces and their immutable, versioned configuration."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

from orchestrator.domain.errors import NotFound, Rejected
from orchestrator.domain.grounding import Policy

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?")


TRIED: Final = 0
"""The version of a configuration that is none of its workspace's, but only tried."""
GENERATIONS: Final = 1_000_000
"""A re-indexing counts one further: no workspace comes so far."""
_STRICT: Final = {"extra": "forbid"}
"""Read by whoever validates these from outside: a field that is not known is refused."""


@dataclass(frozen=True, slots=True)
class Fusion:
    """How two rankings become one: by rank (`rrf`) or by normalised score (`weighted`).

    `dense` and `keyword` are weights, for both methods; `k` is reciprocal rank fusion's constant
    (Cormack et al., SIGIR 2009); `normalise` puts scores of different stages on one scale. Of all
    weight, `adaptive` moves at most to the side that the question's form speaks for: to keywords
    for codes, quotes and names, to vectors for questions.
    """

    __pydantic_config__ = _STRICT

    method: Literal["rrf", "weighted"] = "weighted"
    normalise: Literal["zscore", "minmax", "distribution"] = "zscore"
    dense: float = 0.5
    keyword: float = 0.5
    k: int = 60
    adaptive: float = 0.0

    def __post_init__(self) -> None:
        if min(self.dense, self.keyword) < 0 or self.dense + self.keyword == 0 or self.k < 1:
            raise ValueError("fusion weights must not be negative nor all zero, and k at least 1")
        if not 0 <= self.adaptive <= 1:
            raise ValueError("adaptive is a share of the weight, from 0 to 1")

    def leaning(self, lean: float) -> Fusion:
        """With weight moved to the keywords (`lean` to 1) or to the vectors (to -1)."""
        moved = lean * self.adaptive * (self.dense + self.keyword)
        if not moved:
            return self
        moved = min(moved, self.dense) if moved > 0 else max(moved, -self.keyword)
        return replace(self, dense=self.dense - moved, keyword=self.keyword + moved)


@dataclass(frozen=True, slots=True)
class Chunking:
    """How documents are cut: at most `tokens` of the embedding model, `overlap` of them shared.

    `recursive` cuts between paragraphs, else sentences, else tokens; `sentence` between sentences;
    `structure` follows headings, pages and tables too; `semantic` cuts where the topic shifts.
    """

    __pydantic_config__ = _STRICT

    strategy: Literal["recursive", "sentence", "structure", "semantic"] = "structure"
    tokens: int = 256
    overlap: int = 0

    def __post_init__(self) -> None:
        if not 16 <= self.tokens <= 8192 or not 0 <= self.overlap < self.tokens // 2:
            raise ValueError("chunks hold 16 to 8192 tokens, and overlap by less than half of them")


@dataclass(frozen=True, slots=True)
class Reranking:
    """When passages are reranked: always, or not where the first is ahead by `skip_margin`.

    The margin is its lead over the second passage, by its lead over the last.
    """

    __pydantic_config__ = _STRICT

    skip_margin: float | None = None

    def __post_init__(self) -> None:
        if self.skip_margin is not None and not 0 < self.skip_margin <= 1:
            raise ValueError("skip_margin is above 0, and at most 1")


@dataclass(frozen=True, slots=True)
class Words:
    """What keyword search knows a chunk by.

    Each chunk of a document that has 2 to `whole` of them is found by the words of all; 1 is
    never. Pieces of a short text say little alone of what it is about.
    """

    __pydantic_config__ = _STRICT

    whole: int = 2

    def __post_init__(self) -> None:
        if not 1 <= self.whole <= 8:
            raise ValueError("documents are whole up to 1 to 8 chunks")


@dataclass(frozen=True, slots=True)
class Understanding:
    """What is done to a question before it is searched.

    `spelling` reads a word that nothing the caller may see holds as the nearest that something
    does; `synonyms` are groups of names for one thing; `parts` searches a compound question for
    each of its parts too. A generator that is a language model can search for so many
    `paraphrases` too, and for an `imagined` answer.
    """

    __pydantic_config__ = _STRICT

    spelling: bool = False
    synonyms: tuple[tuple[str, ...], ...] = ()
    parts: bool = True
    paraphrases: int = 0
    imagined: bool = False

    @property
    def rewrites(self) -> bool:
        """Whether a language model is asked for other texts to search for."""
        return self.imagined or self.paraphrases > 0

    def __post_init__(self) -> None:
        if not 0 <= self.paraphrases <= 5:
            raise ValueError("paraphrases are 0 to 5")
        if len(self.synonyms) > 1000 or any(len(group) < 2 for group in self.synonyms):
            raise ValueError("synonyms are at most 1000 groups, each of two names or more")
        if any(not name.strip() for group in self.synonyms for name in group):
            raise ValueError("a synonym is not empty")


@dataclass(frozen=True, slots=True)
class Reach:
    """What comes with a hit: nothing by default.

    With `documents`, only the best so many are looked into, each for more of its chunks; with
    `neighbours`, each hit is followed by so many chunks from before and after it.
    """

    __pydantic_config__ = _STRICT

    documents: int = 0
    neighbours: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.documents <= 100 or not 0 <= self.neighbours <= 3:
            raise ValueError("a hit reaches over 0 to 100 documents, and 0 to 3 neighbours a side")


@dataclass(frozen=True, slots=True)
class Prompting:
    """What is said to a generator that is a language model; no other is concerned.

    `name`, `version` and `language` choose its prompt; a `split`, of versions with their weights,
    takes the place of `version`: each question gets the version that its text draws. Passages are
    at most `context` tokens (0: as many as the model's window holds), the best of them at both
    `edges` of all, or all as they are `ranked`.
    """

    __pydantic_config__ = _STRICT

    name: str = "answer"
    version: int = 1
    language: str = "en"
    split: tuple[tuple[int, float], ...] = ()
    order: Literal["edges", "ranked"] = "edges"
    context: int = 0

    def __post_init__(self) -> None:
        weights = [weight for _, weight in self.split]
        if len(weights) > 10 or not all(0 < weight < 1e6 for weight in weights):
            raise ValueError("a split has at most 10 versions, each with a weight above 0")
        if self.context < 0:
            raise ValueError("context is not negative")


@dataclass(frozen=True, slots=True)
class Conversing:
    """How a question that follows others is made to stand alone, before anything is looked up.

    `auto` asks the workspace's language model where it has one, else `rules` do it; with `none`,
    what was said before is not read. A model reads at most `history` tokens of it, and a summary
    of what came before those.
    """

    __pydantic_config__ = _STRICT

    rewrite: Literal["auto", "rules", "none"] = "auto"
    history: int = 1_500

    def __post_init__(self) -> None:
        if not 200 <= self.history <= 100_000:
            raise ValueError("history is 200 to 100,000 tokens")


@dataclass(frozen=True, slots=True)
class Grounding:
    """What becomes of a sentence that the passages which it cites do not support.

    `flag` shows it and says so, `remove` leaves it out, `refuse` ends the answer before it. A
    sentence is supported if its score is at least `threshold`, by words alone (`lexical`), with
    the embedder's help (`embedding`), or by language models (`model`): the generators named in
    `models`, the workspace's own if none is, and all of them must agree. With `weak`, a question
    for which the evidence of what was found, in [0, 1], is below it is not put to the generator.
    """

    __pydantic_config__ = _STRICT

    policy: Policy = "flag"
    threshold: float = 0.5
    verifier: Literal["lexical", "embedding", "model"] = "lexical"
    models: tuple[str, ...] = ()
    weak: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise ValueError("threshold is above 0, and at most 1")
        if self.weak is not None and not 0 < self.weak < 1:
            raise ValueError("weak is between 0 and 1")
        if self.models and self.verifier != "model":
            raise ValueError("models are asked by the verifier 'model' only")


@dataclass(frozen=True, slots=True)
class Models:
    """Which generators of the settings a question may choose, and which one rewrites.

    One of `allowed` answers instead of the workspace's own `generator` where a request names it.
    `rewriting` names the language model that paraphrases questions, imagines answers, makes
    follow-ups whole and sums up what was said; without it, whichever answers does that too.
    """

    __pydantic_config__ = _STRICT

    allowed: tuple[str, ...] = ()
    rewriting: str | None = None

    def __post_init__(self) -> None:
        if len(self.allowed) > 100:
            raise ValueError("at most 100 models are allowed")


@dataclass(frozen=True, slots=True)
class Footing:
    """What a workspace's chunks and indexes stand on: what a re-indexing changes."""

    embedder: str
    vectors: str
    keywords: str
    chunking: Chunking
    generation: int


@dataclass(frozen=True, slots=True)
class WorkspaceConfig:
    """Which named backends serve a workspace, and how; `generation` counts re-indexings."""

    __pydantic_config__ = _STRICT

    cache: str = "default"
    embedder: str = "default"
    vectors: str = "default"
    keywords: str = "default"
    retriever: str = "default"
    reranker: str = "default"
    generator: str = "default"
    fusion: Fusion = Fusion()
    chunking: Chunking = Chunking()
    reranking: Reranking = Reranking()
    words: Words = Words()
    understanding: Understanding = Understanding()
    reach: Reach = Reach()
    prompting: Prompting = Prompting()
    grounding: Grounding = Grounding()
    conversing: Conversing = Conversing()
    models: Models = Models()
    depth: int = 100
    generation: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.depth <= 1000 or not 1 <= self.generation <= GENERATIONS:
            raise ValueError(
                f"depth is 1 to 1000 candidates a side, and generation 1 to {GENERATIONS:,}"
            )

    @property
    def choices(self) -> tuple[str, ...]:
        """The generators that may answer: the workspace's own first."""
        return tuple(dict.fromkeys((self.generator, *self.models.allowed)))

    @property
    def rewriter(self) -> str:
        """The generator that rewrites questions, where a language model does."""
        return self.models.rewriting or self.generator

    @property
    def footing(self) -> Footing:
        """What its chunks and indexes stand on."""
        return Footing(self.embedder, self.vectors, self.keywords, self.chunking, self.generation)

    def on(self, footing: Footing) -> WorkspaceConfig:
        """The same configuration on another footing."""
        return replace(
            self,
            embedder=footing.embedder,
            vectors=footing.vectors,
            keywords=footing.keywords,
            chunking=footing.chunking,
            generation=footing.generation,
        )

    def shares_chunks_with(self, other: WorkspaceConfig) -> bool:
        """Whether documents indexed under one configuration serve the other as they are."""
        return (self.embedder, self.chunking, self.generation) == (
            other.embedder,
            other.chunking,
            other.generation,
        )


@dataclass(frozen=True, slots=True)
class Workspace:
    """A workspace at a revision; `uid` is never reused, even where a name is."""

    uid: str
    name: str
    revision: int
    config: WorkspaceConfig
    config_version: int
    created_at: datetime

    def answering_with(self, model: str) -> Workspace:
        """The workspace, answering with the generator of that name.

        Raises:
            NotFound: when its configuration does not allow that, whether there is one or not.
        """
        if model not in self.config.choices:
            raise NotFound(
                f"workspace '{self.name}' has no model {model[:80]!r}: there are "
                f"{', '.join(repr(one) for one in self.config.choices)}",
                code="unknown_model",
                field="model",
            )
        return replace(self, config=replace(self.config, generator=model))


def workspace_name(raw: str) -> str:
    """The name itself, if it is one.

    Raises:
        Rejected: if it is not 1 to 64 of a-z, 0-9, hyphen and underscore.
    """
    if not _NAME.fullmatch(raw):
        raise Rejected(
            f"workspace {raw[:80]!r} is not a name: use 1 to 64 of a-z, 0-9, '-' and '_'",
            code="invalid_workspace",
            field="workspace",
        )
    return raw
