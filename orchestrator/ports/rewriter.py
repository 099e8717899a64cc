"""Rewriting: a question in other words, or whole by what was said, by a language model."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from orchestrator.domain.answers import Query


@runtime_checkable
class Rewriter(Protocol):
    """What a generator also is where it is a language model; it is told the question alone."""

    async def paraphrases(self, query: Query, *, count: int) -> Sequence[str]:
        """Up to `count` other wordings of the question.

        Raises:
            Unavailable: when the model does not answer.
        """
        ...

    async def imagined(self, query: Query) -> str:
        """A passage that would answer the question, made up: it is searched for, never shown.

        Gao et al., "Precise zero-shot dense retrieval without relevance labels", ACL 2023.

        Raises:
            Unavailable: when the model does not answer.
        """
        ...


@runtime_checkable
class Conversant(Protocol):
    """What such a generator is, too: it reads what was said before a question, as data."""

    async def standalone(self, query: Query, history: str) -> str:
        """The question as it can be understood without the history, which has a line a turn.

        Raises:
            Unavailable: when the model does not answer.
        """
        ...

    async def summary(self, query: Query, history: str) -> str:
        """The history in a few sentences.

        Raises:
            Unavailable: when the model does not answer.
        """
        ...

    async def lengths(self, texts: Sequence[str]) -> Sequence[int]:
        """How many tokens each text has; guessed, and not too few, where they are not counted."""
        ...
