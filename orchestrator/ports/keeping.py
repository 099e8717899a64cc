"""The catalog as a whole: copied into one file while it is used, and replaced by such a copy."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol


@dataclass(frozen=True, slots=True)
class Original:
    """An original file that a copy names; of one that `failed`, the quarantine may hold more."""

    document_id: str
    key: str
    size: int
    failed: bool


@dataclass(frozen=True, slots=True)
class Contents:
    """What a copy holds: `used` are the last ids given in each table that never gives one twice."""

    schema: str
    names: Mapping[str, str]
    revisions: Mapping[str, int]
    rows: Mapping[str, int]
    used: Mapping[str, int]
    untouched: bool


NOTHING: Final = Contents(schema="", names={}, revisions={}, rows={}, used={}, untouched=True)
"""What there is before a catalog is made."""


class Keeper(Protocol):
    """The catalog that a deployment uses."""

    async def copy(self, path: Path) -> None:
        """Write one moment of the catalog to a new file; readers and writers go on meanwhile.

        Raises:
            NotFound: when there is no catalog yet.
        """
        ...

    async def deleted(self, documents: Sequence[str]) -> frozenset[str]:
        """Those that are deleted by now, or not known any more."""
        ...

    async def require_alone(self) -> None:
        """Make sure that nobody else uses the catalog.

        Raises:
            Conflict: when somebody does.
        """
        ...

    async def replace(self, path: Path) -> None:
        """Put a copy of the newest schema in the catalog's place, wholly or not at all.

        Raises:
            Conflict: when somebody else uses the catalog.
        """
        ...


class Copies(Protocol):
    """What can be done with a copy, which is a file of its own."""

    async def contents(self, path: Path) -> Contents:
        """Look into it.

        Raises:
            Rejected: when it is no copy, is damaged, or was made by a newer version.
        """
        ...

    def originals(self, path: Path) -> Iterator[Original]:
        """The original files of every document in it that is not deleted, each key once."""
        ...

    async def forget(self, path: Path, documents: Iterable[str]) -> None:
        """Delete documents from it, as if that had happened before."""
        ...

    async def renew(self, path: Path, *, beyond: Contents) -> None:
        """Bring it to the newest schema, as the beginning of a history of its own.

        Nobody works on anything; ids and revisions go on beyond all that it or `beyond` can have
        given away, so that what other stores remember of them is never taken for something else.
        """
        ...
