"""Documents that the service reads by itself, without trusting where their names lead."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol


@dataclass(frozen=True, slots=True)
class Page:
    """What a place gave: its bytes, to be closed by whoever asked, or where it leads instead.

    `links` are absolute, in the order of the page, without those that say `nofollow`.
    """

    content: BinaryIO | None
    media_type: str = ""
    moved_to: str | None = None
    links: Sequence[str] = ()


@dataclass(slots=True)
class Tally:
    """The bytes that came, of whatever became no page, too."""

    bytes: int = 0


class Rules(Protocol):
    """What a host lets robots read."""

    def allow(self, url: str) -> bool:
        """Whether the URL may be fetched."""
        ...

    @property
    def delay_s(self) -> float:
        """The pause that it wants between two requests."""
        ...


class Web(Protocol):
    """HTTP within limits of size and time, to addresses that the deployment allows."""

    async def fetch(self, url: str, *, links: bool = False, tally: Tally | None = None) -> Page:
        """One request; a redirect is not followed, but told. The tally grows as bytes come.

        Raises:
            Rejected: for an address that is not allowed, or an answer that is not usable.
        """
        ...

    async def rules(self, url: str) -> Rules:
        """The robots.txt of the URL's host, read anew.

        Raises:
            Rejected: when it cannot be read, and so nothing may be.
        """
        ...


class Places(Protocol):
    """Files and URLs that the operator allows to be named."""

    @property
    def any(self) -> bool:
        """Whether anything is allowed."""
        ...

    async def open(self, place: str) -> Page:
        """The bytes of a path or of a URL.

        Raises:
            Forbidden: for a place that is not allowed, whether there is anything or not.
            Rejected: for one that is, and cannot be read.
        """
        ...
