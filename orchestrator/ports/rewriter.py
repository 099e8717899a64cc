"""Rewriting: a question in other words, by a language model."""

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
