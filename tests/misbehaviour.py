"""What can be wrong with a server of language models, by the names that the contract has for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from orchestrator.contracts.language import SECRET
from tests.completions import Asked, Completions, Refusal, Script, told_back

SLOW_S = 0.6
"""Longer than an impatient model waits."""
QUOTED = {"error": {"message": f"the key {SECRET} asked 'When are refunds paid?'", "code": "no"}}
LONG = "Refunds are paid within 7 days. " * 50
RAW = 'data: {"choices": "none"}\n\n'


def talkative(asked: Asked) -> Script:
    """As it was told; but slowly and at length where much is asked for."""
    return Script(LONG, rate=20) if asked.limit > 100 else told_back(asked)


def scripted(**how: Any) -> Callable[[Asked], Script]:
    """As it was told, but so."""
    return lambda asked: replace(told_back(asked), **how)


def refusing(status: int, **headers: str) -> Callable[[Asked], Refusal]:
    """A status, with a message that quotes what it should not."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: Refusal(status, QUOTED, named)


def _soon() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)


def misbehave(server: Completions, how: str) -> None:
    """Let the server fail so, from now on."""
    wrong: dict[str, Callable[[Asked], Script | Refusal]] = {
        "not at all": talkative,
        "cut before": scripted(cut_after=0),
        "cut": scripted(cut_after=6),
        "reset": scripted(reset_after=6),
        "malformed chunk": scripted(garbage_after=6),
        "strange chunk": scripted(raw=RAW),
        "error in the stream": scripted(error_after=6),
        "no end": scripted(reason=None),
        "no events": scripted(raw=""),
        "wrong content type": scripted(content_type="text/html"),
        "mute": scripted(mute=True),
        "silent": scripted(wait_s=3600),
        "silent but for comments": scripted(wait_s=3600, comments=0.02),
        "hang": scripted(hang_after=6),
        "hang but for comments": scripted(hang_after=6, comments=0.02),
        "slow first token": scripted(wait_s=SLOW_S),
        "empty choices": scripted(empty_choices=True),
        "no usage": scripted(usage=False),
        "429 for 7 s": refusing(429, retry_after="7"),
        "429 until": refusing(429, retry_after=_soon()),
        "503 for 7 s": refusing(503, retry_after="7"),
        "302": refusing(302, location=server.url),
    }
    if how == "gone":
        server.kill()
    elif how.isdecimal() and how not in wrong:
        server.answer = refusing(int(how))
    else:
        server.answer = wrong[how]
