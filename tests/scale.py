"""How large tests of loads and kills are: as is usual, or with RAG_TESTS=full in full."""

import os

FULL = os.environ.get("RAG_TESTS") == "full"


def scaled(full: int, usual: int) -> int:
    """The number for the scale that was chosen; what is done with it is the same in both."""
    return full if FULL else usual
