"""Measuring: how many tokens of passages a generator can be given."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from orchestrator.domain.answers import Query
from orchestrator.domain.passages import Passage


@runtime_checkable
class Measured(Protocol):
    """What a generator also is where it is a language model, whose window ends somewhere."""

    async def room(self, query: Query) -> int:
        """How many tokens are left for passages beside the question and the answer; below 1: none.

        Tokens are counted by the model's own tokeniser where it is at hand, else too many are.
        """
        ...

    async def sizes(self, passages: Sequence[Passage]) -> Sequence[int]:
        """How many tokens each passage takes, with its title, its section and its delimiters."""
        ...
