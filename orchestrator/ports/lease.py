"""The lease to persist local indexes: one process of a data folder holds it."""

from typing import Protocol


class Lease(Protocol):
    """Held until the process ends, however it ends."""

    @property
    def held(self) -> bool:
        """Whether this process holds it."""
        ...

    def acquire(self) -> bool:
        """Take the lease if it is free; whether this process now holds it."""
        ...

    def release(self) -> None:
        """Give it back, if held."""
        ...
