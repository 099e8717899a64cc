"""What servers of models answer instead of a completion, as errors of ours.

Their messages may quote keys and texts: they are looked at, and go no further.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from orchestrator.domain.errors import Exhausted, Misconfigured, RagError, TooLarge, Unavailable

BUSY_S: Final = 5.0
"""To wait for a server that has too much to do and does not say until when."""
LONGEST_S: Final = 3600.0
_WRONG: Final = (400, 401, 403, 404, 405, 415, 422)
_TOO_LONG: Final = re.compile(
    r"context[ _-]?(?:length|window|size)|(?:maximum|max)[ _](?:model|input|prompt|total|sequence)"
    r"|too long|longer than|too many (?:input )?tokens|reduce (?:the|your)|exceed\w* .{0,40}tokens",
    re.IGNORECASE,
)
_FILTERED: Final = re.compile(r'"code": ?"content_(?:filter|policy_violation)"')


class Filtered(Exception):
    """The prompt itself was refused by a filter: the answer is over before it began."""


def refused(server: str, status: int, told: str, retry_after: str | None = None) -> Exception:
    """The error for a status, and what is told with it; `Filtered` where a filter spoke."""
    wait = seconds(retry_after)
    if status == 429:
        return Exhausted(
            f"{server} has too much to do", retry_after=BUSY_S if wait is None else wait
        )
    if status == 413 or (status in {400, 422, 500} and _TOO_LONG.search(told)):
        return TooLarge(f"the prompt is too long for {server}")
    if status in {400, 403} and _FILTERED.search(told):
        return Filtered()
    if status in _WRONG:
        return _wrong(server, status)
    return Unavailable(server, f"it answers {status}", retry_after=wait)


def seconds(retry_after: str | None) -> float | None:
    """What a `Retry-After` says, a number or a date; None where it says nothing."""
    if not retry_after:
        return None
    try:
        wait = float(retry_after)
    except ValueError:
        try:
            until = parsedate_to_datetime(retry_after).astimezone(UTC)
        except (ValueError, OverflowError):
            return None
        wait = (until - datetime.now(UTC)).total_seconds()
    return None if math.isnan(wait) else min(max(wait, 0.0), LONGEST_S)


def _wrong(server: str, status: int) -> RagError:
    reason = {
        401: "it refuses the key",
        403: "it refuses the key",
        404: "it knows no such model or address",
    }.get(status, "it refuses how it is asked")
    return Misconfigured(f"{server} answers {status}: {reason}")
