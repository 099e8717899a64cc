"""A workspace's configuration as a command line gives it: a file, and single settings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orchestrator.domain.errors import Rejected


def overrides(file: Path | None, assigned: Sequence[str]) -> dict[str, Any]:
    """The file's settings, then those of the form `fusion.method=rrf`, as one tree.

    Raises:
        Rejected: for a file that holds no settings, or for what is no such assignment.
    """
    tree = _read(file) if file else {}
    for one in assigned:
        path, equals, value = one.partition("=")
        *above, last = path.strip().split(".")
        if not equals or not last:
            raise Rejected(f"'{one}' is not of the form fusion.method=rrf")
        branch = tree
        for name in above:
            branch = branch.setdefault(name, {})
            if not isinstance(branch, dict):
                raise Rejected(f"'{one}': '{name}' holds no settings")
        branch[last] = _value(value)
    return tree


def _read(file: Path) -> dict[str, Any]:
    try:
        tree = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Rejected(f"'{file}' cannot be read: {error}") from error
    if not isinstance(tree, dict):
        raise Rejected(f"'{file}' must hold a JSON object: the configuration of a workspace")
    return tree


def _value(text: str) -> Any:
    """What JSON makes of it; anything else is text."""
    try:
        return json.loads(text)
    except ValueError:
        return text
