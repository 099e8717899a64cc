"""The virus scanner, which sees a file before any parser does."""

from pathlib import Path
from typing import Protocol


class Scanner(Protocol):
    """Looks for what is known to be harmful."""

    async def scan(self, file: Path) -> str | None:
        """The name of what was found, or None for a file that is clean.

        Raises:
            Unsupported: when the scanner does not take this file, so that nobody knows.
            Unavailable: when it does not answer.
        """
        ...
