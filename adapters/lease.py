"""A lease by a lock on a file: the kernel gives it back when the process dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class FileLease:
    """`orchestrator.ports.lease.Lease` on one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    @property
    def held(self) -> bool:
        """Whether the file is open and locked."""
        return self._file is not None

    def acquire(self) -> bool:
        """Try the lock, without waiting."""
        if self._file is not None:
            return True
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        self._file = file
        return True

    def release(self) -> None:
        """Close the file, and with it the lock."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
