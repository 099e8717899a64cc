"""`/v1/embeddings` and `/v1/rerank`: the shapes that clients know, over the named models."""

from __future__ import annotations

import asyncio
import base64

import numpy as np
import pytest

from adapters.embedder.mock import MockEmbedder
from adapters.reranker.mock import MockReranker
from adapters.reranker.none import NoReranker
from orchestrator.assembly import Backends
from orchestrator.domain.errors import Unavailable
from orchestrator.http.models import MAX_CHARACTERS, MAX_TEXTS
from tests.unit.fakes import hurried

TEXTS = ["Lunch is served at noon.", "Refunds are paid within 7 days."]


class Asymmetric(MockEmbedder):
    """Embeds questions as nothing but the word."""

    async def embed_query(self, _text):
        return (await self.embed(["question"]))[0]


class Down:
    async def embed(self, _texts):
        raise Unavailable("the embedder", "switched off by a test")

    async def rerank(self, _query, _passages, *, limit):
        raise Unavailable("the reranker", "switched off by a test")


class Slow:
    async def rerank(self, _query, _passages, *, limit):
        await asyncio.sleep(60)


@pytest.fixture
def http(service):
    service.app.state.application.backends = Backends(
        caches={},
        embedders={"default": MockEmbedder(), "asked": Asymmetric(), "down": Down()},
        vectors={},
        keywords={},
        rerankers={
            "default": MockReranker(),
            "none": NoReranker(),
            "down": Down(),
            "slow": Slow(),
        },
        generators={},
        overlap=None,
    )
    return service.http


async def embedded(http, **body):
    response = await http.post("/v1/embeddings", json=body)
    assert response.status_code == 200, response.text
    return response.json()


async def test_texts_have_their_vectors_in_order_and_tokens_are_counted(http, service):
    told = await embedded(http, input=TEXTS)

    wanted = await MockEmbedder().embed(TEXTS)
    assert [one["index"] for one in told["data"]] == [0, 1]
    assert np.abs(np.array([one["embedding"] for one in told["data"]]) - wanted).max() < 1e-6
    assert {one["object"] for one in told["data"]} == {"embedding"}
    assert (told["object"], told["model"]) == ("list", "default")
    assert told["usage"] == {"prompt_tokens": 11, "total_tokens": 11}
    assert service.counted("rag_model_texts_total", task="embed") == 2


async def test_one_text_needs_no_list(http):
    assert (await embedded(http, input=TEXTS[0]))["data"] == (
        await embedded(http, input=TEXTS[:1])
    )["data"]


async def test_vectors_come_as_base64_where_that_is_asked_for(http):
    (told,) = (await embedded(http, input=TEXTS[1], encoding_format="base64"))["data"]

    vector = np.frombuffer(base64.b64decode(told["embedding"]), "<f4")
    assert (vector == (await MockEmbedder().embed(TEXTS[1:]))[0]).all()


async def test_a_question_is_embedded_as_one(http):
    (asked,) = (await embedded(http, input="refunds", model="asked", input_type="query"))["data"]
    (said,) = (await embedded(http, input="refunds", model="asked"))["data"]

    assert asked["embedding"] == (await MockEmbedder().embed(["question"]))[0].tolist()
    assert said["embedding"] != asked["embedding"]


async def test_tokens_beyond_what_is_read_are_not_counted(http):
    told = await embedded(http, input="word " * 1000)

    assert told["usage"]["prompt_tokens"] == MockEmbedder().max_tokens


async def reranked(http, **body):
    response = await http.post("/v1/rerank", json=body)
    assert response.status_code == 200, response.text
    return response.json()


async def test_texts_are_judged_best_first(http, service):
    told = await reranked(http, query="When are refunds paid?", documents=TEXTS)

    assert told == {
        "model": "default",
        "results": [
            {"index": 1, "relevance_score": 1.0},
            {"index": 0, "relevance_score": 0.0},
        ],
    }
    assert service.counted("rag_model_texts_total", task="rerank") == 2


async def test_only_the_best_come_back_and_with_their_text_where_asked(http):
    told = await reranked(
        http,
        query="When are refunds paid?",
        documents=[{"text": one} for one in TEXTS],
        top_n=1,
        return_documents=True,
    )

    (best,) = told["results"]
    assert (best["index"], best["document"]) == (1, {"text": TEXTS[1]})


async def test_no_reranker_keeps_the_order_given(http):
    told = await reranked(http, query="When?", documents=TEXTS, model="none", top_n=9)

    assert [one["index"] for one in told["results"]] == [0, 1]


QUERY = {"query": "When?"}


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "field"),
    [
        ("embeddings", {}, 422, "invalid_request", "input"),
        ("embeddings", {"input": []}, 422, "invalid_request", "input"),
        ("embeddings", {"input": ""}, 422, "invalid_request", "input.0"),
        ("embeddings", {"input": [1, 2]}, 422, "invalid_request", "input.0"),
        ("embeddings", {"input": ["a"] * (MAX_TEXTS + 1)}, 422, "invalid_request", "input"),
        ("embeddings", {"input": "a" * (MAX_CHARACTERS + 1)}, 422, "invalid_request", "input.0"),
        ("embeddings", {"input": "a", "encoding_format": "hex"}, 422, None, "encoding_format"),
        ("embeddings", {"input": "a", "colour": 1}, 422, "unknown_field", "colour"),
        ("embeddings", {"input": "a" * 2_000_000}, 413, "too_large", None),
        ("embeddings", {"input": "a", "model": "defualt"}, 404, "unknown_model", "model"),
        ("rerank", {"documents": ["a"]}, 422, "invalid_request", "query"),
        ("rerank", {**QUERY, "documents": []}, 422, "invalid_request", "documents"),
        ("rerank", {**QUERY, "documents": ["a", ""]}, 422, None, "documents.1.text"),
        ("rerank", {**QUERY, "documents": [{"title": "a"}]}, 422, None, "documents.0.text"),
        ("rerank", {**QUERY, "documents": ["a"] * 257}, 422, "invalid_request", "documents"),
        ("rerank", {**QUERY, "documents": ["a"], "top_n": 0}, 422, None, "top_n"),
        ("rerank", {**QUERY, "documents": ["a"], "model": "nnoe"}, 404, "unknown_model", "model"),
        ("embeddings", {"input": "a", "model": "down"}, 503, "unavailable", None),
        ("rerank", {**QUERY, "documents": ["a"], "model": "down"}, 503, "unavailable", None),
        ("rerank", {**QUERY, "documents": ["a"], "model": "slow"}, 504, "timed_out", None),
    ],
)
@hurried
async def test_what_cannot_be_done_is_a_problem(http, path, body, status, code, field):
    response = await http.post(f"/v1/{path}", json=body)

    problem = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code, problem.get("field")) == (status, field)
    assert code is None or problem["code"] == code


async def test_a_model_that_is_not_there_is_told_with_what_was_meant(http):
    response = await http.post("/v1/embeddings", json={"input": "a", "model": "defualt"})

    assert (
        response.json()["detail"] == "there is no embedder named 'defualt': did you mean 'default'?"
    )


async def test_the_shapes_are_described_with_examples(http):
    schemas = (await http.get("/openapi.json")).json()["components"]["schemas"]

    assert {
        one["type"] for one in schemas["EmbeddingsRequest"]["properties"]["input"]["anyOf"]
    } == {
        "string",
        "array",
    }
    assert schemas["RerankRequest"]["examples"]
