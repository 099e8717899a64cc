"""The promises of a catalog's `Chunks` and `VectorTable`."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

from dataclasses import replace

import numpy as np

from orchestrator.contracts.clerk import MODEL, Clerk, vector_of, vectors_of
from orchestrator.contracts.deletions import key_of
from orchestrator.contracts.ledger import ids_of
from orchestrator.domain.documents import Chunk, Status
from orchestrator.ports.arrays import Ids, Vector
from orchestrator.ports.catalog import Catalog

KEYS = [bytes([number]) * 16 for number in range(1, 4)]
MANY = 1203


async def texts_of(catalog: Catalog, ids: Ids, *, whole: int = 1) -> dict[int, str]:
    """What the keyword index is given, by chunk id."""
    found: dict[int, str] = {}
    async for some, texts in catalog.chunks.texts(ids, whole=whole):
        assert some.dtype == np.int64
        found.update(zip(some.tolist(), texts, strict=True))
    return found


async def all_vectors(catalog: Catalog, model: str, ids: Ids) -> dict[int, Vector]:
    """What the vector index is given, by chunk id."""
    found: dict[int, Vector] = {}
    async for some, vectors in catalog.vectors.vectors(model, ids):
        assert some.dtype == np.int64
        assert vectors.dtype == np.float32
        found.update(zip(some.tolist(), vectors, strict=True))
    return found


class ChunksContract:
    """Needs the fixtures `catalog`, and `clerk`, of a workspace in it that has no documents."""

    async def test_a_chunk_carries_all_that_a_citation_shows(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        document = await clerk.keep("Refunds are paid.", "Fees are not.", title="Refunds")
        ids = await clerk.chunk_ids()

        chunks = await catalog.chunks.read(ids)

        assert sorted(chunks, key=lambda chunk: chunk.id) == [
            Chunk(
                id=chunk_id,
                document_id=document.id,
                source_id="refunds.txt",
                version=1,
                title="Refunds",
                text=text,
                start=start,
                end=start + len(text),
                section="Delays",
                page=3,
            )
            for chunk_id, text, start in zip(
                ids, ["Refunds are paid.", "Fees are not."], [0, 19], strict=True
            )
        ]

    async def test_the_words_of_a_short_document_are_those_of_each_of_its_chunks(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.keep("One.", "Two.", title="Numbers")
        await clerk.keep("Three.", "Four.", "Five.", source_id="other.txt", title="More")
        await clerk.keep("Six.", source_id="last.txt", title="One")

        texts = await texts_of(catalog, ids_of(await clerk.chunk_ids()), whole=2)

        assert list(texts.values()) == [
            "Numbers\nDelays\nOne.\nTwo.",
            "Numbers\nDelays\nTwo.\nOne.",
            "More\nDelays\nThree.",
            "More\nDelays\nFour.",
            "More\nDelays\nFive.",
            "One\nDelays\nSix.",
        ]

    async def test_a_chunk_has_no_words_of_another_version(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.keep("One.", "Two.", title="Numbers")
        old = await clerk.chunk_ids()
        await clerk.keep("Three.", "Four.", title="Numbers")

        texts = await texts_of(catalog, ids_of(old), whole=2)

        assert list(texts.values()) == [
            "Numbers\nDelays\nOne.\nTwo.",
            "Numbers\nDelays\nTwo.\nOne.",
        ]

    async def test_a_superseded_chunk_is_read_as_it_was(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.keep("old", title="Old title")
        ids = await clerk.chunk_ids()
        await clerk.keep("new", title="New title")

        (chunk,) = await catalog.chunks.read(ids)

        assert (chunk.text, chunk.title, chunk.version) == ("old", "Old title", 1)

    async def test_the_chunks_that_readers_see_come_in_pages(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.keep("old")
        document = await clerk.keep("One.", "Two.", "Three.", title="Numbers")
        await clerk.keep("Four.", source_id="other.txt")

        first = await catalog.chunks.of(document.id, generation=1, after=0, limit=2)
        rest = await catalog.chunks.of(document.id, generation=1, after=first[-1].id, limit=2)

        assert [chunk.text for chunk in (*first, *rest)] == ["One.", "Two.", "Three."]
        assert {(chunk.title, chunk.version, chunk.page) for chunk in rest} == {("Numbers", 2, 3)}

    async def test_chunks_of_another_generation_are_not_those_that_readers_see(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        document = await clerk.keep("Refunds are paid.")

        assert await catalog.chunks.of(document.id, generation=2, after=0, limit=9) == []

    async def test_a_deleted_document_has_no_chunks(self, catalog: Catalog, clerk: Clerk) -> None:
        document = await clerk.keep("Refunds are paid.")
        await catalog.deletions.document(document.id)

        assert await catalog.chunks.of(document.id, generation=1, after=0, limit=9) == []

    async def test_unknown_and_deleted_chunks_are_left_out(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        gone = await clerk.keep("gone", source_id="a")
        await clerk.keep("kept", source_id="b")
        ids = await clerk.chunk_ids()
        await catalog.deletions.document(gone.id)

        chunks = await catalog.chunks.read([*ids, 10**6])

        assert [chunk.text for chunk in chunks] == ["kept"]

    async def test_of_no_ids_no_chunks_are_read(self, catalog: Catalog, clerk: Clerk) -> None:
        await clerk.keep("One.")

        assert list(await catalog.chunks.read([])) == []
        assert await texts_of(catalog, ids_of([])) == {}

    async def test_the_keyword_index_holds_title_section_and_text(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.keep("Refunds are paid.", title="Refunds")
        (chunk_id,) = await clerk.chunk_ids()

        texts = await texts_of(catalog, ids_of([chunk_id]))

        assert texts == {chunk_id: "Refunds\nDelays\nRefunds are paid."}

    async def test_texts_of_many_chunks_are_whole_and_belong_to_their_ids(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.keep(*(f"text {number}" for number in range(MANY)), title="Refunds")
        ids = await clerk.chunk_ids()

        texts = await texts_of(catalog, ids_of([*ids, 10**6]))

        wanted = {
            chunk_id: f"Refunds\nDelays\ntext {number}" for number, chunk_id in enumerate(ids)
        }
        assert texts == wanted

    async def test_texts_of_deleted_chunks_are_absent(self, catalog: Catalog, clerk: Clerk) -> None:
        gone = await clerk.keep("gone", source_id="a")
        await clerk.keep("kept", source_id="b")
        ids = await clerk.chunk_ids()
        await catalog.deletions.document(gone.id)

        assert list(await texts_of(catalog, ids_of(ids))) == ids[1:]

    async def test_an_answer_is_shown_and_its_question_is_indexed(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.hand_in()
        publication = await clerk.publication(await clerk.claim(), "Within 7 days.")
        piece = replace(publication.pieces[0], section="How fast are refunds?", asked=True)
        await catalog.log.publish([replace(publication, pieces=[piece])])
        ids = await clerk.chunk_ids()

        (chunk,) = await catalog.chunks.read(ids)

        assert (chunk.text, chunk.section, bool(chunk.asked)) == (piece.text, piece.section, True)
        texts = await texts_of(catalog, np.array(ids, np.int64))
        assert texts == {ids[0]: "How fast are refunds?"}


class VectorTableContract:
    """Needs the fixtures `catalog`, and `clerk`, of a workspace in it that has no documents."""

    async def test_a_vector_is_known_by_its_model_and_hash(self, catalog: Catalog) -> None:
        await catalog.vectors.put(MODEL, KEYS[:2], vectors_of(KEYS[:2]))

        assert await catalog.vectors.known(MODEL, KEYS) == frozenset(KEYS[:2])
        assert await catalog.vectors.known("another model", KEYS) == frozenset()
        assert await catalog.vectors.known(MODEL, []) == frozenset()

    async def test_many_hashes_may_be_asked_for_at_once(self, catalog: Catalog) -> None:
        hashes = [number.to_bytes(16, "big") for number in range(MANY)]
        await catalog.vectors.put(MODEL, hashes[1:], vectors_of(hashes[1:]))

        assert await catalog.vectors.known(MODEL, hashes) == frozenset(hashes[1:])

    async def test_of_no_texts_no_vectors_are_stored(self, catalog: Catalog) -> None:
        await catalog.vectors.put(MODEL, [], np.empty((0, 16), np.float32))

        assert await catalog.vectors.known(MODEL, KEYS) == frozenset()

    async def test_vectors_come_back_exactly(self, catalog: Catalog, clerk: Clerk) -> None:
        texts = [f"text {number}" for number in range(MANY)]
        await clerk.keep(*texts)
        ids = await clerk.chunk_ids()

        found = await all_vectors(catalog, MODEL, ids_of([*ids[::-1], 10**6]))

        assert sorted(found) == ids
        assert all(
            (found[chunk_id] == vector_of(key_of(text))).all()
            for chunk_id, text in zip(ids, texts, strict=True)
        )

    async def test_a_vector_that_is_there_already_stays(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.keep("One.")
        await catalog.vectors.put(MODEL, [key_of("One.")], vectors_of(KEYS[:1]))

        found = await all_vectors(catalog, MODEL, ids_of(await clerk.chunk_ids()))

        assert [vector.tolist() for vector in found.values()] == [
            vector_of(key_of("One.")).tolist()
        ]

    async def test_vectors_of_two_models_never_meet(self, catalog: Catalog, clerk: Clerk) -> None:
        await clerk.keep("One.")
        await catalog.vectors.put("another model", [key_of("One.")], vectors_of(KEYS[:1]))
        ids = ids_of(await clerk.chunk_ids())

        mine = await all_vectors(catalog, MODEL, ids)
        others = await all_vectors(catalog, "another model", ids)
        nobodys = await all_vectors(catalog, "a third model", ids)

        assert [vector.tolist() for vector in mine.values()] == [vector_of(key_of("One.")).tolist()]
        assert [vector.tolist() for vector in others.values()] == [vector_of(KEYS[0]).tolist()]
        assert nobodys == {}

    async def test_chunks_of_the_same_text_share_a_vector(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.keep("One.", source_id="a")
        await clerk.keep("One.", source_id="b")
        first, second = await clerk.chunk_ids()

        found = await all_vectors(catalog, MODEL, ids_of([first, second]))

        assert found[first].tolist() == found[second].tolist()

    async def test_vectors_of_deleted_chunks_are_absent(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        document = await clerk.keep("One.")
        ids = await clerk.chunk_ids()
        await catalog.deletions.document(document.id)

        assert await all_vectors(catalog, MODEL, ids_of(ids)) == {}
        assert (await catalog.documents.get(document.id)).status is Status.DELETED
