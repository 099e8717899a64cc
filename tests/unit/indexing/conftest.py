"""No time passes in these tests but what they say: however slow the machine, a lease lasts."""

from __future__ import annotations

import pytest

from orchestrator.indexing import library, projection, shelf


class Clock:
    """Stands in for the module `time`."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """What leases, saves and the patience with other processes are measured by."""
    given = Clock()
    for module in (library, projection, shelf):
        monkeypatch.setattr(module, "time", given)
    return given
