"""`rag ingest`."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from orchestrator.cli.console import Exit, err, out, print_json
from orchestrator.domain.documents import Upload
from orchestrator.domain.errors import Exhausted, Rejected
from orchestrator.settings import load
from orchestrator.telemetry import logs
from orchestrator.wiring import Application, open_application

READ: Final = frozenset(
    """.md .markdown .txt .text .html .htm .xhtml .csv .tsv .json .jsonl .ndjson .pdf .docx .docm
    .dotx .pptx .pptm .ppsx .potx .xlsx .xlsm .xltx .zip""".split()
)
PATIENCE_S: Final = 10.0
"""So long a server that holds the lease does the work alone, before this process helps."""


@dataclass(slots=True)
class Summary:
    """What became of each file."""

    indexed: int = 0
    unchanged: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


async def ingest(paths: Sequence[Path], workspace: str, json: bool) -> Exit:
    """Submit every file, follow all to their end, and say what became of each."""
    settings = load()
    logs.set_up("error", json=False)
    summary, began = Summary(), time.monotonic()
    files = _files(paths, summary)
    async with open_application(settings, writes=True) as application:
        await application.ingestion.ensure_workspace(workspace, settings.workspace)
        worker = asyncio.create_task(_work(application))
        try:
            with _Bar(len(files), quiet=json) as progress:
                waiting = await _submit(application, workspace, files, summary, progress)
                await _follow(application, waiting, summary, progress)
            await application.library.settle(workspace)
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
    summary.seconds = round(time.monotonic() - began, 2)
    _report(summary, json)
    return Exit.FAILED if summary.failed else Exit.OK


def _files(paths: Sequence[Path], summary: Summary) -> Mapping[str, Path]:
    """Every file by its source id; the same file under the same one counts once.

    Raises:
        Rejected: when one would replace another.
    """
    files: dict[str, Path] = {}
    for source_id, path in _found(paths, summary):
        if (shown := _shown(source_id)) != source_id:
            summary.failed[shown] = "its name is not UTF-8"
            continue
        other = files.setdefault(source_id, path)
        if other != path and not other.samefile(path):
            raise Rejected(
                f"'{other}' and '{path}' would both be '{source_id}': ingest a folder above both, "
                "or use two workspaces"
            )
    return files


def _found(paths: Sequence[Path], summary: Summary) -> Iterator[tuple[str, Path]]:
    for path in paths:
        if path.is_file():
            yield Path(os.path.normpath(path)).as_posix(), path
            continue
        for found in sorted(path.rglob("*")):
            inside = found.relative_to(path)
            if not found.is_file() or any(part.startswith(".") for part in inside.parts):
                continue
            if found.suffix.casefold() in READ:
                yield inside.as_posix(), found
            else:
                kind = _shown(found.suffix)
                summary.skipped[_shown(inside.as_posix())] = f"no parser reads '{kind}' files"


def _shown(name: str) -> str:
    """A file's name, which may be any bytes, as text."""
    return os.fsencode(name).decode(errors="backslashreplace")


async def _submit(
    application: Application,
    workspace: str,
    files: Mapping[str, Path],
    summary: Summary,
    progress: _Bar,
) -> dict[str, str]:
    waiting: dict[str, str] = {}
    for source_id, path in files.items():
        try:
            with path.open("rb") as content:
                registered = await application.ingestion.submit(
                    workspace, Upload(source_id, content, path.name)
                )
        except (OSError, Rejected, Exhausted) as error:
            summary.failed[source_id] = str(error)
            progress.advance()
            continue
        if registered.duplicate and registered.document.status == "indexed":
            summary.unchanged += 1
            progress.advance()
        else:
            waiting[registered.document.id] = source_id
    return waiting


async def _follow(
    application: Application, waiting: dict[str, str], summary: Summary, progress: _Bar
) -> None:
    async for document_id, error in application.ingestion.follow(waiting):
        progress.advance()
        if error:
            summary.failed[waiting[document_id]] = error
        else:
            summary.indexed += 1


async def _work(application: Application) -> None:
    """Work at once where this process holds the lease, else after another has had its chance."""
    if not application.persists:
        await asyncio.sleep(PATIENCE_S)
    await application.worker.run()


class _Bar:
    """A progress bar on standard error, or none."""

    def __init__(self, total: int, *, quiet: bool) -> None:
        self._progress = Progress(
            TextColumn("ingesting"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=err,
            disable=quiet,
        )
        self._task = self._progress.add_task("ingesting", total=total)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def advance(self) -> None:
        """One file more."""
        self._progress.advance(self._task)


def _report(summary: Summary, json: bool) -> None:
    if json:
        print_json(
            {
                "indexed": summary.indexed,
                "unchanged": summary.unchanged,
                "failed": summary.failed,
                "skipped": summary.skipped,
                "seconds": summary.seconds,
            }
        )
        return
    out.print(
        f"{summary.indexed} indexed, {summary.unchanged} unchanged, "
        f"{len(summary.failed)} failed, {len(summary.skipped)} skipped "
        f"in {summary.seconds:.1f} s"
    )
    for title, files in (("failed", summary.failed), ("skipped", summary.skipped)):
        for name, reason in files.items():
            out.print(f"  {title}: {name}: {reason}")
