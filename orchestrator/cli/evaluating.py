"""`rag eval`."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.progress import Progress
from rich.table import Table

from orchestrator.cli.console import Exit, err, out, print_json
from orchestrator.cli.overriding import overrides
from orchestrator.domain.errors import Rejected
from orchestrator.domain.identity import DEFAULT_WORKSPACE
from orchestrator.evaluation import beir, memory, running
from orchestrator.evaluation.asking import Asking
from orchestrator.evaluation.keeping import Kept
from orchestrator.evaluation.results import results, write
from orchestrator.settings import Settings, load
from orchestrator.settings.extras import extra
from orchestrator.telemetry import logs
from orchestrator.wiring import Application, open_application

# ruff: noqa: PLC0415  # what an extra brings is imported where it is needed

NAMED: Final = 5
"""So many of what failed or was left out are named."""
OWN: Final = {
    "catalog": {"kind": "sqlite"},
    "blobs": {"kind": "filesystem"},
    "queue": {"kind": "local"},
}
"""A run keeps its documents to itself, wherever the deployment keeps those of its users."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one call asks for, beside the collection."""

    split: str = beir.TEST
    config: Path | None = None
    assigned: Sequence[str] = ()
    keep: Path | None = None
    per_query: Path | None = None
    plot: Path | None = None
    json: bool = False


async def evaluate(folder: Path, wanted: Wanted) -> Exit:
    """Index the collection in a data folder of its own, ask its questions, print the figures."""
    logs.set_up("error", json=False)
    with extra("eval"):
        from orchestrator.evaluation import metrics

        if wanted.plot:
            from orchestrator.evaluation import plotting  # noqa: F401  # used after minutes
    _check_places(wanted.per_query, wanted.plot)
    if wanted.keep:
        _require_folder(wanted.keep)
    collection = beir.load(folder, wanted.split)
    with memory.watched() as seen:
        async with _ready(collection, wanted) as (application, indexed):
            asking = asking_of(application, DEFAULT_WORKSPACE)
            with shown("asking", quiet=wanted.json) as told:
                asked = await running.measure(collection.questions, asking, told)
            if wanted.plot:
                await _plot(wanted.plot, collection, asking, quiet=wanted.json)
    rankings = {question: one.ranking for question, one in asked.items()}
    each = metrics.Measuring(collection.judgements).of_each(rankings)
    if wanted.per_query:
        write(wanted.per_query, results(asked, each))
    figures = {
        **metrics.means(each.values()),
        **metrics.latencies([one.latency_ms for one in asked.values()]),
        "docs_per_s": indexed.docs_per_s,
        "peak_mb": seen.peak_mb,
    }
    _warn(collection, indexed)
    _print(figures, collection.name, wanted.json)
    return Exit.FAILED if indexed.failed else Exit.OK


def asking_of(application: Application, workspace: str) -> Asking:
    """Asks a workspace of an open deployment."""
    return Asking(
        application.library, application.answering, application.assembly.pipeline, workspace
    )


@contextmanager
def shown(what: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error, for as long as the block runs."""
    with Progress(console=err, transient=True, disable=quiet or not err.is_terminal) as progress:
        bar = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(bar, completed=done, total=total)


@asynccontextmanager
async def _ready(
    collection: beir.Collection, wanted: Wanted
) -> AsyncIterator[tuple[Application, running.Indexed]]:
    """The collection indexed, in a folder that goes in the end, or in the one that is kept."""
    chosen = overrides(wanted.config, wanted.assigned)
    if wanted.keep:
        settings = _settings(wanted.keep, chosen)
        kept = _kept(settings, collection, wanted.keep)
        known = kept.known()
        kept.note(known)
        async with open_application(settings, writes=True, seeds=False) as application:
            await _configure(application)
            indexed = known or await _index(application, collection, quiet=wanted.json)
            kept.note(indexed)
            yield application, indexed
        return
    with tempfile.TemporaryDirectory(prefix="rag-eval-") as scratch:
        settings = _settings(Path(scratch), chosen)
        async with open_application(settings, writes=True, seeds=False) as application:
            try:
                yield application, await _index(application, collection, quiet=wanted.json)
            finally:  # what is in stores of other machines, too
                await application.withdrawals.workspace(DEFAULT_WORKSPACE)


def _check_places(*paths: Path | None) -> None:
    """Refuse, before all the work, what could not be written after it."""
    for path in paths:
        if path and (path.is_dir() or not path.parent.is_dir()):
            raise Rejected(f"'{path}' cannot be written: give a file in a folder that is there")


def _require_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Rejected(f"'{folder}' cannot be written: {error.strerror}") from error


def _settings(data_dir: Path, workspace: Mapping[str, Any]) -> Settings:
    return load(data_dir=data_dir, models=load().models_dir, workspace=workspace, **OWN)


def _kept(settings: Settings, collection: beir.Collection, folder: Path) -> Kept:
    config = settings.workspace
    embedder = settings.named("embedder")[config.embedder]
    return Kept(
        folder, collection.folder / "corpus.jsonl", (embedder, config.chunking, config.generation)
    )


async def _configure(application: Application) -> None:
    """Give the workspace that was kept the configuration of this run."""
    config, stored = application.settings.workspace, application.catalog.workspaces
    now = await stored.get(DEFAULT_WORKSPACE)
    if now.config != config:
        await stored.configure(DEFAULT_WORKSPACE, config, expected=now.config_version)


async def _index(
    application: Application, collection: beir.Collection, *, quiet: bool
) -> running.Indexed:
    with shown("indexing", quiet=quiet) as told:
        return await running.index(
            collection, application.ingestion, application.workers, application.library, told
        )


async def _plot(path: Path, collection: beir.Collection, asking: Asking, *, quiet: bool) -> None:
    from orchestrator.evaluation import plotting

    with shown("plotting", quiet=quiet) as told:
        curves = await plotting.curves(collection, asking, told)
    plotting.draw(curves, collection.name, path)


def _warn(collection: beir.Collection, indexed: running.Indexed) -> None:
    """Say what the figures do not cover."""
    if collection.left_out:
        err.print(
            f"{len(collection.left_out)} judged questions are left out, as no document answers "
            f"them or they are not in queries.jsonl: {some(collection.left_out)}"
        )
    if indexed.failed:
        reasons = [f"{source_id} ({reason})" for source_id, reason in indexed.failed.items()]
        err.print(f"{len(reasons)} documents failed, and cannot be found: {some(reasons)}")


def some(names: Sequence[str]) -> str:
    """The first few."""
    return ", ".join(names[:NAMED]) + (" …" if len(names) > NAMED else "")


def _print(figures: Mapping[str, float], name: str, as_json: bool) -> None:
    if as_json:
        print_json({figure: round(value, 4) for figure, value in figures.items()})
        return
    table = Table("figure", name)
    for figure, value in figures.items():
        table.add_row(figure, f"{value:.4f}" if value <= 1 else f"{value:.1f}")
    out.print(table)
