"""Configurations that a workspace might be better with: the grid that tuning goes through."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

from orchestrator.domain.workspaces import Fusion, WorkspaceConfig

WEIGHTS: Final = (0.3, 0.4, 0.5, 0.6, 0.7)
FUSIONS: Final = (
    *(Fusion("weighted", "zscore", dense, round(1 - dense, 2)) for dense in WEIGHTS),
    *(Fusion("weighted", "minmax", dense, round(1 - dense, 2)) for dense in WEIGHTS),
    *(Fusion("rrf", dense=dense, keyword=round(1 - dense, 2)) for dense in (0.3, 0.5, 0.7)),
    *(Fusion("rrf", dense=dense, keyword=round(1 - dense, 2), k=10) for dense in (0.3, 0.5, 0.7)),
)
DEPTHS: Final = (50, 100, 200)


def candidates(current: WorkspaceConfig, rerankers: Sequence[str]) -> list[WorkspaceConfig]:
    """What is tried, each once, the current configuration first.

    A new dimension is one more line; one that costs a model's time is best not multiplied.
    """
    return distinct(
        [
            current,
            *(replace(current, depth=depth) for depth in DEPTHS),
            *(replace(current, fusion=one, depth=depth) for one in FUSIONS for depth in DEPTHS),
            *(replace(current, reranker=name) for name in rerankers),
            *(replace(current, reranker=name, fusion=Fusion()) for name in rerankers),
        ]
    )


def distinct(configurations: Sequence[WorkspaceConfig]) -> list[WorkspaceConfig]:
    """Each once, in order."""
    return [one for at, one in enumerate(configurations) if one not in configurations[:at]]


def changes(current: WorkspaceConfig, other: WorkspaceConfig) -> dict[str, Any]:
    """The settings in which the other differs, by their dotted names."""
    before, after = dict(_settings(asdict(current))), dict(_settings(asdict(other)))
    return {name: value for name, value in after.items() if before.get(name) != value}


def _settings(tree: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _settings(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value
