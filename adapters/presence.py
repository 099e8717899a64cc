"""Who works on a data folder: a locked file each, whose lock the kernel frees with its process."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.domain.errors import Unavailable


class Presence:
    """A folder of files, one a worker, named as it is; a name is never used again.

    A file has its lock before it has its name, so one that is not locked is of a dead process.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, int] = {}

    def enter(self, name: str) -> None:
        """Show that the worker of this process lives, for as long as the process does."""
        if name in self._files:
            return
        with _translated():
            self._folder.mkdir(parents=True, exist_ok=True)
            unnamed = self._folder / f".{name}"
            file = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                unnamed.rename(self._folder / name)
            except OSError:
                os.close(file)
                raise
        self._files[name] = file

    def departed(self) -> list[str]:
        """The workers whose processes are dead, until they are forgotten."""
        with _translated():
            named = [path for path in self._folder.glob("[!.]*") if path.name not in self._files]
            return [path.name for path in named if _abandoned(path)]

    def forget(self, name: str) -> None:
        """Remove a dead worker's file."""
        with _translated():
            (self._folder / name).unlink(missing_ok=True)

    def close(self) -> None:
        """Depart, as if the process had died."""
        for file in self._files.values():
            os.close(file)
        self._files.clear()


def _abandoned(path: Path) -> bool:
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:  # forgotten meanwhile
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        return True
    finally:
        os.close(file)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable("the queue", error.strerror or "an error of the disk") from error
