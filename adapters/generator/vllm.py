"""A vLLM server: the chat completions API, and what vLLM adds to it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any, Final

import httpx
import openai
from pydantic import BaseModel, Field

from adapters.generator.connecting import connected
from adapters.generator.openai import OpenAIModel, Served, sdk, translated
from adapters.generator.refusing import refused
from orchestrator.domain.errors import Misconfigured
from orchestrator.ports.language import Completion, Finish

ASK_S: Final = 5.0
"""For what is no completion: tokens, models, health."""
AT_ONCE: Final = 8
REMEMBERED: Final = 10_000
CAUTIOUS: Final = 2048
"""The window, until the server has told its own."""


class VllmModel:
    """`orchestrator.ports.language.LanguageModel`, and what OpenAI's API does not tell.

    A name that is empty and a window of 0 are the server's own, which is asked for them before its
    first answer; so the service starts without it. With `exact` it counts tokens, too.
    """

    def __init__(
        self, client: openai.AsyncOpenAI, http: httpx.AsyncClient, served: Served, *, exact: bool
    ) -> None:
        self._client = client
        self._http = http
        self._exact = exact
        self._server = f"the model at {http.base_url.host}"
        self._chat = OpenAIModel(client, served, count=self.count if exact else None)
        self._learnt = bool(served.name and served.window)
        self._served = served
        self._learning = asyncio.Lock()
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._counts: dict[bytes, int] = {}

    @property
    def name(self) -> str:
        """As it was configured, or as the server says."""
        return self._chat.name

    @property
    def window(self) -> int:
        """As it was configured, or as the server says; cautious until then."""
        return self._chat.window or CAUTIOUS

    async def ping(self) -> None:
        """Ask for its health."""
        await self._told("GET", "/health")
        await self._known()

    async def count(self, texts: Sequence[str]) -> Sequence[int]:
        """By the server's own tokeniser, which is asked once for each text, unless one is given."""
        if not self._exact:
            return await self._chat.count(texts)
        model = await self._known()
        return await asyncio.gather(*(self._counted(model.name, text) for text in texts))

    async def stream(self, asked: Completion) -> AsyncGenerator[str | Finish]:
        """As OpenAI's API has it."""
        model = await self._known()
        async with aclosing(model.stream(asked)) as told:
            async for piece in told:
                yield piece

    async def _known(self) -> OpenAIModel:
        """The model by its name and window, which the server is asked for until it answers."""
        async with self._learning:
            if not self._learnt:
                await self._learn()
        return self._chat

    async def _learn(self) -> None:
        card = await self._card()
        window = self._served.window or card.max_model_len or CAUTIOUS
        self._chat = OpenAIModel(
            self._client,
            replace(self._served, name=card.id, window=window),
            count=self.count if self._exact else None,
        )
        self._learnt = True

    async def _card(self) -> _Card:
        with translated(self._server):
            told = _Models.model_validate_json(await self._told("GET", "/v1/models"))
        wanted = self._served.name
        for card in told.data:
            if wanted in {"", card.id}:
                return card
        raise Misconfigured(f"{self._server} has no model '{wanted}'")

    async def _counted(self, name: str, text: str) -> int:
        digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
        found = self._counts.get(digest)
        if found is None:
            async with self._turns:
                found = await self._tokenized(name, text)
            if len(self._counts) >= REMEMBERED:
                del self._counts[next(iter(self._counts))]
            self._counts[digest] = found
        return found

    async def _tokenized(self, name: str, text: str) -> int:
        body = {"model": name, "prompt": text, "add_special_tokens": False}
        with translated(self._server):
            return _Tokens.model_validate_json(await self._told("POST", "/tokenize", body)).count

    async def _told(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> bytes:
        with translated(self._server):
            response = await self._http.request(method, path, json=body, timeout=ASK_S)
            if not response.is_success:
                wait = response.headers.get("retry-after")
                raise refused(self._server, response.status_code, response.text, wait)
        return response.content


class _Card(BaseModel):
    id: str
    max_model_len: int | None = Field(default=None, gt=0)


class _Models(BaseModel):
    data: list[_Card]


class _Tokens(BaseModel):
    count: int = Field(ge=0)


@asynccontextmanager
async def open_vllm(
    served: Served,
    *,
    base_url: str,
    api_key: str | None,
    headers: Mapping[str, str] | None = None,
    exact: bool = True,
) -> AsyncIterator[VllmModel]:
    """A client of the server at `base_url`, with `/v1` or without; closed at the end."""
    root = base_url.rstrip("/").removesuffix("/v1")
    told = {**({"Authorization": f"Bearer {api_key}"} if api_key else {}), **(headers or {})}
    async with connected(served.patience, root, told) as http:
        client = sdk(http, base_url=f"{root}/v1", api_key=api_key, headers=headers)
        yield VllmModel(client, http, served, exact=exact)
