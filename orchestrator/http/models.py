"""`/v1/embeddings` and `/v1/rerank`: the models themselves, for a closer look at what they do."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, Self, TypeVar

import numpy as np
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from orchestrator.domain.answers import Query
from orchestrator.domain.documents import Chunk
from orchestrator.domain.errors import NotFound
from orchestrator.domain.passages import Passage
from orchestrator.http.dependencies import application
from orchestrator.http.problems import Problem
from orchestrator.http.schemas import Text
from orchestrator.http.streaming import limited
from orchestrator.ports.arrays import Vector, Vectors
from orchestrator.ports.embedder import Embedder
from orchestrator.settings.explain import did_you_mean

router = APIRouter(prefix="/v1", tags=["models"])
Model = TypeVar("Model")

MAX_TEXTS: Final = 256
MAX_CHARACTERS: Final = 32_000
_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Problem} for status in (400, 404, 413, 422, 503, 504)
}
Given = Annotated[str, StringConstraints(min_length=1, max_length=MAX_CHARACTERS)]
Several = Field(min_length=1, max_length=MAX_TEXTS)
Named = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class EmbeddingsRequest(BaseModel):
    """Texts for an embedder, in OpenAI's shape."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"input": ["Refunds are paid within 7 days."]}]},
    )

    input: Annotated[
        list[Given],
        Several,
        BeforeValidator(
            lambda given: [given] if isinstance(given, str) else given,
            json_schema_input_type=str | list[str],
        ),
    ] = Field(description=f"A text, or up to {MAX_TEXTS}; what a model does not read is cut off.")
    model: Named = Field("default", description="An embedder of the settings, by its name.")
    encoding_format: Literal["float", "base64"] = Field(
        "float", description="`base64`: of 32-bit floats, little-endian."
    )
    input_type: Literal["passage", "query"] = Field(
        "passage", description="Some models embed a question otherwise than what answers it."
    )
    user: str | None = Field(None, description="Taken for the shape's sake, and not used.")


class Embedding(BaseModel):
    """One text's vector, of length 1."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str

    @classmethod
    def of(cls, index: int, vector: Vector, encoding: str) -> Self:
        """In the encoding that was asked for."""
        written = (
            vector.tolist()
            if encoding == "float"
            else base64.b64encode(vector.astype("<f4").tobytes()).decode()
        )
        return cls.model_construct(object="embedding", index=index, embedding=written)


class EmbeddingsUsage(BaseModel):
    """Tokens that the model read, as its embedder counts them."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsResponse(BaseModel):
    """A vector for each text, in order."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: EmbeddingsUsage


class RerankDocument(BaseModel):
    """A text to judge."""

    model_config = ConfigDict(extra="forbid")

    text: Given


Judged = Annotated[
    RerankDocument,
    BeforeValidator(
        lambda given: {"text": given} if isinstance(given, str) else given,
        json_schema_input_type=str | RerankDocument,
    ),
]
"""A text, as it is or as `{"text": …}`."""


class RerankRequest(BaseModel):
    """A question, and texts that may answer it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "query": "When are refunds paid?",
                    "documents": ["Lunch is at noon.", "Refunds are paid within 7 days."],
                    "top_n": 1,
                }
            ]
        },
    )

    query: Text
    documents: Annotated[list[Judged], Several]
    model: Named = Field("default", description="A reranker of the settings, by its name.")
    top_n: int | None = Field(None, ge=1, description="By default, all.")
    return_documents: bool = False


class RerankResult(BaseModel):
    """A text's place in the request, and how relevant it is, in [0, 1]."""

    index: int
    relevance_score: float
    document: RerankDocument | None = None


class RerankResponse(BaseModel):
    """The best texts, best first."""

    model: str
    results: list[RerankResult]


@router.post(
    "/embeddings", response_model=EmbeddingsResponse, responses=_PROBLEMS, summary="Embed texts"
)
async def embeddings(body: EmbeddingsRequest, request: Request) -> Response:
    """The texts' vectors by a named embedder, in OpenAI's shape; nothing is stored."""
    app = application(request)
    embedder = _named(app.backends.embedders, body.model, "embedder")
    vectors = await limited(app, _embedded(embedder, body.input, body.input_type))
    app.metrics.model_texts.labels("embed").inc(len(vectors))
    told = await asyncio.to_thread(_written, body, embedder, vectors)
    return Response(told, media_type="application/json")


@router.post(
    "/rerank",
    response_model=RerankResponse,
    response_model_exclude_none=True,
    responses=_PROBLEMS,
    summary="Judge texts",
)
async def rerank(body: RerankRequest, request: Request) -> RerankResponse:
    """The texts in the order of a named reranker; one of kind `none` keeps the order given."""
    app = application(request)
    reranker = _named(app.backends.rerankers, body.model, "reranker")
    texts = [one.text for one in body.documents]
    passages = [Passage(_chunk(at, text), 0.0) for at, text in enumerate(texts)]
    limit = min(body.top_n or len(texts), len(texts))
    ranked = await limited(app, reranker.rerank(Query(body.query), passages, limit=limit))
    app.metrics.model_texts.labels("rerank").inc(len(texts))
    return RerankResponse(
        model=body.model,
        results=[
            RerankResult(
                index=one.chunk.id,
                relevance_score=one.score,
                document=body.documents[one.chunk.id] if body.return_documents else None,
            )
            for one in ranked
        ],
    )


async def _embedded(embedder: Embedder, texts: Sequence[str], kind: str) -> Vectors:
    if kind == "passage":
        return await embedder.embed(texts)
    return np.stack([await embedder.embed_query(text) for text in texts])


def _written(body: EmbeddingsRequest, embedder: Embedder, vectors: Vectors) -> str:
    """The response; of many vectors that takes a while, so it is for a thread."""
    tokens = sum(min(len(embedder.token_spans(text)), embedder.max_tokens) for text in body.input)
    return EmbeddingsResponse.model_construct(
        object="list",
        data=[Embedding.of(at, one, body.encoding_format) for at, one in enumerate(vectors)],
        model=body.model,
        usage=EmbeddingsUsage(prompt_tokens=tokens, total_tokens=tokens),
    ).model_dump_json()


def _chunk(number: int, text: str) -> Chunk:
    """The text as a chunk that is in no document; its number is its id."""
    return Chunk(
        id=number,
        document_id="",
        source_id="",
        version=1,
        title="",
        text=text,
        start=0,
        end=len(text),
    )


def _named(models: Mapping[str, Model], name: str, role: str) -> Model:
    if name not in models:
        raise NotFound(
            f"there is no {role} named '{name}'{did_you_mean(name, models)}",
            code="unknown_model",
            field="model",
        )
    return models[name]
