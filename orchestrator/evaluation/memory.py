"""How much memory an evaluation takes: its process, and those that read documents for it."""

from __future__ import annotations

import contextlib
import os
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

EVERY_S: Final = 0.1
_MB: Final = 1 << 20
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class Memory:
    """The most memory seen so far."""

    def __init__(self) -> None:
        self._seen = 0

    @property
    def peak_mb(self) -> float:
        """The most that this process and all its descendants had resident at once, in MB.

        Looked at ten times a second, so that the parser processes of this moment count, and those
        that have ended do not; a page that two of them share counts in both. It is never less
        than the most that this process alone has ever had, which the kernel keeps count of.
        """
        alone = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return max(self._seen, alone) / _MB

    def look(self) -> None:
        """Add up what is resident now."""
        self._seen = max(self._seen, sum(_resident(pid) for pid in _family(os.getpid())))


@contextmanager
def watched() -> Iterator[Memory]:
    """Look on for as long as the block runs, on a thread: the work may keep its own one busy."""
    memory, ended = Memory(), threading.Event()

    def look_on() -> None:
        while not ended.wait(EVERY_S):
            memory.look()

    thread = threading.Thread(target=look_on, name="memory", daemon=True)
    thread.start()
    try:
        yield memory
    finally:
        ended.set()
        thread.join()


def _family(pid: int) -> Iterator[int]:
    """A process and all its descendants; one that ends meanwhile is left out."""
    yield pid
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                for child in (task / "children").read_text().split():
                    yield from _family(int(child))


def _resident(pid: int) -> int:
    """Bytes; 0 of a process that has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0
