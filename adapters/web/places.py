"""Files below folders, and URLs below prefixes, that the operator allows."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final

from orchestrator.domain.errors import Forbidden, Rejected
from orchestrator.domain.places import normal, within
from orchestrator.ports.web import Page, Web

REDIRECTS: Final = 5


class AllowedPlaces:
    """`orchestrator.ports.web.Places`; links and redirects are judged by where they lead."""

    def __init__(self, roots: Sequence[Path], prefixes: Sequence[str], web: Web) -> None:
        self._roots = [root.resolve() for root in roots]
        self._prefixes = prefixes
        self._web = web

    @property
    def any(self) -> bool:
        """Whether a folder or a prefix is configured."""
        return bool(self._roots or self._prefixes)

    async def open(self, place: str) -> Page:
        """A URL by its scheme, else a path."""
        if place.casefold().startswith(("http://", "https://")):
            return await self._fetch(place)
        return Page(await asyncio.to_thread(self._open, place))

    async def _fetch(self, place: str) -> Page:
        try:
            url = normal(place)
        except ValueError as error:
            raise Rejected(str(error), code="invalid_url") from error
        for _ in range(REDIRECTS + 1):
            if not any(within(url, prefix) for prefix in self._prefixes):
                raise Forbidden(f"{url} is not allowed to be read", code="place_not_allowed")
            page = await self._web.fetch(url)
            if page.moved_to is None:
                return page
            url = page.moved_to
        raise Rejected(f"{place} leads on and on", code="fetch_failed")

    def _open(self, place: str) -> BinaryIO:
        if "\0" in place:
            raise Rejected("not a path", code="invalid_path")
        path = Path(os.path.realpath(place))
        if not Path(place).is_absolute() or not any(
            path.is_relative_to(root) for root in self._roots
        ):
            raise Forbidden(f"'{place}' is not allowed to be read", code="place_not_allowed")
        try:
            opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise Rejected(f"'{place}': {error.strerror}", code="unreadable") from error
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            os.close(opened)
            raise Rejected(f"'{place}' is not a file", code="unreadable")
        return os.fdopen(opened, "rb")
