"""A Triton server's `generate_stream`: the backends of TensorRT-LLM and of vLLM."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import httpx
from pydantic import TypeAdapter

from adapters.generator.chat import UNSENT
from adapters.generator.connecting import connected
from adapters.generator.counting import Counter, counted
from adapters.generator.hearing import Hearing, pieces
from adapters.generator.refusing import refused
from adapters.generator.templates import Template, prompt
from adapters.generator.waiting import Patience, Waiting
from orchestrator.domain.answers import Usage
from orchestrator.domain.errors import Misconfigured, Unavailable
from orchestrator.ports.language import Completion, Finish

Backend: TypeAlias = Literal["tensorrt-llm", "vllm"]
NONE: Final = "it does not answer with a completion"
PING_S: Final = 5.0
TENSORS: Final[Mapping[Backend, Mapping[str, str]]] = {
    "tensorrt-llm": {
        "text_input": "text_input",
        "text_output": "text_output",
        "stream": "stream",
        "max_tokens": "max_tokens",
        "temperature": "temperature",
        "stop": "stop_words",
        "guide_type": "guided_decoding_guide_type",
        "guide": "guided_decoding_guide",
    },
    "vllm": {
        "text_input": "text_input",
        "text_output": "text_output",
        "stream": "stream",
        "sampling": "sampling_parameters",
        "without_prompt": "exclude_input_in_output",
        "tell_reason": "return_finish_reason",
        "tell_read": "return_num_input_tokens",
        "tell_written": "return_num_output_tokens",
        "reason": "finish_reason",
        "read": "num_input_tokens",
        "written": "num_output_tokens",
    },
}
"""What each tensor is for, and its name, as the backends' own models have it."""
_OBJECT: Final = TypeAdapter(dict[str, Any])


@dataclass(frozen=True, slots=True)
class Deployed:
    """A model in Triton's repository, and how it is asked; `tensors` are named by their use."""

    name: str
    window: int
    counter: Counter
    patience: Patience
    backend: Backend
    tensors: Mapping[str, str]
    template: Template


class TritonModel:
    """`orchestrator.ports.language.LanguageModel` over HTTP: one text in, pieces out."""

    def __init__(self, client: httpx.AsyncClient, deployed: Deployed) -> None:
        self._client = client
        self._deployed = deployed
        self._server = f"the model at {client.base_url.host}"
        self.name = deployed.name
        self.window = deployed.window

    async def ping(self) -> None:
        """Ask whether the model is ready."""
        with self._translated():
            response = await self._client.get(f"{self._path}/ready", timeout=PING_S)
        if not response.is_success:
            raise Unavailable(self._server, f"'{self.name}' is not ready")

    async def count(self, texts: Sequence[str]) -> Sequence[int]:
        """By the tokenizer that was configured, else by a guess on the safe side."""
        return await counted(self._deployed.counter, texts)

    async def stream(self, asked: Completion) -> AsyncGenerator[str | Finish]:
        """One request; where the backend does not say why it ended, its answers are counted."""
        hearing = Hearing(self._server)
        answer = _Answer(hearing, self._deployed.tensors)
        with self._translated(), Waiting(self._server, self._deployed.patience) as waiting:
            async with AsyncExitStack() as stack:
                received = await waiting.of(stack.enter_async_context(self._asked(asked)))
                told = pieces(received, waiting, answer.hear)
                async for piece in await stack.enter_async_context(aclosing(told)):
                    yield piece
        if answer.responses and not self._deployed.tensors.get("reason"):
            hearing.ended("length" if answer.responses >= asked.max_tokens else "stop")
        yield await hearing.finish(asked, self.count)

    @property
    def _path(self) -> str:
        return f"/v2/models/{self.name}"

    @asynccontextmanager
    async def _asked(self, asked: Completion) -> AsyncIterator[AsyncIterator[bytes]]:
        """What the server sends, until the block ends."""
        path, body = f"{self._path}/generate_stream", self._body(asked)
        async with self._client.stream("POST", path, json=body) as response:
            if not response.is_success:
                told = (await response.aread()).decode(errors="replace")
                wait = response.headers.get("retry-after")
                raise _refused(self._server, response.status_code, told, wait)
            if not response.headers.get("content-type", "").startswith("text/event-stream"):
                raise Unavailable(self._server, NONE)
            yield response.aiter_bytes()

    def _body(self, asked: Completion) -> Mapping[str, Any]:
        """The inputs, under the names that they have there; those without a name are not sent."""
        backend, tensors = self._deployed.backend, self._deployed.tensors
        inputs: dict[str, Any] = {
            "text_input": prompt(asked, self._deployed.template),
            "stream": True,
            **(_sampled(asked) if backend == "vllm" else _flat(asked)),
        }
        return {tensors[use]: value for use, value in inputs.items() if tensors.get(use)}

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except httpx.LocalProtocolError as error:  # its message quotes the header, and so the key
            raise Misconfigured(f"{self._server} cannot be asked: {UNSENT}") from error
        except httpx.HTTPError as error:
            raise Unavailable(self._server, str(error) or type(error).__name__) from error
        except ValueError as error:  # its message may quote the answer
            raise Unavailable(self._server, NONE) from error


class _Answer:
    """One answer, out of its events."""

    def __init__(self, hearing: Hearing, tensors: Mapping[str, str]) -> None:
        self.responses = 0
        self._hearing = hearing
        self._tensors = tensors

    def hear(self, event: bytes) -> str:
        """The text of one event."""
        told = _OBJECT.validate_json(event)
        if "error" in told:
            raise _refused(self._hearing.server, 500, str(told["error"]))
        text = told.get(self._tensors["text_output"])
        if not isinstance(text, str):
            raise Unavailable(self._hearing.server, NONE)
        self.responses += bool(text)
        self._cost(told)
        reason = told.get(self._tensors.get("reason", ""))
        if reason not in {None, "", "None"}:
            self._hearing.ended(str(reason))
        return self._hearing.text(text)

    def _cost(self, told: Mapping[str, Any]) -> None:
        read, written = (told.get(self._tensors.get(use, "")) for use in ("read", "written"))
        if isinstance(written, int):
            before = self._hearing.usage or Usage()
            self._hearing.cost(read, before.completion_tokens + written)


def _flat(asked: Completion) -> dict[str, Any]:
    """A tensor for each choice; a temperature of 0 is what greedy decoding is there by default."""
    told: dict[str, Any] = {"max_tokens": asked.max_tokens}
    if asked.temperature:
        told["temperature"] = asked.temperature
    if asked.stop:
        told["stop"] = list(asked.stop)
    if asked.schema is not None:
        told |= {"guide_type": "json_schema", "guide": json.dumps(dict(asked.schema))}
    return told


def _sampled(asked: Completion) -> dict[str, Any]:
    """All choices as one JSON text."""
    sampling: dict[str, Any] = {"max_tokens": asked.max_tokens, "temperature": asked.temperature}
    if asked.stop:
        sampling["stop"] = list(asked.stop)
    if asked.schema is not None:
        sampling["structured_outputs"] = json.dumps({"json": dict(asked.schema)})
    told = dict.fromkeys(("without_prompt", "tell_reason", "tell_read", "tell_written"), True)
    return {"sampling": json.dumps(sampling), **told}


def _refused(server: str, status: int, told: str, wait: str | None = None) -> Exception:
    if "unknown model" in told:
        return Misconfigured(f"{server} has no such model")
    return refused(server, status, told, wait)


@asynccontextmanager
async def open_triton(
    deployed: Deployed,
    *,
    base_url: str,
    api_key: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> AsyncIterator[TritonModel]:
    """A client of the server, closed at the end; nothing is asked of it until it is used."""
    told = {**({"Authorization": f"Bearer {api_key}"} if api_key else {}), **(headers or {})}
    async with connected(deployed.patience, base_url.rstrip("/"), told) as client:
        yield TritonModel(client, deployed)
