"""The queue keeps its promises where Kafka hands the jobs out, too."""

from __future__ import annotations

import json
import time
import uuid
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from sqlalchemy import select, update

from adapters.catalog.schema import jobs
from adapters.queue.broker import Broker, open_broker
from adapters.queue.kafka import STALE_S, KafkaQueue
from orchestrator.contracts.claims import LONG_S, taken
from orchestrator.contracts.clerk import Clerk
from orchestrator.contracts.queue import QueueContract
from orchestrator.domain.errors import Unavailable


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broker(kafka_servers):
    """One member of one group for all tests: joining takes seconds."""
    topic = f"jobs-{uuid.uuid4().hex}"
    options = {"bootstrap.servers": kafka_servers}
    async with open_broker(options, topic=topic, group="workers", timeout_s=10) as opened:
        await opened.ping()
        await opened.send([(b"first", b"of all")])
        while not await opened.receive(1):  # until it has joined its group
            pass
        await opened.commit()
        yield opened


@pytest.fixture
async def queue(database, broker: Broker):
    queue = KafkaQueue(database, broker)
    yield queue
    while await broker.receive(100):
        await broker.commit()
    for key in await broker.buried():
        await broker.bury(key, None)


class TestKafkaQueue(QueueContract):
    async def test_a_job_is_sent_once_and_after_its_release_again(self, queue, clerk):
        await clerk.hand_in_many(3)

        sent = [await queue.dispatch(), await queue.dispatch()]
        await taken(queue, "a", limit=3, seconds=LONG_S)
        while_held = await queue.dispatch()
        await queue.release("a", tried=False)

        assert (sent, while_held, await queue.dispatch()) == ([3, 0], 0, 3)

    async def test_a_job_whose_message_was_lost_is_taken_without(self, queue, clerk, database):
        await clerk.hand_in()
        async with database.write() as connection:
            await connection.execute(update(jobs).values(sent_at=time.time()))
        before = await taken(queue, "a", limit=1, seconds=LONG_S)
        async with database.write() as connection:
            await connection.execute(update(jobs).values(sent_at=time.time() - STALE_S - 1))

        after = await taken(queue, "a", limit=1, seconds=LONG_S)

        assert (len(before), len(after)) == (0, 1)

    async def test_a_message_that_comes_twice_gives_one_job(self, queue, clerk, database):
        await clerk.hand_in()
        await queue.dispatch()
        async with database.write() as connection:
            await connection.execute(update(jobs).values(sent_at=None))

        found = await taken(queue, "a", limit=5, seconds=LONG_S)

        assert len(found) == 1

    async def test_a_job_of_another_catalog_with_the_same_number_is_none(
        self, queue, clerk, broker
    ):
        await clerk.hand_in()
        await broker.send([(b"other", json.dumps({"job": 1, "document_id": "0" * 32}).encode())])

        assert list(await queue.claim("a", limit=5, seconds=LONG_S)) == []

    @pytest.mark.parametrize(
        "value",
        [
            b"",
            b"{",
            b"[1]",
            b"[" * 100_000,
            b'{"job": "x", "document_id": "%032d"}' % 1,
            b'{"job": 1e400, "document_id": "%032d"}' % 1,
            b'{"job": 99999999999999999999, "document_id": "%032d"}' % 1,
            b'{"job": 1, "document_id": "\\ud800"}',
        ],
        ids=range(8),
    )
    async def test_a_message_that_names_no_job_is_a_dead_letter_and_harms_no_other(
        self, queue, clerk, broker, value
    ):
        await broker.send([(b"poison", value)])
        document = (await clerk.hand_in()).document

        (job,) = await taken(queue, "a", limit=2, seconds=LONG_S)
        (letter,) = await queue.dead()
        await queue.discard(letter)

        assert job.document_id == document.id
        assert (letter.document_id, letter.reason) == (None, "the message names no job")
        assert list(await queue.dead()) == []

    async def test_a_letter_that_nobody_can_read_is_listed_as_what_it_is(self, queue, broker):
        await broker.bury(b"strange", b"[" * 100_000)

        (letter,) = await queue.dead()

        assert (letter.id, letter.document_id) == ("strange", None)
        assert letter.reason.startswith("not readable: [[[")

    async def test_a_document_that_failed_otherwise_since_is_no_dead_letter(self, queue, clerk):
        await clerk.hand_in("old")
        (job,) = await taken(queue, "a", limit=1, seconds=LONG_S)
        await queue.bury(job, "gave up")
        await clerk.hand_in("new")
        (job,) = await taken(queue, "a", limit=1, seconds=LONG_S)
        await queue.fail(job, "encrypted", "encrypted")

        assert list(await queue.dead()) == []

    async def test_what_could_not_be_claimed_is_claimed_later(self, queue, clerk, monkeypatch):
        await clerk.hand_in_many(2)
        await queue.dispatch()
        with monkeypatch.context() as patch:
            patch.setattr(queue._database, "read", _locked)
            with pytest.raises(Unavailable):
                await queue.claim("a", limit=2, seconds=LONG_S)

        assert len(await taken(queue, "a", limit=2, seconds=LONG_S)) == 2


def _locked():
    raise Unavailable("catalog", "locked")


async def test_what_no_broker_took_is_not_taken_for_sent(database, catalog):
    async with AsyncExitStack() as stack:
        options = {"bootstrap.servers": "127.0.0.1:9"}
        broker = await stack.enter_async_context(
            open_broker(options, topic="jobs", group="workers", timeout_s=0.5)
        )
        queue = KafkaQueue(database, broker)
        clerk = await Clerk.of(catalog, queue)
        await clerk.hand_in()

        with pytest.raises(Unavailable, match="Kafka"):
            await queue.dispatch()
        with pytest.raises(Unavailable, match="Kafka"):
            await queue.ping()

        async with database.read() as connection:
            sent = (await connection.execute(select(jobs.c.sent_at))).scalar_one()
        assert sent is None
