"""The optional port of anything that can be down."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class Pingable(Protocol):
    """An adapter with a server behind it."""

    async def ping(self) -> None:
        """Return when the server answers; raise `Unavailable` when it does not."""
        ...
