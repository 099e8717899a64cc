"""A clock for limits on time: it stands while the machine has no time for this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

TICK_S = 0.01
AWAKE_S = 0.05
"""What one tick counts at most: whoever sleeps for longer was not let run."""


@contextmanager
def awake() -> Iterator[Callable[[], float]]:
    """Tells the seconds since its beginning in which this process was awake."""
    over, counted = threading.Event(), [0.0]

    def tick() -> None:
        last = time.monotonic()
        while not over.wait(TICK_S):
            now = time.monotonic()
            counted[0] += min(now - last, AWAKE_S)
            last = now

    ticking = threading.Thread(target=tick, daemon=True)
    ticking.start()
    try:
        yield lambda: counted[0]
    finally:
        over.set()
        ticking.join()
