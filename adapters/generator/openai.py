"""Any server of the chat completions API that OpenAI began, by its SDK."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, cast
from urllib.parse import urlsplit

import httpx
import openai

from adapters.generator import chat
from adapters.generator.connecting import connected
from adapters.generator.counting import Counter, counted
from adapters.generator.hearing import Count, Hearing, pieces
from adapters.generator.refusing import Filtered, refused
from adapters.generator.waiting import Patience, Waiting
from orchestrator.domain.errors import Misconfigured, Unavailable
from orchestrator.ports.language import Completion, Finish

EVENTS: Final = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Served:
    """A model on a server, and how it is asked.

    `limit_field` is the name under which it takes the most tokens to write; `extra` is laid over
    what is sent, and what is None there is not sent.
    """

    name: str
    window: int
    counter: Counter
    patience: Patience
    limit_field: str = "max_tokens"
    extra: Mapping[str, Any] = field(default_factory=dict)


class OpenAIModel:
    """`orchestrator.ports.language.LanguageModel` over HTTP; it tries nothing twice.

    `count` stands in for its own counting where somebody knows better.
    """

    def __init__(
        self, client: openai.AsyncOpenAI, served: Served, *, count: Count | None = None
    ) -> None:
        self._client = client
        self._counts = count or self.count
        self._served = served
        self._server = f"the model at {urlsplit(str(client.base_url)).hostname}"
        self.name = served.name
        self.window = served.window

    async def count(self, texts: Sequence[str]) -> Sequence[int]:
        """By the tokenizer that was configured, else by a guess on the safe side."""
        return await counted(self._served.counter, texts)

    async def stream(self, asked: Completion) -> AsyncGenerator[str | Finish]:
        """One request; its events are read here, as they come."""
        hearing = Hearing(self._server)
        try:
            with translated(self._server), Waiting(self._server, self._served.patience) as waiting:
                async with AsyncExitStack() as stack:
                    received = await waiting.of(stack.enter_async_context(self._asked(asked)))
                    told = pieces(received, waiting, lambda event: chat.hear(hearing, event))
                    async for piece in await stack.enter_async_context(aclosing(told)):
                        yield piece
        except Filtered:
            hearing.reason = "content_filter"
        yield await hearing.finish(asked, self._counts)

    @asynccontextmanager
    async def _asked(self, asked: Completion) -> AsyncIterator[AsyncIterator[bytes]]:
        """What the server sends, until the block ends."""
        served = self._served
        async with self._client.chat.completions.with_streaming_response.create(
            model=served.name,
            messages=(),  # those of the body take their place: the SDK would look through each
            stream=True,
            extra_body={
                **chat.limits(asked, limit_field=served.limit_field, extra=served.extra),
                "messages": chat.messages(asked),
            },
        ) as response:
            if not response.headers.get("content-type", "").startswith(EVENTS):
                raise Unavailable(self._server, chat.NONE)
            yield response.iter_bytes()


@contextmanager
def translated(server: str) -> Iterator[None]:
    """The errors of the SDK, of HTTP and of what cannot be read, as errors of ours."""
    try:
        yield
    except openai.APIStatusError as error:
        wait = error.response.headers.get("retry-after")
        raise refused(server, error.status_code, error.response.text, wait) from error
    except httpx.LocalProtocolError as error:  # its message quotes the header, and so the key
        raise Misconfigured(f"{server} cannot be asked: {chat.UNSENT}") from error
    except (openai.APIConnectionError, httpx.HTTPError) as error:
        raise Unavailable(server, str(error) or type(error).__name__) from error
    except ValueError as error:  # its message may quote the answer
        raise Unavailable(server, chat.NONE) from error


@asynccontextmanager
async def open_openai(
    served: Served,
    *,
    base_url: str,
    api_key: str | None,
    organization: str | None = None,
    project: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> AsyncIterator[OpenAIModel]:
    """A client of the server, closed at the end; nothing is asked of it until it is used."""
    async with connected(served.patience) as http:
        client = sdk(
            http,
            base_url=base_url,
            api_key=api_key,
            organization=organization,
            project=project,
            headers=headers,
        )
        yield OpenAIModel(client, served)


def sdk(
    http: httpx.AsyncClient,
    *,
    base_url: str,
    api_key: str | None,
    organization: str | None = None,
    project: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> openai.AsyncOpenAI:
    """The SDK over this client; whether something is tried again is decided elsewhere."""
    return openai.AsyncOpenAI(
        base_url=base_url,
        api_key=api_key or "none",  # never one of the environment: it is another server's
        organization=organization,
        project=project,
        default_headers=headers,
        timeout=cast("Any", http.timeout),
        max_retries=0,
        http_client=cast("Any", http),
    )
