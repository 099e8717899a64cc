"""The wiring of backup and restoration: only the stores are opened, and nothing that answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from adapters.catalog.copies import SqliteCopies
from adapters.lease import FileLease
from orchestrator import __version__, backends
from orchestrator.keeping.backup import Backup
from orchestrator.keeping.restoration import Local, Restoration
from orchestrator.settings import Settings


@asynccontextmanager
async def open_backup(settings: Settings) -> AsyncIterator[Backup]:
    """What makes backups of the deployment that the settings name, which may be in use."""
    async with AsyncExitStack() as stack:
        yield Backup(
            await backends.open_keeper(settings.catalog, settings, stack),
            SqliteCopies(),
            await backends.open_blobs(settings.blobs, "blobs", settings, stack),
            await backends.open_blobs(settings.blobs, "quarantine", settings, stack),
            product=__version__,
        )


@asynccontextmanager
async def open_restoration(settings: Settings) -> AsyncIterator[Restoration]:
    """What restores the deployment that the settings name, which nobody may use meanwhile."""
    async with AsyncExitStack() as stack:
        lease = FileLease(settings.indexes_dir / "lease")
        stack.callback(lease.release)
        yield Restoration(
            await backends.open_keeper(settings.catalog, settings, stack),
            SqliteCopies(),
            await backends.open_blobs(settings.blobs, "blobs", settings, stack),
            await backends.open_blobs(settings.blobs, "quarantine", settings, stack),
            [await backends.open_cache(one, stack) for one in settings.named("cache").values()],
            Local(lease, settings.indexes_dir, settings.restoring_dir),
        )
