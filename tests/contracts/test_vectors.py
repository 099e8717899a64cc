"""Vector indexes find the nearest of what may be seen, and notice a damaged snapshot."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from adapters.vectors.faiss import FaissStore
from adapters.vectors.memory import MemoryVectorStore
from orchestrator.contracts.indexes import KeptVectorIndexContract, VectorIndexContract


class TestMemoryVectors(VectorIndexContract):
    @pytest.fixture
    def store(self) -> MemoryVectorStore:
        return MemoryVectorStore()


class TestFaissVectors(VectorIndexContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> FaissStore:
        return FaissStore(tmp_path)


class TestFaissVectorsKept(KeptVectorIndexContract):
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tmp_path / "faiss"

    @pytest.fixture
    def store(self, folder: Path) -> FaissStore:
        return FaissStore(folder)

    @pytest.mark.parametrize("ending", [".faiss", ".ids", ".json"])
    async def test_a_damaged_snapshot_is_logged(self, store, key, ledger, content, folder, ending):
        await self.kept(store, key, ledger, content)
        (damaged,) = folder.rglob(f"*{ending}")
        damaged.write_bytes(damaged.read_bytes()[:-3])

        with capture_logs() as logs:
            async with self.opened(store, key, ledger) as index:
                held = await index.held()

        assert held.tolist() == []
        assert [entry["event"] for entry in logs] == ["index_corrupt"]
