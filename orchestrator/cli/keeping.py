"""`rag backup` and `rag restore`."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from orchestrator.cli.console import Exit, err, out, print_json
from orchestrator.cli.outcomes import amount
from orchestrator.cli.progress import Course, Display
from orchestrator.keeping.manifest import Manifest
from orchestrator.safekeeping import open_backup, open_restoration
from orchestrator.settings import Settings, load
from orchestrator.telemetry import logs
from orchestrator.wiring import open_application


class _Shown:
    """Shows how many files were copied, from when it is known how many there are."""

    def __init__(self, stack: ExitStack, *, quiet: bool) -> None:
        self._stack = stack
        self._quiet = quiet
        self._display: Display | None = None

    def begin(self, files: int) -> None:
        """Start the bar, or the lines."""
        display = Display(Course(files, noun="files"), err, quiet=self._quiet)
        self._display = self._stack.enter_context(display)

    def advance(self, size: int) -> None:
        """One file more."""
        if self._display:
            self._display.advance(size)


async def backup(target: Path, json: bool) -> None:
    """Write one, and say what is in it."""
    logs.set_up("warning", json=False)
    began = time.monotonic()
    with ExitStack() as stack:
        async with open_backup(load()) as backups:
            manifest = await backups.write(target, _Shown(stack, quiet=json))
    seconds = time.monotonic() - began
    if json:
        print_json({"path": str(target), **_figures(manifest), "seconds": round(seconds, 3)})
        return
    out.print(f"{target}: {_sentence(manifest)} in {seconds:.1f} s")


async def restore(source: Path, replace: bool, build: bool, json: bool) -> Exit:
    """Restore one; then build the indexes, unless told not to."""
    logs.set_up("warning", json=False)
    settings, began = load(), time.monotonic()
    async with open_restoration(settings) as restoration:
        restored = await restoration.read(source, replace=replace)
    seconds = time.monotonic() - began
    if not json:
        out.print(f"restored {_sentence(restored.manifest)} in {seconds:.1f} s")
    for store, reason in restored.pending.items():
        err.print(f"not cleaned: {store}: {reason}")
    built = await _build(settings) if build else 0.0
    if json:
        figures = {"replaced": restored.replaced, "pending": restored.pending}
        times = {"seconds": round(seconds, 3), "index_seconds": round(built, 3)}
        print_json({"path": str(source), **_figures(restored.manifest), **figures, **times})
    elif build:
        out.print(f"built the indexes in {built:.1f} s")
    return Exit.FAILED if restored.pending else Exit.OK


async def _build(settings: Settings) -> float:
    """Open every workspace until its indexes hold all that the catalog has, and keep them."""
    began = time.monotonic()
    async with open_application(settings, writes=True, seeds=False) as application:
        for workspace in await application.catalog.workspaces.list():
            await application.library.settle(workspace.name)
    return time.monotonic() - began


def _sentence(manifest: Manifest) -> str:
    documents = manifest.rows["documents"]
    return (
        f"{documents:,} documents in {len(manifest.revisions):,} workspaces, "
        f"{manifest.files:,} files, {amount(manifest.bytes)}, as of {manifest.created_at}"
    )


def _figures(manifest: Manifest) -> dict[str, Any]:
    return {
        "created_at": manifest.created_at,
        "workspaces": manifest.revisions,
        "rows": manifest.rows,
        "files": manifest.files,
        "quarantined": manifest.quarantined,
        "bytes": manifest.bytes,
    }
