"""Values that tests begin with, as the contract suites make them."""

import socket

from orchestrator.contracts.ledger import Ledger, ids_of
from orchestrator.contracts.specimens import (
    REFUNDS,
    answer,
    chunk,
    member,
    passage,
    question,
    upload,
)

__all__ = [
    "REFUNDS",
    "Ledger",
    "answer",
    "chunk",
    "free_port",
    "ids_of",
    "member",
    "passage",
    "question",
    "upload",
]


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
