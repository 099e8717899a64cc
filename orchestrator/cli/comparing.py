"""`rag eval --compare`."""

from __future__ import annotations

from pathlib import Path

from rich.box import SIMPLE
from rich.table import Table

from orchestrator.cli.console import out, print_json
from orchestrator.evaluation.results import LATENCY, read
from orchestrator.evaluation.significance import Difference, as_json, compared


def compare(before: Path, after: Path, json: bool) -> None:
    """Say how two runs differ, metric by metric, and whether that is more than chance."""
    found = compared(read(before), read(after))
    if json:
        print_json({name: as_json(one) for name, one in found.items()})
        return
    table = Table("metric", "A", "B", "B less A, 95 %", "p", "won/tied/lost", box=SIMPLE)
    for name, one in found.items():
        places = 1 if name == LATENCY else 4
        table.add_row(
            name,
            f"{one.a:.{places}f}",
            f"{one.b:.{places}f}",
            interval(one, places),
            f"{one.p:.4f}",
            f"{one.wins}/{one.ties}/{one.losses}",
        )
    out.print(f"A is '{before}', B is '{after}'; won are questions for which B is better")
    out.print(table)


def interval(one: Difference, places: int = 4) -> str:
    """The mean, and what it lies between."""
    return f"{one.mean:+.{places}f} ({one.low:+.{places}f} to {one.high:+.{places}f})"
