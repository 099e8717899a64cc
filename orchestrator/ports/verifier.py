"""Verification: a sentence and the passages that it cites, to how well they support it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from orchestrator.domain.passages import Passage


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence, as its stretches between citations, and all the passages that it cites."""

    parts: tuple[str, ...]
    passages: tuple[Passage, ...]

    @property
    def text(self) -> str:
        """The sentence."""
        return " ".join(self.parts)


class Verifier(Protocol):
    """Judges sentences by passages, and by nothing else that it may know."""

    async def support(self, claims: Sequence[Claim]) -> Sequence[float]:
        """How well the passages of each claim, together, support it: in [0, 1], in order.

        A whole sentence of a passage is supported by it; without passages, the support is 0.

        Raises:
            Unavailable: when a model that is needed does not answer.
        """
        ...
