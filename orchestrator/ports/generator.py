"""Generation: passages to an answer that cites them."""

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from orchestrator.domain.answers import Outcome, Query, Token
from orchestrator.domain.passages import Passage


class Generator(Protocol):
    """Writes an answer from passages alone, citing the n-th of them as `[n]`."""

    def generate(
        self, query: Query, passages: Sequence[Passage]
    ) -> AsyncGenerator[Token | Outcome]:
        """The answer in pieces, then exactly one `Outcome`.

        Where the passages do not answer, `Outcome.answerable` is false and the text says so.
        Closing the generator ends what it does, at once.
        """
        ...
