"""Counts of searches."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Protocol

from orchestrator.domain.analytics import Counted, Kind


class Analytics(Protocol):
    """Counts of searches by workspace, day, kind and name; those of several processes add up."""

    async def add(self, counts: Mapping[Counted, int], *, texts: int) -> None:
        """Add to what is counted, in one transaction.

        Of each kind that holds words of questions, a workspace has at most `texts` names a day:
        further ones are left out. So are workspaces that are gone.
        """
        ...

    async def since(self, workspace: str, day: date) -> Sequence[tuple[Kind, str, int]]:
        """Kind, name and count of a workspace, by its uid, from the day on."""
        ...

    async def forget(self, day: date) -> None:
        """Erase what was counted before the day."""
        ...
