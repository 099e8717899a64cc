"""A server killed while vectors come, while lists are trained, and while they take their place."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import httpx
import pytest

from tests.live.processes import Served, children, serve, wait_for
from tests.scale import scaled

pytestmark = [pytest.mark.live, pytest.mark.slow]

SECTIONS = 40
ROUNDS = scaled(3, 2)
Made = Callable[[], set[Path]]
"""The lists that are new since the server began."""
ON_DISK = {
    "RAG_EMBEDDER__KIND": "mock",
    "RAG_VECTORS__KIND": "faiss",
    "RAG_VECTORS__EXACT_UNTIL": "500",
    "RAG_VECTORS__TRAINING_NICENESS": "0",
    "RAG_KEYWORDS__KIND": "tantivy",
    "RAG_RETRIEVER__KIND": "hybrid",
    "RAG_WORKER__PLACEMENT": "inline",
    "RAG_WORKSPACE__CHUNKING__TOKENS": "16",
}


def text(number: int) -> str:
    parts = [f"# Part {n}\n\nNote {number} says token{number}x{n} here." for n in range(SECTIONS)]
    return "\n\n".join(parts)


def send(served: Served, numbers: Iterable[int], accepted: list[int]) -> None:
    """Until the server is gone."""
    for number in numbers:
        body = {"source_id": f"note-{number}", "title": f"Note {number}", "text": text(number)}
        try:
            sent = served.http.post("/v1/documents:text", json=body)
        except (httpx.TransportError, RuntimeError):
            return
        assert sent.status_code == 202, sent.text
        accepted.append(number)


def documents(served: Served) -> dict[str, str]:
    found, after = {}, ""
    while True:
        page = served.http.get(
            "/v1/documents", params={"limit": 100, "after": after} if after else {"limit": 100}
        ).json()
        found |= {one["source_id"]: one for one in page["documents"]}
        if not (after := page["next"]):
            return found


def lists(data: Path) -> set[Path]:
    return set((data / "indexes").rglob("*.sums"))


def settled(served: Served) -> bool:
    return all(one["status"] == "indexed" for one in documents(served).values())


def while_vectors_come(served: Served, _made: Made) -> None:
    time.sleep(random.Random(served.process.pid).uniform(0.5, 3))


def while_lists_are_trained(served: Served, made: Made) -> None:
    """Or when they are there already, if nobody looked in time."""
    wait_for(
        lambda: children(served.process.pid, "adapters.vectors.training") or made(),
        "nothing was trained",
    )


def while_lists_take_their_place(_served: Served, made: Made) -> None:
    wait_for(made, "no lists were made")


@pytest.mark.parametrize(
    "moment", [while_vectors_come, while_lists_are_trained, while_lists_take_their_place]
)
def test_after_a_kill_index_and_catalog_agree_exactly(
    tmp_path: Path, moment: Callable[[Served, Made], None]
) -> None:
    data, accepted = tmp_path / "data", []
    for number in range(ROUNDS):
        with serve(data, **ON_DISK) as served:
            if number:
                gone = documents(served)[f"note-{accepted.pop(0)}"]
                assert served.http.delete(f"/v1/documents/{gone['id']}").status_code == 200
            numbers = range(1000 * number, 1000 * number + 40 * (number + 1))
            sending = threading.Thread(target=send, args=(served, numbers, accepted))
            known, before = lists(data), len(accepted)
            sending.start()
            wait_for(lambda before=before: len(accepted) > before, "nothing was accepted")
            moment(served, lambda known=known: lists(data) - known)
            served.stop(signal.SIGKILL)
            sending.join()

    with serve(data, **ON_DISK) as served:
        wait_for(lambda: settled(served), "documents wait", seconds=120)
        held = documents(served)
        found = served.http.get("/v1/workspaces/default/indexes").json()
        asked = {"query": f"token{accepted[-1]}x7", "mode": "keyword", "top_k": 1}
        hits = served.http.post("/v1/search", json=asked).json()["hits"]

    assert {f"note-{number}" for number in accepted} <= set(held)
    assert {one["index"].split(":")[0] for one in found} == {"vectors", "keywords"}
    for one in found:
        assert one["agrees"], one
        assert one["held"] == sum(document["chunks"] for document in held.values())
    assert [hit["source_id"] for hit in hits] == [f"note-{accepted[-1]}"]
