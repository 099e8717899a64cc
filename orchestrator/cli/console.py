"""What every command shares: output, exit codes, and errors as one line."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Any, Final, TypeVar

import typer
from rich.console import Console
from rich.text import Text

from orchestrator.domain.errors import Misconfigured, NotFound, RagError, Rejected, Unavailable
from orchestrator.domain.identity import Principal

Result = TypeVar("Result")

out: Final = Console(soft_wrap=True, highlight=False, markup=False, emoji=False)
err: Final = Console(stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False)


OPERATOR: Final = Principal("command line")
"""Who acts, for what is kept of it."""


class Exit(IntEnum):
    """What a script can tell from the exit status."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_ANSWERED = 3
    UNAVAILABLE = 4


@contextmanager
def reported() -> Iterator[None]:
    """Turn our own errors into one line on standard error and an exit status."""
    try:
        yield
    except RagError as error:
        err.print(Text.assemble(("error:", "red"), " ", error.detail))
        match error:
            case Misconfigured() | Rejected() | NotFound():
                raise typer.Exit(Exit.USAGE) from error
            case Unavailable():
                raise typer.Exit(Exit.UNAVAILABLE) from error
        raise typer.Exit(Exit.FAILED) from error


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a command's coroutine, its errors reported, and that it was interrupted.

    Told to terminate, it clears away what it made, as when it is interrupted.
    """
    with reported():
        try:
            return asyncio.run(_terminable(work))
        except (KeyboardInterrupt, asyncio.CancelledError):
            err.print("interrupted")
            raise typer.Exit(Exit.FAILED) from None


async def _terminable(work: Coroutine[Any, Any, Result]) -> Result:
    task = asyncio.current_task()
    if task and threading.current_thread() is threading.main_thread():
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await work


def print_json(value: object) -> None:
    """One JSON document on standard output."""
    typer.echo(json.dumps(value, ensure_ascii=False, default=str))
