"""What the unit tests share: examples that are the same in every run, and clean process globals."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings
from prometheus_client import REGISTRY
from structlog._config import BoundLoggerLazyProxy

settings.register_profile(
    "unit",
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("unit")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting comes from the environment but those that the test makes."""
    for name in [one for one in os.environ if one.upper().startswith("RAG_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def data_dir(migrated: Path, tmp_path: Path) -> Path:
    """A data folder whose catalog needs no migration any more."""
    folder = tmp_path / "data"
    folder.mkdir()
    shutil.copy(migrated, folder / "catalog.db")
    return folder


@pytest.fixture
def clean_process() -> Iterator[Callable[[], None]]:
    """Gives back what a command sets up for its whole process: logs, and the metrics' registry."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level

    def clean() -> None:
        root.handlers = handlers
        root.setLevel(level)
        structlog.reset_defaults()
        for module in list(sys.modules.values()):
            if isinstance(log := vars(module).get("log"), BoundLoggerLazyProxy):
                vars(log).pop("bind", None)  # what was cached on first use
        for collector, names in list(REGISTRY._collector_to_names.items()):
            if any(name.startswith("rag_") for name in names):
                REGISTRY.unregister(collector)

    yield clean
    clean()
