"""`rag jobs`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from rich.table import Table

from orchestrator.cli.console import Exit, err, out, print_json
from orchestrator.domain.errors import NotFound
from orchestrator.settings import load
from orchestrator.telemetry import logs
from orchestrator.wiring import open_application


async def show_backlog(json: bool) -> None:
    """Print what waits to be indexed, and what was given up."""
    logs.set_up("warning", json=False)
    async with open_application(load(), writes=False, seeds=False) as application:
        backlog, dead = await application.queue.backlog(), await application.queue.dead()
        unfinished = await application.catalog.documents.waiting()
    figures = {
        "waiting": backlog.waiting,
        "oldest_s": round(backlog.oldest_s, 1),
        "in_progress": max(0, unfinished - backlog.waiting),
        "dead": len(dead),
    }
    if json:
        print_json(figures)
        return
    out.print(
        f"{backlog.waiting} waiting, the oldest for {backlog.oldest_s:.1f} s; "
        f"{figures['in_progress']} in progress; {len(dead)} given up"
    )


async def show_dead(json: bool) -> None:
    """Print the dead letters."""
    logs.set_up("warning", json=False)
    async with open_application(load(), writes=False, seeds=False) as application:
        letters = await application.queue.dead()
    if json:
        print_json([asdict(one) for one in letters])
        return
    table = Table("id", "document", "given up", "reason")
    for one in letters:
        table.add_row(one.id, one.document_id or "", f"{one.at:%Y-%m-%d %H:%M}", one.reason)
    out.print(table if letters else "nothing was given up")


async def settle_dead(ids: Sequence[str], *, again: bool) -> Exit:
    """Queue what was given up once more, or only forget it; no ids are all of them."""
    logs.set_up("warning", json=False)
    done, status = 0, Exit.OK
    async with open_application(load(), writes=False, seeds=False) as application:
        letters = {one.id: one for one in await application.queue.dead()}
        for wanted in ids or letters:
            try:
                letter = letters[wanted]
                if again and letter.document_id:
                    await application.catalog.versions.requeue(letter.document_id)
            except (KeyError, NotFound):
                err.print(f"nothing that was given up has the id '{wanted}'")
                status = Exit.FAILED
                continue
            await application.queue.discard(letter)
            done += 1
    out.print(f"{done} {'queued once more' if again else 'forgotten'}")
    return status
