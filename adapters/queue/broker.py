"""A topic of jobs and a topic of dead letters, at Kafka brokers, through librdkafka."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer
from confluent_kafka import TopicPartition as Place

from orchestrator.domain.errors import Unavailable

Result = TypeVar("Result")

WAIT_S: Final = 0.5
SESSION_MS: Final = 10_000
BATCH_MS: Final = 3_600_000
"""A worker may be silent for so long over one batch: its claims in the catalog say if it lives."""


@dataclass(frozen=True, slots=True)
class Message:
    """What was received; `place` names it for good."""

    value: bytes
    place: str


class Broker:
    """Blocking calls go to a thread of their own, one after another; connected when first used.

    A call takes about `timeout_s` seconds at most.
    """

    def __init__(
        self, options: Mapping[str, Any], *, topic: str, group: str, timeout_s: float
    ) -> None:
        self._options = {
            **options,
            "error_cb": self._heard,
            "log_level": 2,
            "socket.timeout.ms": max(1000, int(timeout_s * 1000)),
        }
        self._topic = topic
        self._dead = f"{topic}.dead"
        self._group = group
        self._timeout_s = timeout_s
        self._thread = ThreadPoolExecutor(1, "kafka")
        self._producer: Producer | None = None
        self._consumer: Consumer | None = None
        self._trouble = threading.Event()

    async def ping(self) -> None:
        """Ask for the topics.

        Raises:
            Unavailable: when no broker answers, or one of the topics is not there.
        """
        await self._run(self._probe)

    async def send(self, messages: Sequence[tuple[bytes, bytes]]) -> None:
        """Send keys and values to the topic of jobs; all of them are there when this returns.

        Raises:
            Unavailable: when one may not be.
        """
        await self._run(lambda: self._send(self._topic, messages))

    async def receive(self, limit: int) -> Sequence[Message]:
        """Up to `limit` messages that no other member of the group has; waits a little for one.

        Raises:
            Unavailable: when no broker answers.
        """
        return await self._run(lambda: self._receive(limit))

    async def commit(self) -> None:
        """Whatever was received is dealt with; what the brokers do not hear comes once more."""
        await self._run(self._commit)

    async def bury(self, key: bytes, value: bytes | None) -> None:
        """Write a dead letter over the one of that key; None forgets it.

        Raises:
            Unavailable: when it may not be there.
        """
        await self._run(lambda: self._send(self._dead, [(key, value)]))

    async def buried(self) -> Mapping[bytes, bytes]:
        """Every dead letter by its key.

        Raises:
            Unavailable: when they cannot all be read.
        """
        return await self._run(self._buried)

    async def close(self) -> None:
        """Leave the group at once, so that others need not wait for it."""
        if self._consumer:
            await self._run(self._consumer.close)
        await asyncio.to_thread(self._thread.shutdown)

    async def _run(self, call: Callable[[], Result]) -> Result:
        def translated() -> Result:
            with _translated():
                return call()

        return await asyncio.get_running_loop().run_in_executor(self._thread, translated)

    def _heard(self, _error: KafkaError) -> None:
        self._trouble.set()

    def _probe(self) -> None:
        known = self._sending().list_topics(timeout=self._timeout_s).topics
        self._trouble.clear()
        for topic in (self._topic, self._dead):
            if topic not in known:  # asked for by name, a broker that may creates it
                found = self._sending().list_topics(topic, timeout=self._timeout_s).topics[topic]
                if found.error and found.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise Unavailable("Kafka", f"there is no topic '{topic}'")

    def _sending(self) -> Producer:
        if self._producer is None:
            limit_ms = int(self._timeout_s * 1000)
            self._producer = Producer(
                {**self._options, "enable.idempotence": True, "message.timeout.ms": limit_ms}
            )
        return self._producer

    def _receiving(self) -> Consumer:
        if self._consumer is None:
            self._consumer = Consumer(
                {
                    **self._options,
                    "group.id": self._group,
                    "enable.auto.commit": False,
                    "auto.offset.reset": "earliest",
                    "session.timeout.ms": SESSION_MS,
                    "max.poll.interval.ms": BATCH_MS,
                }
            )
            self._consumer.subscribe([self._topic])
        return self._consumer

    def _send(self, topic: str, messages: Sequence[tuple[bytes, bytes | None]]) -> None:
        failures: list[KafkaError] = []

        def delivered(error: KafkaError | None, _message: object) -> None:
            if error:
                failures.append(error)

        producer = self._sending()
        for key, value in messages:
            producer.produce(topic, key=key, value=value, on_delivery=delivered)
        left = producer.flush(self._timeout_s + 1)
        if failures:
            raise KafkaException(failures[0])
        if left:
            raise Unavailable("Kafka", f"{left} messages were not acknowledged")

    def _receive(self, limit: int) -> Sequence[Message]:
        consumer = self._receiving()
        first = consumer.poll(WAIT_S)
        if first is None:
            if self._trouble.is_set():
                self._probe()
            return []
        found = [first, *consumer.consume(limit - 1, timeout=0)] if limit > 1 else [first]
        messages = [
            Message(one.value() or b"", f"{one.topic()}/{one.partition()}/{one.offset()}")
            for one in found
            if not one.error()
        ]
        if not messages:
            raise KafkaException(first.error())
        return messages

    def _commit(self) -> None:
        try:
            self._receiving().commit(asynchronous=False)
        except KafkaException as error:
            if not error.args[0].retriable() and error.args[0].code() not in _MOVED:
                raise

    def _buried(self) -> Mapping[bytes, bytes]:
        reader = Consumer(
            {**self._options, "group.id": f"{self._group}.reader", "enable.partition.eof": True}
        )
        try:
            known = reader.list_topics(self._dead, timeout=self._timeout_s)
            partitions = set(known.topics[self._dead].partitions)
            reader.assign([Place(self._dead, one, OFFSET_BEGINNING) for one in partitions])
            return self._letters(reader, partitions)
        finally:
            reader.close()

    def _letters(self, reader: Consumer, unread: set[int]) -> Mapping[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        while unread:
            message = reader.poll(self._timeout_s)
            if message is None:
                raise Unavailable("Kafka", "it sends no dead letters")
            if (error := message.error()) and error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  # the library's own name
                unread.discard(message.partition())
            elif error:
                raise KafkaException(error)
            else:
                _write(found, message.key(), message.value())
        return found


def _write(letters: dict[bytes, bytes], key: bytes | None, value: bytes | None) -> None:
    if key is None:  # nobody here writes such a one
        return
    if value is None:
        letters.pop(key, None)
    else:
        letters[key] = value


_MOVED: Final = {
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError._NO_OFFSET,  # noqa: SLF001  # the library's own name
    KafkaError._STATE,  # noqa: SLF001
    KafkaError._TIMED_OUT,  # noqa: SLF001
    KafkaError._WAIT_COORD,  # noqa: SLF001
}
"""The partition is another's by now, or nobody answers: then the messages come once more."""


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except KafkaException as error:
        raise Unavailable("Kafka", error.args[0].str()) from error


@asynccontextmanager
async def open_broker(
    options: Mapping[str, Any], *, topic: str, group: str, timeout_s: float
) -> AsyncIterator[Broker]:
    """A client of the brokers; it leaves the group at the end."""
    broker = Broker(options, topic=topic, group=group, timeout_s=timeout_s)
    try:
        yield broker
    finally:
        await broker.close()
