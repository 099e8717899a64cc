"""What became of each document of `rag ingest`, and how it is told at the end."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final

from orchestrator.cli.console import out, print_json

OUTCOMES: Final = ("indexed", "unchanged", "failed", "skipped")
ONE_BY_ONE: Final = 3
"""So many documents with the same reason are told one by one."""


@dataclass(slots=True)
class Summary:
    """What became of each document; `warnings` are of those that were indexed in part."""

    indexed: int = 0
    unchanged: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    warnings: dict[str, Sequence[str]] = field(default_factory=dict)
    sizes: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    interrupted: bool = False

    def index(self, name: str, size: int, warnings: Sequence[str]) -> None:
        """It can be found."""
        self.indexed += 1
        self.sizes["indexed"] += size
        if warnings:
            self.warnings[name] = warnings
            self.sizes["with warnings"] += size

    def leave(self, size: int) -> None:
        """It was there already."""
        self.unchanged += 1
        self.sizes["unchanged"] += size

    def fail(self, name: str, reason: str, size: int = 0) -> None:
        """It cannot be found, and should be."""
        self.failed[name] = reason
        self.sizes["failed"] += size

    def skip(self, name: str, reason: str, size: int = 0) -> None:
        """It is of no kind that is read."""
        self.skipped[name] = reason
        self.sizes["skipped"] += size

    def counts(self) -> Mapping[str, int]:
        """Documents by outcome, every one once."""
        return dict(
            zip(
                OUTCOMES,
                (self.indexed, self.unchanged, len(self.failed), len(self.skipped)),
                strict=True,
            )
        )


def shown(name: str) -> str:
    """A name of a file, which may be any bytes, as text."""
    return os.fsencode(name).decode(errors="backslashreplace")


def plain(text: str) -> str:
    """Text that came with a document, without what would steer a terminal."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


def amount(size: float) -> str:
    """Bytes for people: MB are millions."""
    if size < 1000:
        return f"{size:.0f} B"
    for unit in ("kB", "MB"):
        size /= 1000
        if size < 1000:
            return f"{size:.1f} {unit}"
    return f"{size / 1000:.1f} GB"


def report(summary: Summary, json: bool) -> None:
    """Print the table and the reasons, or everything as one JSON document."""
    if json:
        print_json(_as_json(summary))
        return
    for line in _table(summary):
        out.print(line)
    for title, reasons in (("failed", summary.failed), ("skipped", summary.skipped)):
        for line in _grouped(title, reasons.items()):
            out.print(line)
    warned = [(name, one) for name, ones in summary.warnings.items() for one in ones]
    for line in _grouped("warning", warned):
        out.print(line)


def _as_json(summary: Summary) -> dict[str, Any]:
    return {
        **summary.counts(),
        "failed": summary.failed,
        "skipped": summary.skipped,
        "warnings": summary.warnings,
        "documents": sum(summary.counts().values()),
        "bytes": {outcome: summary.sizes[outcome] for outcome in OUTCOMES},
        "seconds": summary.seconds,
        "interrupted": summary.interrupted,
    }


def _table(summary: Summary) -> Iterator[str]:
    """A line an outcome, and one for all."""
    counts, sizes = summary.counts(), summary.sizes
    yield _row("outcome", "documents", "size")
    for outcome, count in counts.items():
        yield _row(outcome, f"{count:,}", amount(sizes[outcome]))
        if outcome == "indexed" and summary.warnings:
            warned = f"{len(summary.warnings):,}"
            yield _row("  with warnings", warned, amount(sizes["with warnings"]))
    everything = sum(sizes[outcome] for outcome in OUTCOMES)
    total = _row("total", f"{sum(counts.values()):,}", amount(everything))
    yield f"{total} in {summary.seconds:.1f} s"


def _row(outcome: str, documents: str, size: str) -> str:
    return f"{outcome:<16}{documents:>10}{size:>12}"


def _grouped(title: str, reasons: Iterable[tuple[str, str]]) -> Iterator[str]:
    """A line a document; those of many with one reason as one, with a few for example."""
    groups: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, reason in reasons:
        groups[reason.replace(f"'{PurePosixPath(name).name}'", "it")].append((name, reason))
    for common, members in groups.items():
        if len(members) <= ONE_BY_ONE:
            yield from (plain(f"  {title}: {name}: {reason}") for name, reason in members)
            continue
        few = ", ".join(name for name, _ in members[:ONE_BY_ONE])
        yield plain(
            f"  {title}: {len(members):,} documents: {common}: "
            f"{few} and {len(members) - ONE_BY_ONE:,} more"
        )
