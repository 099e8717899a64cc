"""What a request carries along: its trace id, how its stages went, and when it must be over."""

from __future__ import annotations

import math
import secrets
from contextlib import AbstractContextManager
from contextvars import ContextVar, Token

from orchestrator.domain.answers import Spent

_ends: ContextVar[float] = ContextVar("ends", default=math.inf)
_trace: ContextVar[str] = ContextVar("trace", default="")
_spent: ContextVar[list[Spent] | None] = ContextVar("spent", default=None)
_skipped: ContextVar[list[str] | None] = ContextVar("skipped", default=None)
_timings: ContextVar[dict[str, float] | None] = ContextVar("timings", default=None)


def trace_id() -> str:
    """The trace id of the current request, 32 hex digits; made now if there is none."""
    if not _trace.get():
        _trace.set(secrets.token_hex(16))
    return _trace.get()


def current_trace() -> str:
    """The trace id of the current request, or an empty string outside of one."""
    return _trace.get()


def begin_trace(trace: str | None = None) -> str:
    """Start a request under a trace id, a new one by default; the id."""
    trace = trace or secrets.token_hex(16)
    _trace.set(trace)
    return trace


def begin_timings() -> dict[str, float]:
    """Start to collect stage timings, in milliseconds, into the mapping returned."""
    timings: dict[str, float] = {}
    _timings.set(timings)
    return timings


def took(stage: str, seconds: float) -> None:
    """Add to a stage's time in the current request, if one is being timed."""
    timings = _timings.get()
    if timings is not None:
        timings[stage] = round(timings.get(stage, 0.0) + seconds * 1e3, 3)


def begin_skips() -> list[str]:
    """Start to collect the stages that the request does not need, into the list returned."""
    skipped: list[str] = []
    _skipped.set(skipped)
    return skipped


def skip(stage: str) -> None:
    """Say that the current request does not need the stage."""
    skipped = _skipped.get()
    if skipped is not None:
        skipped.append(stage)


def begin_spending() -> list[Spent]:
    """Start to collect what language models take, into the list returned."""
    taken: list[Spent] = []
    _spent.set(taken)
    return taken


def spend(one: Spent) -> None:
    """Say what a language model took for the current request."""
    taken = _spent.get()
    if taken is not None:
        taken.append(one)


def spent() -> tuple[Spent, ...]:
    """What language models took for the current request so far."""
    return tuple(_spent.get() or ())


def ends_at() -> float:
    """When the current request must be over, by the event loop's clock; infinity if never."""
    return _ends.get()


def ending(at: float) -> AbstractContextManager[None]:
    """Within the block the request must be over at that time, or sooner where it must anyway.

    Around one `await` of a stream's next piece, never around a `yield`: what is set there, whoever
    reads the stream would have as well.
    """
    return _Ending(at)


class _Ending:
    __slots__ = ("_at", "_token")

    def __init__(self, at: float) -> None:
        self._at = at

    def __enter__(self) -> None:
        self._token: Token[float] = _ends.set(min(self._at, _ends.get()))

    def __exit__(self, *_raised: object) -> None:
        _ends.reset(self._token)
