"""Many files at once: taken together, a few transactions for all, and each with its own fate."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from io import BytesIO
from types import SimpleNamespace

import pytest

from adapters.parser.registry import ParserRegistry
from orchestrator.domain.documents import Upload
from orchestrator.domain.errors import Unavailable
from orchestrator.domain.quotas import Quota
from orchestrator.ingestion import intake as module
from orchestrator.ingestion.intake import TOGETHER, Bounds, Intake
from orchestrator.ingestion.service import Ingestion
from tests.builders import upload
from tests.unit.ingestion.stores import FakeLibrary

LIMIT = 100
BOUNDS = Bounds(max_jobs=9999, max_files=999, max_pages=1, max_depth=1, crawl=False)


def intake_over(catalog, queue, blobs, quota=Quota()):  # noqa: B008  # a frozen value
    library = FakeLibrary()
    ingestion = Ingestion(
        catalog,
        blobs,
        ParserRegistry(),
        library,
        max_bytes=LIMIT,
        quota_of=lambda _: quota,
    )
    runner = SimpleNamespace(arrived=asyncio.Event())
    return Intake(catalog, queue, ingestion, SimpleNamespace(any=False), runner, BOUNDS)


@pytest.fixture
def intake(catalog, queue, blobs):
    return intake_over(catalog, queue, blobs)


@pytest.fixture
def writes(database, monkeypatch):
    """The transactions that write, counted."""
    counted, write = [], database.write

    @asynccontextmanager
    async def counting():
        async with write() as connection:
            counted.append(1)
            yield connection

    monkeypatch.setattr(database, "write", counting)
    return counted


def files(count):
    return [upload(f"Text {n}.".encode(), source_id=f"{n}.txt") for n in range(count)]


async def lines(catalog, batch):
    return await catalog.batches.lines(batch.id, after=0, limit=999)


@pytest.mark.usefixtures("clerk")
async def test_many_files_are_a_few_transactions(intake, catalog, queue, writes):
    count = 2 * TOGETHER + 1

    batch = await intake.files("policies", files(count))

    assert batch.counts == {"queued": count}
    assert len(writes) == 1 + 2 * 3  # the batch; then, three times, documents and outcomes
    jobs = await queue.claim("w", limit=count, seconds=60)
    told = [one.document_id for one in await lines(catalog, batch)]
    assert [job.document_id for job in jobs] == told


@pytest.mark.usefixtures("clerk")
async def test_files_that_are_refused_hinder_no_other(intake, catalog, blobs):
    given = files(5)
    given[1] = upload(b"x" * (LIMIT + 1), source_id="large")
    given[3] = upload(b"\x89PNG\r\n\x1a\n ...", source_id="picture")

    batch = await intake.files("policies", given)

    told = [(one.status, one.code) for one in await lines(catalog, batch)]
    assert told == [
        ("queued", None),
        ("refused", "too_large"),
        ("queued", None),
        ("refused", "unsupported_content"),
        ("queued", None),
    ]
    taken = [one.document_id for one in await lines(catalog, batch) if one.document_id]
    assert [await content(catalog, blobs, one) for one in taken] == [
        b"Text 0.",
        b"Text 2.",
        b"Text 4.",
    ]


async def content(catalog, blobs, document_id):
    version = await catalog.versions.get(document_id, 1)
    async with blobs.local(version.blob_key) as path:
        return path.read_bytes()


@pytest.mark.parametrize("together", [TOGETHER, 2])
@pytest.mark.usefixtures("clerk")
async def test_of_many_files_the_quota_takes_the_first_that_fit(
    catalog, queue, blobs, data_dir, monkeypatch, together
):
    monkeypatch.setattr(module, "TOGETHER", together)
    intake = intake_over(catalog, queue, blobs, Quota(max_documents=3))

    batch = await intake.files("policies", files(5))

    told = [(one.status, one.code) for one in await lines(catalog, batch)]
    assert told == [("queued", None)] * 3 + [("refused", "quota_exceeded")] * 2
    assert len([path for path in (data_dir / "blobs").rglob("*") if path.is_file()]) == 3


@pytest.mark.usefixtures("clerk")
async def test_the_same_files_again_are_the_same_documents(intake, catalog):
    first = await intake.files("policies", files(3))
    again = await intake.files("policies", files(3))

    ids = [[one.document_id for one in await lines(catalog, batch)] for batch in (first, again)]
    assert ids[0] == ids[1]
    assert {(await catalog.documents.get(one)).version for one in ids[0]} == {1}


@pytest.mark.usefixtures("clerk")
async def test_large_files_are_taken_by_themselves(intake, writes, monkeypatch):
    monkeypatch.setattr(module, "TOGETHER_BYTES", 20)
    given = [upload(b"x" * size, source_id=f"{at}") for at, size in enumerate((10, 10, 50, 10))]

    await intake.files("policies", given)

    assert len(writes) == 1 + 2 * 3


class Full:
    """Blobs of which every file after the first few meets a full disk."""

    def __init__(self, inner, room):
        self._inner = inner
        self._room = room

    async def put(self, key, content):
        if not self._room:
            raise Unavailable("blobs", "no space left on device")
        self._room -= 1
        await self._inner.put(key, content)


@pytest.mark.usefixtures("clerk")
async def test_what_was_taken_before_the_disk_was_full_stays_taken(catalog, queue, blobs):
    with pytest.raises(Unavailable):
        await intake_over(catalog, queue, Full(blobs, TOGETHER)).files(
            "policies", files(TOGETHER + 2)
        )

    assert len(await queue.claim("w", limit=999, seconds=60)) == TOGETHER


class Counting(BytesIO):
    """A file that notes the largest piece that was read of it."""

    largest = 0

    def read(self, size=-1):
        piece = super().read(size)
        self.largest = max(self.largest, len(piece))
        return piece


@pytest.mark.usefixtures("clerk")
async def test_no_file_is_held_whole(catalog, queue, blobs, monkeypatch):
    monkeypatch.setattr("orchestrator.ingestion.reception.PIECE_BYTES", 8)
    monkeypatch.setattr("orchestrator.ingestion.reception.HEAD_BYTES", 8)
    monkeypatch.setattr("adapters.blobs.filesystem.COPY_BYTES", 8)
    given = [Counting(b"x" * LIMIT) for _ in range(3)]
    uploads = [Upload(f"{at}", one, f"{at}") for at, one in enumerate(given)]

    batch = await intake_over(catalog, queue, blobs).files("policies", uploads)

    assert batch.counts == {"queued": 3}
    assert {one.largest for one in given} == {8}
