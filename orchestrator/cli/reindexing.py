"""`rag reindex`."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import TypeAdapter, ValidationError
from rich.text import Text

from orchestrator.cli.console import Exit, err, out, print_json
from orchestrator.domain.errors import Conflict, Rejected
from orchestrator.domain.reindexing import Reindexing, State
from orchestrator.domain.workspaces import Chunking, WorkspaceConfig
from orchestrator.http.reindexing import ReindexingView
from orchestrator.ingestion.reindexing import Changes
from orchestrator.settings import load
from orchestrator.telemetry import logs
from orchestrator.wiring import Application, open_application

LOOK_S: Final = 0.5
LINE_S: Final = 10.0
PATIENCE_S: Final = 60.0
"""So long a switch or roll-back waits for documents that are on their way."""

_CHANGES = TypeAdapter(Changes)
_SETTABLE: Final = [f"chunking.{one.name}" for one in fields(Chunking)]


class Act(StrEnum):
    """What is asked of a re-indexing that there is."""

    STATUS = "status"
    SWITCH = "switch"
    CONFIRM = "confirm"
    ROLLBACK = "rollback"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a call names: backends, single values of the chunking, and a file of both."""

    embedder: str | None = None
    vectors: str | None = None
    keywords: str | None = None
    chunking: str | None = None
    values: Sequence[str] = ()
    file: Path | None = None

    @property
    def anything(self) -> bool:
        """Whether it names anything at all."""
        return self != Wanted()

    def changes(self, now: WorkspaceConfig) -> Changes:
        """The changes to a configuration.

        Raises:
            Rejected: for what cannot be read, or is none.
        """
        told = _read(self.file) if self.file else {}
        for name in ("embedder", "vectors", "keywords"):
            if (value := getattr(self, name)) is not None:
                told[name] = value
        cut = dict(told.get("chunking") or {})
        if self.chunking:
            cut["strategy"] = self.chunking
        cut |= dict(_pair(one) for one in self.values)
        if cut:
            known = {one.name: getattr(now.chunking, one.name) for one in fields(Chunking)}
            told["chunking"] = {**known, **cut}
        try:
            return _CHANGES.validate_python(told)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            reason = str(first["msg"]).removeprefix("Value error, ")
            raise Rejected(f"{place}: {reason}", code="invalid_request") from error


async def begin(
    workspace: str, wanted: Wanted, *, automatic: bool, detach: bool, json: bool
) -> Exit:
    """Begin a re-indexing, or go on with one, until its switch, or until it waits for one.

    An interrupt ends the following, and not the re-indexing.
    """
    logs.set_up("error", json=False)
    async with open_application(load(), writes=not detach) as application:
        now = await application.catalog.workspaces.get(workspace)
        one = await _going_on(application, now.uid) if not wanted.anything else None
        if one is None:
            changes = wanted.changes(now.config)
            one = await application.reindexings.begin(workspace, changes, automatic=automatic)
        try:
            if not detach:
                one = await _followed(application, workspace)
        except asyncio.CancelledError:
            err.print(Text(f"interrupted: {_NEXT[State.BUILDING].format(workspace=workspace)}"))
            return Exit.FAILED
    _show(workspace, one, json)
    return Exit.FAILED if one.state in (State.FAILED, State.CANCELLED) else Exit.OK


async def _going_on(application: Application, uid: str) -> Reindexing | None:
    """What was begun and not ended: `rag reindex` without a wish goes on with it."""
    return await application.catalog.reindexings.of(uid)


async def act(workspace: str, which: Act, *, json: bool) -> Exit:
    """Move a re-indexing that there is, or say how far it has come."""
    logs.set_up("error", json=False)
    async with open_application(load(), writes=which is not Act.STATUS) as application:
        use = application.reindexings
        match which:
            case Act.STATUS:
                one = await use.latest(workspace)
            case Act.CONFIRM:
                one = await use.confirm(workspace)
                if application.persists:
                    await application.preparer.round()
            case Act.SWITCH | Act.ROLLBACK | Act.CANCEL:
                await _require(application, workspace, which)
                move = use.switch if which is Act.SWITCH else use.undo
                async with _beside_a_server(application):
                    one = await _patiently(lambda: move(workspace))
    _show(workspace, one, json)
    return Exit.OK


async def _require(application: Application, workspace: str, which: Act) -> None:
    """Raise `Conflict` where there is something to undo, but not in the way that was asked."""
    one = await application.reindexings.latest(workspace)
    if one.ended_at is None and which is not Act.SWITCH:
        switched = one.state is State.SWITCHED
        if switched and which is Act.CANCEL:
            raise Conflict("it was switched already: --rollback goes back")
        if not switched and which is Act.ROLLBACK:
            raise Conflict("it was not switched yet: --cancel ends it")


async def _followed(application: Application, workspace: str) -> Reindexing:
    told = time.monotonic()
    async with _beside_a_server(application) as tasks:
        while True:
            for ended in [task for task in tasks if task.done()]:
                ended.result()
            looked = time.monotonic()
            one = await application.reindexings.latest(workspace)
            took = time.monotonic() - looked
            waits = one.state is State.VERIFIED and not one.automatic
            if waits or one.state not in (State.BUILDING, State.VERIFIED):
                return one
            if err.is_terminal or time.monotonic() - told > LINE_S:
                told = time.monotonic()
                err.print(_sentence(one), end="\r" if err.is_terminal else "\n")
            await asyncio.sleep(max(LOOK_S, 4 * took))


@asynccontextmanager
async def _beside_a_server(application: Application) -> AsyncIterator[Sequence[asyncio.Task[None]]]:
    """Where no server holds this data folder, do in this process what it would do."""
    works: list[Callable[[], Coroutine[Any, Any, None]]] = []
    if application.persists:
        application.parsers.warm()
        works = [*application.labour.values(), application.preparer.run]
    tasks = [asyncio.create_task(work()) for work in works]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _patiently(move: Callable[[], Awaitable[Reindexing]]) -> Reindexing:
    """Again while documents are on their way."""
    ends = time.monotonic() + PATIENCE_S
    while True:
        try:
            return await move()
        except Conflict as error:
            if error.retry_after is None or time.monotonic() > ends:
                raise
            await asyncio.sleep(LOOK_S)


def _show(workspace: str, one: Reindexing, json: bool) -> None:
    if json:
        print_json(ReindexingView.of(one).model_dump(mode="json"))
        return
    out.print(Text(f"{workspace}: {_sentence(one)}"))
    with contextlib.suppress(KeyError):
        out.print(Text(_NEXT[one.state].format(workspace=workspace)))


def _sentence(one: Reindexing) -> str:
    match one.state:
        case State.BUILDING if one.copies and one.behind:
            return f"building, {one.documents - one.behind:,} of {one.documents:,} documents"
        case State.BUILDING:
            return f"building, indexes {one.share:.0%} filled"
        case State.FAILED:
            return f"failed: {one.reason}"
        case State.SWITCHED if one.behind:
            return f"switched; {one.behind:,} documents are not yet on the footing before"
    return one.state.value.replace("_", " ")


_NEXT: Final = {
    State.BUILDING: "a server goes on with it, and --status tells how far; without one, "
    "`rag reindex {workspace}` goes on",
    State.VERIFIED: "`rag reindex {workspace} --switch` lets readers go over, --cancel ends it",
    State.SWITCHED: "`rag reindex {workspace} --confirm` erases what served before, --rollback "
    "goes back to it",
    State.CONFIRMED: "what served before is erased once nobody can be reading it",
}


def _read(file: Path) -> dict[str, Any]:
    try:
        told = yaml.safe_load(file.read_text())
    except (OSError, UnicodeError, yaml.YAMLError) as error:
        raise Rejected(f"'{file}' cannot be read: {error}") from error
    known = {"embedder", "vectors", "keywords", "chunking"}
    if not isinstance(told, dict) or not told.keys() <= known:
        raise Rejected(f"'{file}' holds something else than {', '.join(sorted(known))}")
    if not isinstance(told.get("chunking") or {}, dict):
        raise Rejected(f"'{file}': chunking is no mapping")
    return told


def _pair(given: str) -> tuple[str, str]:
    key, equals, value = given.partition("=")
    if not equals or key.strip() not in _SETTABLE:
        raise Rejected(f"'{given}' sets nothing: there are {', '.join(_SETTABLE)}")
    return key.strip().removeprefix("chunking."), value.strip()
