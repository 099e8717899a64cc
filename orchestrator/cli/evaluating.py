"""`rag eval`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from rich.progress import Progress
from rich.table import Table

from orchestrator.cli.console import Exit, err, out, print_json
from orchestrator.evaluation import beir, running
from orchestrator.settings import load
from orchestrator.telemetry import logs
from orchestrator.wiring import open_application


async def evaluate(folder: Path, json: bool) -> Exit:
    """Index the collection in a data folder of its own, ask its questions, print the figures."""
    logs.set_up("error", json=False)
    collection = beir.load(folder)
    models = load().models_dir
    with tempfile.TemporaryDirectory(prefix="rag-eval-") as scratch:
        settings = load(data_dir=scratch, models=models)
        async with open_application(settings, writes=True, seeds=False) as application:
            with Progress(console=err, transient=True, disable=json) as progress:
                bar = progress.add_task("indexing", total=None)
                rate = await running.index(
                    collection,
                    application.ingestion,
                    application.worker,
                    application.library,
                    lambda done, total: progress.update(bar, completed=done, total=total),
                )
            figures = await running.measure(collection, application.answering)
    figures |= {"docs_per_s": rate, "peak_mb": running.peak_mb()}
    if json:
        print_json({name: round(value, 4) for name, value in figures.items()})
    else:
        table = Table("figure", folder.name)
        for name, value in figures.items():
            table.add_row(name, f"{value:.4f}" if value <= 1 else f"{value:.1f}")
        out.print(table)
    return Exit.OK
