"""Temporary folders; one whose process was killed is removed by the next that needs one."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Final

LOCK: Final = ".in-use"


@contextmanager
def scratch(prefix: str) -> Iterator[Path]:
    """A new folder until the block ends, or the process; its name begins with the prefix."""
    _sweep(prefix)
    with TemporaryDirectory(prefix=prefix) as name:
        unnamed = Path(name, f"{LOCK}.new")
        file = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            unnamed.rename(Path(name, LOCK))  # locked before it can be found
            yield Path(name)
        finally:
            os.close(file)


def _sweep(prefix: str) -> None:
    for folder in Path(gettempdir()).glob(f"{prefix}*"):
        try:
            mine = folder.lstat().st_uid == os.getuid()
            file = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC) if mine else None
        except OSError:  # about to be locked, or gone
            continue
        if file is None:
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(file)
