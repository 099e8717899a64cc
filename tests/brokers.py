"""Brokers that speak Kafka's protocol, on this machine's loopback, for as long as this process."""

from __future__ import annotations

from confluent_kafka import Producer


class Brokers:
    """Three of them; `servers` is where they listen. They make topics that are asked for."""

    def __init__(self) -> None:
        self._running = Producer(
            {"bootstrap.servers": "replaced", "test.mock.num.brokers": 3, "log_level": 2}
        )
        found = self._running.list_topics(timeout=10).brokers.values()
        self.servers = ",".join(f"{one.host}:{one.port}" for one in found)
