"""Small deployments in the mock profile, to be backed up and restored."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from orchestrator.domain.documents import Upload
from orchestrator.domain.identity import DEFAULT_WORKSPACE
from orchestrator.domain.quotas import UNLIMITED
from orchestrator.keeping.manifest import Manifest
from orchestrator.keeping.restoration import Restored
from orchestrator.safekeeping import open_backup, open_restoration
from orchestrator.settings import Settings, load
from orchestrator.telemetry.metrics import Metrics
from orchestrator.telemetry.observer import Telemetry
from orchestrator.wiring import Application, open_application


class Unwatched:
    """Does not want to know."""

    def begin(self, files: int) -> None:
        pass

    def advance(self, size: int) -> None:
        pass


@dataclass
class Deployment:
    """A data folder of its own."""

    data: Path

    @property
    def settings(self) -> Settings:
        return load(profile="mock", data_dir=self.data, retriever={"kind": "hybrid"})

    def open(self, *, writes: bool = True) -> AbstractAsyncContextManager[Application]:
        """What uses it, as a server does."""
        telemetry = Telemetry(Metrics(CollectorRegistry()))
        return open_application(self.settings, writes=writes, seeds=False, telemetry=telemetry)

    async def ingest(self, **texts: str) -> None:
        """Index texts by the names of their sources."""
        async with self.open() as application:
            for name, text in texts.items():
                upload = Upload(name, BytesIO(text.encode()), f"{name}.txt")
                await application.ingestion.submit(DEFAULT_WORKSPACE, upload, quota=UNLIMITED)
            while await application.worker.step():
                pass

    async def backup(self, target: Path, watch: Any = Unwatched()) -> Manifest:  # noqa: B008  # it keeps nothing
        async with open_backup(self.settings) as backup:
            return await backup.write(target, watch)

    async def restore(self, source: Path, *, replace: bool = False) -> Restored:
        async with open_restoration(self.settings) as restoration:
            return await restoration.read(source, replace=replace)

    async def texts(self) -> Sequence[str]:
        """The original files of every document, in order."""
        async with self.open() as application:
            found = [
                path.read_text() for path in (self.data / "blobs").rglob("*") if path.is_file()
            ]
            count = await application.catalog.documents.holding(
                (await application.catalog.workspaces.get(DEFAULT_WORKSPACE)).uid
            )
        assert count.documents == len(found)
        return sorted(found)


@pytest.fixture
def deployment(data_dir: Path) -> Deployment:
    return Deployment(data_dir)


@pytest.fixture
def another(tmp_path: Path) -> Deployment:
    return Deployment(tmp_path / "another")


@pytest.fixture
async def made(deployment: Deployment, tmp_path: Path) -> Path:
    """The folder of a backup of two documents."""
    await deployment.ingest(one="The first text.", two="The second text.")
    await deployment.backup(tmp_path / "backup")
    return tmp_path / "backup"
