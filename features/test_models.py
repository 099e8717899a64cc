"""Steps of models: looked at directly, and behind an address that a test takes away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from features.conftest import upload_all
from features.world import Deploy, World, named, wait_for
from tests.builders import free_port
from tests.modelserver import ModelServer, model_server

scenarios("models.feature")


class Switch:
    """A model server at one address, which can be taken down and put back."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.port = free_port()
        self.server: ModelServer

    def on(self) -> None:
        self.server = self._stack.enter_context(model_server(self.port))

    def off(self) -> None:
        self._stack.close()


@pytest.fixture
def switch() -> Iterator[Switch]:
    with ExitStack() as stack:
        switch = Switch(stack)
        switch.on()
        yield switch


@given("a deployment whose embedder is a server")
def embedder_of_server(world: World, deploy: Deploy, switch: Switch) -> None:
    world.service = deploy(
        {
            "RAG_RETRIEVER__KIND": "hybrid",
            "RAG_EMBEDDER__KIND": "openai",
            "RAG_EMBEDDER__MODEL": "words",
            "RAG_EMBEDDER__DIMENSION": "256",
            "RAG_EMBEDDER__BASE_URL": f"http://127.0.0.1:{switch.port}/v1",
            "RAG_EMBEDDER__RETRIES": "0",
        }
    )


@given("a deployment whose reranker is a server")
def reranker_of_server(world: World, deploy: Deploy, switch: Switch) -> None:
    url = f"http://127.0.0.1:{switch.port}"
    world.service = deploy({"RAG_RERANKER__KIND": "remote", "RAG_RERANKER__BASE_URL": url})


@given("a deployment that reranks what vectors and keywords find")
def reranks_hybrid(world: World, deploy: Deploy) -> None:
    world.service = deploy({"RAG_RERANKER__KIND": "mock", "RAG_RETRIEVER__KIND": "hybrid"})


@given(named("a workspace that skips reranking at a margin of {margin} with these documents"))
def skipping(world: World, margin: str, datatable: list[list[str]]) -> None:
    chosen = None if margin == "none" else float(margin)
    world.workspace = world.create(reranking={"skip_margin": chosen})
    upload_all(world, world.workspace, datatable)


@when(named('I embed "{one}" and "{other}"'))
def embed(world: World, one: str, other: str) -> None:
    world.noted = vectors(world, [one, other])


@when(named('I ask embedder "{name}" for a vector'))
def embed_by(world: World, name: str) -> None:
    world.request("POST", "/v1/embeddings", json={"input": "a", "model": name})


@when(named('I rerank for "{question}"'))
def rerank(world: World, question: str, datatable: list[list[str]]) -> None:
    texts = [row[0] for row in datatable[1:]]
    world.request("POST", "/v1/rerank", json={"query": question, "documents": texts})


@when("the model server goes down")
def goes_down(switch: Switch) -> None:
    switch.off()


@when("the model server comes back")
def comes_back(switch: Switch) -> None:
    switch.on()


@when(parsers.parse("the model server gives vectors of {dimension:d} dimensions"))
def gives(switch: Switch, dimension: int) -> None:
    def shorter(body: Any) -> Any:
        return {
            **body,
            "data": [{**d, "embedding": d["embedding"][:dimension]} for d in body["data"]],
        }

    switch.server.instead = shorter


@when(named('I hand in "{source_id}" saying "{text}"'))
def hand_in(world: World, source_id: str, text: str) -> None:
    world.noted = world.accepted(world.send(source_id, text))


@then("it is not indexed yet")
def not_indexed(world: World) -> None:
    wait_for(lambda: status_of(world)["stage"] == "embedding", "it never came to be embedded")
    time.sleep(0.5)
    assert status_of(world)["status"] != "indexed"
    assert status_of(world)["error"] is None


@then("it is indexed without being handed in again")
def indexed(world: World) -> None:
    wait_for(lambda: status_of(world)["status"] == "indexed", "it was not taken up again")


def status_of(world: World) -> dict[str, Any]:
    return world.request("GET", world.noted).json()


@then(parsers.parse("there are {count:d} vectors of length 1"))
def unit_vectors(world: World, count: int) -> None:
    assert len(world.noted) == count
    assert np.linalg.norm(world.noted, axis=1) == pytest.approx(np.ones(count), abs=1e-4)


@then(named('"{question}" is nearest to the first'))
def nearest(world: World, question: str) -> None:
    (asked,) = vectors(world, [question], input_type="query")
    assert int(np.argmax(world.noted @ asked)) == 0


@then(parsers.parse("the best is text {number:d}"))
def best(world: World, number: int) -> None:
    assert world.response.status_code == 200, world.response.text
    results = world.response.json()["results"]
    assert results[0]["index"] == number - 1
    assert results[0]["relevance_score"] > results[1]["relevance_score"]


@then("the answer lacked no model")
def lacked_nothing(world: World) -> None:
    assert world.answer["meta"]["degraded"] == []


@then(named('the answer lacked "{dependency}"'))
def lacked(world: World, dependency: str) -> None:
    assert dependency in world.answer["meta"]["degraded"]


@then("every source shows what the reranker said")
def judged(world: World) -> None:
    said = [one["scores"]["reranker"] for one in world.answer["sources"]]
    assert [one["rank"] for one in said] == [*range(1, len(said) + 1)]
    assert [one["score"] for one in said] == sorted((one["score"] for one in said), reverse=True)


@then(parsers.re(r"reranking (?P<was>was|was not) skipped"))
def reranking_skipped(world: World, was: str) -> None:
    meta, skipped = world.answer["meta"], was == "was"
    assert meta["skipped"] == (["reranker"] if skipped else [])
    assert all(("reranker" in one["scores"]) is not skipped for one in world.answer["sources"])
    metrics = world.request("GET", "/metrics").text
    assert f"rag_rerank_skipped_total {1.0 if skipped else 0.0}" in metrics


def vectors(world: World, texts: list[str], **more: Any) -> np.ndarray:
    response = world.request("POST", "/v1/embeddings", json={"input": texts, **more})
    assert response.status_code == 200, response.text
    return np.array([one["embedding"] for one in response.json()["data"]])
