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

    @pytest.mark.parametrize(("ending", "left"), [(".vectors", 2), (".slots", 2), (".json", 0)])
    async def test_what_was_damaged_is_logged_and_no_longer_held(
        self, store, key, ledger, content, folder, ending, left
    ):
        await self.kept(store, key, ledger, content)
        (damaged,) = folder.rglob(f"*{ending}")
        damaged.write_bytes(damaged.read_bytes()[:-3])

        with capture_logs() as logs:
            async with self.opened(store, key, ledger) as index:
                held = await index.held()

        assert len(held) == left
        assert [entry["event"] for entry in logs] == ["index_corrupt"]
