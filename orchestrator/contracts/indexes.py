"""The promises of a `VectorStore` and a `KeywordStore`, and of those that keep their indexes."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from orchestrator.contracts.keeping import KeepingPromises, files
from orchestrator.contracts.ledger import GENERATION, NOTHING, WORKSPACE, Ledger, ids_of
from orchestrator.contracts.searching import BEST, AnyStore, Content, SearchPromises, found
from orchestrator.contracts.sharing import SharingPromises
from orchestrator.contracts.visibility import VisibilityPromises
from orchestrator.ports.arrays import Vector
from orchestrator.ports.indexes import IndexKey, KeywordIndex, VectorIndex

DIMENSION = 8
MODEL = "0123456789abcdef"


class OfVectors:
    """Gives a suite the `key`, `question` and `content` of vectors, graded by their cosine."""

    @pytest.fixture
    def key(self) -> IndexKey:
        return IndexKey(WORKSPACE, GENERATION, MODEL, DIMENSION)

    @pytest.fixture
    def question(self) -> Vector:
        return _toward(1.0)

    @pytest.fixture
    def content(self) -> Content:
        return lambda grade: _toward(grade / 5)


class OfWords:
    """Gives a suite the `key`, `question` and `content` of texts, graded by the words shared."""

    @pytest.fixture
    def key(self) -> IndexKey:
        return IndexKey(WORKSPACE, GENERATION)

    @pytest.fixture
    def question(self) -> str:
        return _QUESTION

    @pytest.fixture
    def content(self) -> Content:
        return _sharing


class VectorIndexContract(OfVectors, SearchPromises, VisibilityPromises):
    """Needs the fixture `store`, a `VectorStore` that holds nothing."""

    async def test_a_score_is_the_cosine(
        self, index: VectorIndex, ledger: Ledger, question: Vector
    ) -> None:
        cosines = (1.0, 0.6, 0.0, -0.6, -1.0)
        ids = ledger.publish(5)
        await index.apply(ids_of(ids), [_toward(cosine) for cosine in cosines], remove=NOTHING)

        hits = await index.search(question, scope=ledger.scope(), limit=5)

        assert found(hits) == ids
        assert [hit.score for hit in hits] == pytest.approx(cosines, abs=1e-6)

    async def test_the_best_are_those_of_an_exact_scan_for_every_scope(
        self, index: VectorIndex, ledger: Ledger
    ) -> None:
        chance = np.random.default_rng(11)
        vectors = chance.normal(size=(500, DIMENSION)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        for chunk_id in range(1, 501):
            ledger.publish(1, acl={f"group-{chunk_id % 7}", "everyone"})
        await index.apply(ids_of(range(1, 501)), list(vectors[:500]), remove=NOTHING)
        exact = np.argsort(-(vectors @ vectors[0])) + 1

        for group in range(7):
            scope = ledger.scope(f"group-{group}")
            hits = await index.search(vectors[0], scope=scope, limit=10)

            assert found(hits) == [int(one) for one in exact if one % 7 == group][:10]


class KeywordIndexContract(OfWords, SearchPromises, VisibilityPromises):
    """Needs the fixture `store`, a `KeywordStore` that holds nothing.

    It may ask of a hit that it has half of the question's words, and no more than that.
    """

    @pytest.mark.parametrize(
        ("asked", "held"),
        [
            ("error: timeout", "An error was logged: the timeout of the gateway had passed."),
            ("C++ AND", "Templates of C++ are expanded by the compiler."),
            ('"open quote', "An open quote begins a string that never ends."),
            ("text:refund^2 AND (window OR", "A refund has a window; the text says which."),
            ("/gateway[/ timeout~", "The gateway has a timeout."),
            ("+signature -key", "The signature was made with an old key."),
            ("E1042?!", "Error E1042 means that the signature was refused."),
            ("ZÜRICH", "The office in Zürich is closed on Mondays."),
            ("gateway gateway gateway gateway", "The gateway was restarted."),
            ("the of gateway and to", "The gateway was restarted."),
            ("gateway\x00timeout \u200b\t\n", "The gateway has a timeout."),
            pytest.param("gateway \ud800", "The gateway has a timeout.", id="half a character"),
        ],
    )
    async def test_words_are_found_in_any_question_however_malformed(
        self, index: KeywordIndex, ledger: Ledger, asked: str, held: str
    ) -> None:
        ids = ledger.publish(3)
        texts = ["Lunch is served at noon.", held, "Travel is booked by the assistant."]
        await index.apply(ids_of(ids), texts, remove=NOTHING)

        hits = await index.search(asked, scope=ledger.scope(), limit=3)

        assert found(hits) == ids[1:2]

    @pytest.mark.parametrize(
        "asked",
        [
            "",
            " \t\n",
            "the of and is to",
            '"',
            "AND OR NOT",
            "*",
            "?!",
            ":",
            "((((",
            "\\",
            "🙂",
            "\x00",
            "x" * 4000,
            "submarine volcano",
            " ".join(f"unheard{number}" for number in range(400))[:4000],
        ],
    )
    async def test_a_question_that_shares_no_word_finds_nothing(
        self, index: KeywordIndex, ledger: Ledger, asked: str
    ) -> None:
        ids = ledger.publish(2)
        texts = ["Lunch is served at noon.", "Travel is booked and paid to the agency."]
        await index.apply(ids_of(ids), texts, remove=NOTHING)

        assert found(await index.search(asked, scope=ledger.scope(), limit=5)) == []

    async def test_a_question_of_4000_characters_finds_its_words(
        self, index: KeywordIndex, ledger: Ledger
    ) -> None:
        ids = ledger.publish(2)
        texts = ["Lunch is served at noon.", "The gateway has a timeout."]
        await index.apply(ids_of(ids), texts, remove=NOTHING)

        asked = ("gateway timeout, " * 300)[:4000]
        hits = await index.search(asked, scope=ledger.scope(), limit=5)

        assert found(hits) == ids[1:]

    async def test_a_score_is_positive(
        self, index: KeywordIndex, ledger: Ledger, content: Content, question: str
    ) -> None:
        ids = ledger.publish(6)
        contents = [content(grade) for grade in (4, 4, 4, 3, 3, 2)]
        await index.apply(ids_of(ids), contents, remove=NOTHING)

        hits = await index.search(question, scope=ledger.scope(), limit=6)

        assert len(hits) == 6
        assert min(hit.score for hit in hits) > 0

    async def test_a_text_without_words_is_held_and_never_found(
        self, index: KeywordIndex, ledger: Ledger
    ) -> None:
        ids = ledger.publish(3)
        await index.apply(ids_of(ids), ["", "?!", "The gateway."], remove=NOTHING)

        assert (await index.held()).tolist() == ids
        assert found(await index.search("gateway", scope=ledger.scope(), limit=3)) == ids[2:]

    async def test_an_index_of_texts_without_words_finds_nothing(
        self, index: KeywordIndex, ledger: Ledger
    ) -> None:
        ids = ledger.publish(2)
        await index.apply(ids_of(ids), ["", "?!"], remove=NOTHING)

        assert found(await index.search("gateway", scope=ledger.scope(), limit=3)) == []


class KeptVectorIndexContract(OfVectors, KeepingPromises):
    """Needs `store`, a `VectorStore`, and `folder`, below which it writes all that it writes."""

    async def test_a_vector_that_was_removed_is_no_longer_on_disk(
        self, store: AnyStore, key: IndexKey, ledger: Ledger, content: Content, folder: Path
    ) -> None:
        gone, *left = ledger.publish(20)
        secret = _toward(0.123)
        async with self.opened(store, key, ledger) as index:
            contents = [secret, *[content(BEST)] * 19]
            await index.apply(ids_of([gone, *left]), contents, remove=NOTHING)
            await index.save()
            before = b"".join(files(folder).values())
            await index.apply(NOTHING, (), remove=ids_of([gone]))
            await index.save()

        assert secret.tobytes() in before
        assert secret.tobytes() not in b"".join(files(folder).values())

    async def test_vectors_of_another_dimension_are_not_taken_for_the_models_own(
        self, store: AnyStore, key: IndexKey, ledger: Ledger, content: Content
    ) -> None:
        await self.kept(store, key, ledger, content)
        wider = IndexKey(key.workspace, key.generation, key.model, DIMENSION * 2)

        async with self.opened(store, wider, ledger) as index:
            assert (await index.held()).tolist() == []

    @pytest.mark.parametrize("model", [f"f{MODEL}", f"{MODEL}f"])
    async def test_vectors_of_another_model_are_not_taken_for_the_models_own(
        self, store: AnyStore, key: IndexKey, ledger: Ledger, content: Content, model: str
    ) -> None:
        await self.kept(store, key, ledger, content)
        other = IndexKey(key.workspace, key.generation, model, DIMENSION)

        async with self.opened(store, other, ledger) as index:
            assert (await index.held()).tolist() == []


class SharedVectorIndexContract(OfVectors, SharingPromises):
    """Needs `store`, `another` and `absent`: see `SharingPromises`."""

    @pytest.mark.parametrize(
        "other",
        [
            IndexKey(WORKSPACE, GENERATION, f"f{MODEL}", DIMENSION),
            IndexKey(WORKSPACE, GENERATION, MODEL, DIMENSION * 2),
        ],
        ids=["model", "dimension"],
    )
    async def test_vectors_of_two_models_never_meet(
        self, store: AnyStore, key: IndexKey, ledger: Ledger, content: Content, other: IndexKey
    ) -> None:
        ids = await self.fill(store, key, ledger, content)

        assert await self.stored(store, other, ledger) == []
        async with store.open(other, ledger.roster, persist=True) as index:
            assert (await index.held()).tolist() == []
        assert await self.stored(store, key, ledger) == ids


class SharedKeywordIndexContract(OfWords, SharingPromises):
    """Needs `store`, `another` and `absent`: see `SharingPromises`."""

    async def test_the_same_chunks_read_in_two_ways_are_kept_apart(
        self, store: AnyStore, key: IndexKey, ledger: Ledger, content: Content, question: str
    ) -> None:
        other = replace(key, model="whole-2")
        ids = await self.fill(store, key, ledger, content)

        assert await self.stored(store, other, ledger) == []
        async with store.open(other, ledger.roster, persist=True) as index:
            await index.held()
            await index.apply(ids_of(ids), [content(n) for n in (2, 3, 4)], remove=NOTHING)
            assert found(await index.search(question, scope=ledger.scope(), limit=3)) == ids[::-1]
            await index.apply(NOTHING, [], remove=ids_of(ids))
            assert (await index.held()).tolist() == []
        assert await self.stored(store, key, ledger) == ids


class KeptKeywordIndexContract(OfWords, KeepingPromises):
    """Needs `store`, a `KeywordStore`, and `folder`, below which it writes all that it writes."""


_QUESTION = "refund window parcel depot"


def _sharing(grade: int) -> str:
    """A text of constant length that has so many of the question's words."""
    filler = ["lunch", "noon", "travel", "agency"]
    return " ".join([*_QUESTION.split()[:grade], *filler[grade:]])


def _toward(cosine: float) -> Vector:
    """A unit vector at this cosine from the question's."""
    vector = np.zeros(DIMENSION, np.float32)
    vector[:2] = cosine, np.sqrt(1 - cosine**2)
    return vector
