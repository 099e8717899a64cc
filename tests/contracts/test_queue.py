"""Queues hand each job to one worker at a time, and lose none."""

from orchestrator.contracts.queue import QueueContract


class TestLocalQueue(QueueContract):
    pass
