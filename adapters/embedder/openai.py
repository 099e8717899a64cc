"""Any server of the embeddings API that OpenAI began, by its SDK."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import urlsplit

import httpx
import openai
from pydantic import BaseModel, ValidationError

from adapters.bounding import PLAIN, bounded
from adapters.embedder.asked import Asked
from adapters.embedder.tokens import Counter, Spans, first
from adapters.embedder.unit import unit_vectors
from orchestrator.domain.errors import Unavailable
from orchestrator.ports.arrays import Vector, Vectors

BLANK: Final = " "
"""Sent for an empty text, which the API refuses."""
REFUSED: Final = (400, 413, 422)
"""What servers answer to a text that is longer than their model reads."""
RETRY_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Model:
    """A model on a server, and how it is asked.

    `dimension` is that of its vectors; `asks` whether they are asked for by it. Each prompt stands
    before its texts. `max_tokens` of them are sent, as `counter` counts. A question, with whatever
    is tried again, takes `question_s` seconds at most.
    """

    name: str
    revision: str
    dimension: int
    asks: bool
    max_tokens: int
    batch: int
    parallel: int
    question_s: float
    query_prompt: str
    passage_prompt: str
    counter: Counter


class OpenAIEmbedder:
    """`orchestrator.ports.embedder.Embedder` over HTTP; at most `parallel` requests at once.

    The weights are out of reach, so the digest names what stands for them: the server's host, the
    model, its revision and dimension, and the prompt of passages.
    """

    def __init__(self, client: openai.AsyncOpenAI, model: Model) -> None:
        host = urlsplit(str(client.base_url)).hostname
        self._client = client
        self._model = model
        self._turns = asyncio.Semaphore(model.parallel)
        self._asked = Asked()
        self._server = f"the embedder at {host}"
        told = (host, model.name, model.revision, model.dimension, model.passage_prompt)
        self.digest = f"openai:{hashlib.sha256(repr(told).encode()).hexdigest()}"
        self.dimension = model.dimension
        self.max_tokens = model.max_tokens - len(model.counter(model.passage_prompt))

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Batches, several at a time; given back in the order asked."""
        prompted = [self._model.passage_prompt + text for text in texts]
        cut = await asyncio.to_thread(self._cut, prompted)
        size = self._model.batch
        batches = [cut[at : at + size] for at in range(0, len(cut), size)]
        found = await asyncio.gather(*(self._embedded(one) for one in batches))
        given = [vector for vectors in found for vector in vectors]
        return unit_vectors(given, len(texts), self.dimension, self._server)

    async def embed_query(self, text: str) -> Vector:
        """One text, at once; the last ones are remembered."""
        return await self._asked.vector(text, self._embed_one)

    def token_spans(self, text: str) -> Spans:
        """By the tokenizer that was configured, else by a guess on the safe side."""
        return self._model.counter(text)

    def _cut(self, texts: Sequence[str]) -> list[str]:
        model = self._model
        return [first(text, model.max_tokens, model.counter) or BLANK for text in texts]

    async def _embed_one(self, text: str) -> Vector:
        question, seconds = self._cut([self._model.query_prompt + text]), self._model.question_s
        try:
            async with asyncio.timeout(seconds):
                given = await self._request(question)
        except TimeoutError as error:
            raise Unavailable(self._server, f"no answer within {seconds:g} s") from error
        vector: Vector = unit_vectors(given, 1, self.dimension, self._server)[0]
        return vector

    async def _embedded(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        async with self._turns:
            return await self._request(texts)

    async def _request(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        with self._translated():
            return await self._accepted(texts)

    async def _accepted(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """Ask; of texts that are refused, ask in halves, until one text is too long for certain."""
        try:
            return await self._post(texts)
        except openai.APIStatusError as error:
            half, shorter = len(texts) // 2, _shortened(texts[0], self._model.max_tokens)
            if error.status_code not in REFUSED or (not half and shorter == texts[0]):
                raise
        if not half:
            return await self._post([shorter])
        return [*await self._accepted(texts[:half]), *await self._accepted(texts[half:])]

    async def _post(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        response = await self._client.embeddings.with_raw_response.create(
            model=self._model.name,
            input=list(texts),
            encoding_format="float",
            dimensions=self._model.dimension if self._model.asks else openai.omit,
        )
        data = _Answer.model_validate_json(response.content).data
        if sorted(one.index for one in data) != list(range(len(texts))):
            raise Unavailable(
                self._server, f"it gave {len(data)} vectors for {len(texts)} texts, or not theirs"
            )
        return [one.embedding for one in sorted(data, key=lambda one: one.index)]

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except openai.APIStatusError as error:  # its message may quote the key, or the texts
            wait = RETRY_S if error.status_code == 429 else 1.0
            reason = f"it answers {error.status_code}"
            raise Unavailable(self._server, reason, retry_after=wait) from error
        except (openai.APIConnectionError, openai.APIResponseValidationError) as error:
            raise Unavailable(self._server, str(error)) from error
        except ValidationError as error:
            raise Unavailable(self._server, "it does not answer with embeddings") from error


class _Embedding(BaseModel):
    index: int
    embedding: list[float]


class _Answer(BaseModel):
    data: list[_Embedding]


@asynccontextmanager
async def open_openai(
    model: Model,
    *,
    base_url: str,
    api_key: str | None,
    organization: str | None,
    project: str | None,
    timeout_s: float,
    retries: int,
) -> AsyncIterator[OpenAIEmbedder]:
    """A client of the server, closed at the end; nothing is asked of it until it is used."""
    async with httpx.AsyncClient(headers=PLAIN, event_hooks=bounded(_longest(model))) as http:
        client = openai.AsyncOpenAI(
            base_url=base_url,
            api_key=api_key or "none",  # never one of the environment: it is another server's
            organization=organization,
            project=project,
            timeout=timeout_s,
            max_retries=retries,
            http_client=cast("Any", http),
        )
        yield OpenAIEmbedder(client, model)


def _longest(model: Model) -> int:
    """More bytes than the vectors of a batch take, however they are written."""
    return 1_000_000 + 32 * model.dimension * model.batch


def _shortened(text: str, tokens: int) -> str:
    """So few bytes that they cannot be more tokens, whatever the tokenizer."""
    return text.encode()[:tokens].decode(errors="ignore")
