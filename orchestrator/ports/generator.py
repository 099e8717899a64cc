"""Generation: passages to an answer that cites them."""

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol, runtime_checkable

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


@runtime_checkable
class Admitting(Protocol):
    """What a generator also is where it may have too much to do."""

    def admit(self) -> None:
        """Return if an answer may be begun now; that it will be, nobody can promise.

        Raises:
            Unavailable: when it is known to be down.
            Exhausted: when it has too much to do.
        """
        ...


def admit(generator: Generator) -> None:
    """Return if the generator may begin an answer now; raises what `Admitting.admit` does."""
    if isinstance(generator, Admitting):
        generator.admit()
