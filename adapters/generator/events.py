"""Server-sent events out of bytes, as they come."""

from __future__ import annotations

from typing import Final

LONGEST: Final = 1_000_000
"""Bytes of one event; what is longer is none."""


class Events:
    """Reads the data of events; comments, names and other fields say nothing here."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, received: bytes) -> list[bytes]:
        """The data of each event that is now whole.

        Raises:
            ValueError: when one does not end.
        """
        *lines, self._rest = (self._rest + received).split(b"\n")
        found = []
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[5:].strip(b" \r"))
            elif line in {b"", b"\r"} and self._data:
                found.append(b"\n".join(self._data))
                self._data.clear()
        if len(self._rest) + sum(map(len, self._data)) > LONGEST:
            raise ValueError("an event does not end")
        return found
