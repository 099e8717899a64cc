"""The history of a workspace's configuration: who made which version, when, and what it changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from orchestrator.domain.workspaces import WorkspaceConfig


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a configuration; of versions from before this was kept, `by` is None."""

    number: int
    config: WorkspaceConfig
    at: datetime
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One setting that a version changed."""

    field: str
    before: Any
    after: Any


def differences(before: WorkspaceConfig, after: WorkspaceConfig) -> Sequence[Change]:
    """What is not the same in both, by dotted name."""
    was, now = _flat(asdict(before)), _flat(asdict(after))
    return [Change(name, was[name], now[name]) for name in was if was[name] != now[name]]


def _flat(tree: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{above}{name}.")
        else:
            found[above + name] = value
    return found
