"""Keyword indexes find the words of any question in what may be seen, and survive damage."""

from __future__ import annotations

from pathlib import Path

import pytest
import tantivy
from structlog.testing import capture_logs

from adapters.keywords.rank_bm25 import RankBm25Store
from adapters.keywords.tantivy import TantivyStore
from adapters.retriever.mock import OverlapStore
from orchestrator.contracts.indexes import KeptKeywordIndexContract, KeywordIndexContract
from orchestrator.contracts.ledger import NOTHING, ids_of


class TestRankBm25Keywords(KeywordIndexContract):
    @pytest.fixture
    def store(self) -> RankBm25Store:
        return RankBm25Store()


class TestOverlapIndex(KeywordIndexContract):
    @pytest.fixture
    def store(self) -> OverlapStore:
        return OverlapStore()


class TestTantivyKeywords(KeywordIndexContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> TantivyStore:
        return TantivyStore(tmp_path)


class TestTantivyKeywordsKept(KeptKeywordIndexContract):
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tmp_path / "tantivy"

    @pytest.fixture
    def store(self, folder: Path) -> TantivyStore:
        return TantivyStore(folder)

    async def test_a_damaged_segment_is_logged(self, store, key, ledger, content, folder):
        await self.kept(store, key, ledger, content)
        (damaged,) = folder.rglob("*.term")
        damaged.write_bytes(damaged.read_bytes()[:-3])

        with capture_logs() as logs:
            async with self.opened(store, key, ledger) as index:
                held = await index.held()

        assert held.tolist() == []
        assert [entry["event"] for entry in logs] == ["index_corrupt"]

    async def test_a_word_of_a_removed_chunk_is_no_longer_on_disk(self, store, key, ledger, folder):
        gone, left = ledger.publish(2)
        async with self.opened(store, key, ledger) as index:
            texts = ["a xylograph", "a gateway"]
            await index.apply(ids_of([gone, left]), texts, remove=NOTHING)
            await index.save()
            before = words_on_disk(folder / key.path)
            await index.apply(NOTHING, (), remove=ids_of([gone]))
            await index.save()

        assert before == {"xylograph", "gateway"}
        assert words_on_disk(folder / key.path) == {"gateway"}


def words_on_disk(folder: Path) -> set[str]:
    searcher = tantivy.Index.open(str(folder)).searcher()
    return {word for word in ("xylograph", "gateway") if searcher.doc_freq("text", word)}
