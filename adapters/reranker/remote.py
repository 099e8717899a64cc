"""Any server of the rerank API that Cohere began (Jina, vLLM, …), or of TEI's."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, Literal, TypeAlias

import httpx
from pydantic import AliasChoices, BaseModel, Field, TypeAdapter, ValidationError

from adapters.bounding import PLAIN, bounded
from adapters.reranker.judged import ranked, read_of
from orchestrator.domain.answers import Query
from orchestrator.domain.errors import Unavailable
from orchestrator.domain.passages import Passage

RETRY_S: Final = 5.0
LONGEST: Final = 1_000_000
"""Bytes of a response: a thousand scores are a tenth of that."""
Shape: TypeAlias = Literal["common", "tei"]


class RemoteReranker:
    """`orchestrator.ports.reranker.Reranker` over HTTP: one request, of at most `timeout_s`.

    With `logits` the server's scores are any number, and the logistic function squashes them.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        model: str | None,
        shape: Shape,
        logits: bool,
        timeout_s: float,
    ) -> None:
        self._client = client
        self._model = model
        self._shape = shape
        self._logits = logits
        self._timeout_s = timeout_s
        self._server = f"the reranker at {client.base_url.host}"

    async def rerank(
        self, query: Query, passages: Sequence[Passage], *, limit: int
    ) -> Sequence[Passage]:
        """Ask for the score of every passage, and sort by it."""
        if not passages:
            return []
        body = self._body(query.text, [read_of(passage.chunk) for passage in passages])
        scores = self._scores(await self._post(body), len(passages))
        return ranked(passages, scores, limit=limit)

    def _body(self, question: str, texts: Sequence[str]) -> Mapping[str, Any]:
        if self._shape == "tei":
            return {"query": question, "texts": texts, "raw_scores": self._logits, "truncate": True}
        named = {"model": self._model} if self._model else {}
        return {**named, "query": question, "documents": texts, "top_n": len(texts)}

    async def _post(self, body: Mapping[str, Any]) -> Sequence[_Result]:
        with self._translated():
            async with asyncio.timeout(self._timeout_s):
                response = await self._client.post("rerank", json=body)
            if not response.is_success:
                wait = RETRY_S if response.status_code == httpx.codes.TOO_MANY_REQUESTS else 1.0
                reason = f"it answers {response.status_code}"
                raise Unavailable(self._server, reason, retry_after=wait)
            if self._shape == "tei":
                return _RESULTS.validate_json(response.content)
            return _Answer.model_validate_json(response.content).results

    def _scores(self, results: Sequence[_Result], count: int) -> list[float]:
        """The score of each passage, in [0, 1]."""
        if sorted(one.index for one in results) != list(range(count)):
            told = f"it judged {len(results)} passages of {count}, or not each of them once"
            raise Unavailable(self._server, told)
        by_index = {one.index: one.score for one in results}
        scores = [by_index[at] for at in range(count)]
        if not all(map(math.isfinite, scores)):
            raise Unavailable(self._server, "it gave a score that is not a number")
        if self._logits:
            return [_logistic(score) for score in scores]
        if not all(0 <= score <= 1 for score in scores):
            raise Unavailable(self._server, "its scores are not in [0, 1]: see the option `logits`")
        return scores

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (TimeoutError, httpx.TimeoutException) as error:
            reason = f"no answer within {self._timeout_s:g} s"
            raise Unavailable(self._server, reason) from error
        except httpx.HTTPError as error:
            raise Unavailable(self._server, str(error) or type(error).__name__) from error
        except ValidationError as error:  # its message may quote the passages
            raise Unavailable(self._server, "it does not answer with scores") from error


class _Result(BaseModel):
    index: int
    score: float = Field(validation_alias=AliasChoices("relevance_score", "score"))


class _Answer(BaseModel):
    results: list[_Result]


_RESULTS: Final = TypeAdapter(list[_Result])


@asynccontextmanager
async def open_remote(
    base_url: str,
    *,
    model: str | None = None,
    api_key: str | None = None,
    shape: Shape = "common",
    logits: bool = False,
    timeout_s: float = 10.0,
) -> AsyncIterator[RemoteReranker]:
    """A client of `{base_url}/rerank`, closed at the end; it follows no redirect with the key."""
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    async with httpx.AsyncClient(
        base_url=base_url.rstrip("/") + "/",
        headers={**PLAIN, **headers},
        timeout=timeout_s,
        event_hooks=bounded(LONGEST),
    ) as client:
        yield RemoteReranker(client, model=model, shape=shape, logits=logits, timeout_s=timeout_s)


def _logistic(score: float) -> float:
    """Without overflow, whatever the score."""
    return 0.5 * (1 + math.tanh(score / 2))
