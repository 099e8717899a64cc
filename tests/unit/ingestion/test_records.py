"""What is kept of one document: text and bytes only to who may see it."""

from __future__ import annotations

import asyncio

import pytest

from orchestrator.contracts.blobs import put
from orchestrator.domain.documents import Status
from orchestrator.domain.errors import Conflict, NotFound
from orchestrator.domain.identity import ANONYMOUS
from orchestrator.ingestion.records import Records
from tests.builders import member

BOARD = member("board")


@pytest.fixture
def records(catalog, blobs):
    return Records(catalog, blobs, asyncio.Event())


async def kept(clerk, blobs, text, **values):
    """A document that is indexed, with its bytes stored."""
    document = await clerk.keep(text, **values)
    await put(blobs, f"{clerk.uid}/{document.id}/{document.content_hash}", text.encode())
    return document


async def downloaded(records, document_id, principal=ANONYMOUS, number=None):
    async with records.original(document_id, principal=principal, number=number) as opened:
        _, version, file = opened
        return version.number, file.read()


async def test_the_original_is_that_of_the_newest_version_or_of_the_one_asked_for(
    records, clerk, blobs
):
    await kept(clerk, blobs, "old")
    document = await kept(clerk, blobs, "new")

    assert await downloaded(records, document.id) == (2, b"new")
    assert await downloaded(records, document.id, number=1) == (1, b"old")
    with pytest.raises(NotFound) as caught:
        await downloaded(records, document.id, number=3)
    assert caught.value.code == "unknown_version"


async def test_text_and_bytes_are_only_for_who_may_see_the_document(records, clerk, blobs):
    document = await kept(clerk, blobs, "The merger closes.", acl={"board"})
    asked = [
        lambda who: records.versions(document.id, principal=who, before=None, limit=9),
        lambda who: records.chunks(document.id, principal=who, after=0, limit=9),
        lambda who: downloaded(records, document.id, who),
    ]

    for ask in asked:
        assert await ask(BOARD)
        with pytest.raises(NotFound) as caught:
            await ask(ANONYMOUS)
        assert caught.value.code == "unknown_document"


@pytest.mark.parametrize("what", ["deleted", "unknown", "in a deleted workspace"])
async def test_what_is_gone_is_not_found(records, catalog, clerk, blobs, what):
    document = await kept(clerk, blobs, "Refunds are paid.")
    match what:
        case "deleted":
            await catalog.deletions.document(document.id)
        case "in a deleted workspace":
            await catalog.deletions.workspace(clerk.name)
    document_id = "0" * 32 if what == "unknown" else document.id

    for ask in (
        records.versions(document_id, principal=ANONYMOUS, before=None, limit=9),
        records.chunks(document_id, principal=ANONYMOUS, after=0, limit=9),
        downloaded(records, document_id),
        records.reprocess(document_id),
        records.hold(document_id, "litigation"),
    ):
        with pytest.raises(NotFound):
            await ask


async def test_rights_that_are_withdrawn_while_chunks_are_read_hold(records, clerk, catalog):
    document = await clerk.keep("Refunds are paid.")
    read = catalog.chunks.of

    async def withdrawn_meanwhile(*args, **values):
        found = await read(*args, **values)
        await clerk.hand_in("Refunds are paid.", acl={"board"})
        return found

    catalog.chunks.of = withdrawn_meanwhile

    with pytest.raises(NotFound):
        await records.chunks(document.id, principal=ANONYMOUS, after=0, limit=9)


async def test_a_document_that_is_purged_while_it_is_read_is_read_to_its_end(records, clerk, blobs):
    document = await kept(clerk, blobs, "Refunds are paid.")

    async with records.original(document.id, principal=ANONYMOUS, number=None) as (_, _, file):
        await blobs.purge(f"{clerk.uid}/{document.id}")
        assert file.read() == b"Refunds are paid."

    assert file.closed


async def test_bytes_of_a_held_version_stay_when_a_new_one_comes(records, clerk, blobs, catalog):
    document = await kept(clerk, blobs, "old")
    await records.hold(document.id, "litigation")
    await kept(clerk, blobs, "new")
    await catalog.log.sweep(seconds=-1)

    with pytest.raises(Conflict):
        await catalog.deletions.document(document.id)

    assert await downloaded(records, document.id, number=1) == (1, b"old")


async def test_working_on_a_document_again_wakes_the_worker(records, clerk):
    document = await clerk.keep("Refunds are paid.")

    queued = await records.reprocess(document.id)

    assert queued.status is Status.QUEUED
    assert records._arrived.is_set()


async def test_near_duplicates_are_told_to_who_may_see_both(records, clerk):
    text = "Refunds are paid within seven days of the purchase."
    one = await clerk.keep(text, source_id="a")
    two = await clerk.keep(text, source_id="b", acl={"board", "everyone"})
    secret = await clerk.keep(text, source_id="c", acl={"board"})

    assert await records.alike(one, principal=ANONYMOUS) == [two.id]
    assert await records.alike(secret, principal=ANONYMOUS) == []
    assert await records.alike(secret, principal=BOARD) == [two.id]
