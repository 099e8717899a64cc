"""Models of the providers that litellm knows."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import openai

from adapters.generator import chat
from adapters.generator.counting import Counter, counted
from adapters.generator.hearing import Hearing
from adapters.generator.refusing import Filtered, refused
from adapters.generator.waiting import Patience, Waiting
from orchestrator.domain.errors import Misconfigured, TooLarge, Unavailable
from orchestrator.ports.language import Completion, Finish

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else importing it asks GitHub
os.environ.setdefault("LITELLM_LOG", "ERROR")

import litellm  # it reads the environment when it is imported

litellm.telemetry = False
litellm.suppress_debug_info = True  # it prints into the output otherwise
litellm.turn_off_message_logging = True
litellm.drop_params = True  # what a provider does not know is not sent to it


@dataclass(frozen=True, slots=True)
class Provided:
    """A provider's model, under its name in litellm; `extra` is handed to litellm as it is."""

    name: str
    window: int | None
    counter: Counter
    patience: Patience
    base_url: str | None
    api_key: str | None
    headers: Mapping[str, str]
    extra: Mapping[str, Any]


class LiteLLMModel:
    """`orchestrator.ports.language.LanguageModel` through litellm; it tries nothing twice.

    Raises:
        Misconfigured: when neither the options nor litellm know the model's window.
    """

    def __init__(self, provided: Provided) -> None:
        self._provided = provided
        self._server = f"the model '{provided.name}'"
        self.name = provided.name
        self.window = provided.window or _window(provided.name)

    async def count(self, texts: Sequence[str]) -> Sequence[int]:
        """By the tokenizer that was configured, else by a guess on the safe side."""
        return await counted(self._provided.counter, texts)

    async def stream(self, asked: Completion) -> AsyncGenerator[str | Finish]:
        """One request to the provider, in the protocol that it has."""
        hearing = Hearing(self._server)
        patience = self._provided.patience
        try:
            with _translated(self._server), Waiting(self._server, patience) as waiting:
                told = await waiting.of(litellm.acompletion(**self._asked(asked)))
                try:
                    while (chunk := await waiting.of(anext(told, None))) is not None:
                        if text := _heard(hearing, chunk):
                            waiting.heard()
                            yield text
                finally:
                    await told.aclose()
                if not hearing.said:
                    raise Unavailable(self._server, chat.NONE)  # litellm makes up an end for it
        except Filtered:
            hearing.reason = "content_filter"
        yield await hearing.finish(asked, self.count)

    def _asked(self, asked: Completion) -> dict[str, Any]:
        provided = self._provided
        return {
            "model": provided.name,
            "messages": chat.messages(asked),
            "stream": True,
            "api_base": provided.base_url,
            "api_key": provided.api_key,
            "extra_headers": dict(provided.headers) or None,
            "timeout": httpx.Timeout(None, connect=provided.patience.connect_s),
            "num_retries": 0,
            "max_retries": 0,
            **chat.limits(asked, limit_field="max_tokens", extra=provided.extra),
        }


def _heard(hearing: Hearing, chunk: Any) -> str:
    if cost := getattr(chunk, "usage", None):
        hearing.cost(getattr(cost, "prompt_tokens", None), getattr(cost, "completion_tokens", None))
    said = ""
    for choice in chunk.choices:
        said += hearing.text(choice.delta.content)
        if choice.finish_reason:
            hearing.ended(choice.finish_reason)
    return said


def _window(name: str) -> int:
    try:
        known = litellm.get_model_info(name).get("max_input_tokens")
    except Exception as error:  # the library raises no narrower class
        raise Misconfigured(f"the window of '{name}' is not known: say it as `window`") from error
    if not known:
        raise Misconfigured(f"the window of '{name}' is not known: say it as `window`")
    return int(known)


@contextmanager
def _translated(server: str) -> Iterator[None]:
    """All its errors are those of OpenAI's SDK, or of classes below them."""
    try:
        yield
    except litellm.ContextWindowExceededError as error:
        raise TooLarge(f"the prompt is too long for {server}") from error
    except litellm.ContentPolicyViolationError as error:
        raise Filtered from error
    except openai.APIError as error:
        status = getattr(error, "status_code", 500)
        raise refused(server, status, str(error), _wait(error)) from error
    except (openai.OpenAIError, httpx.HTTPError, ValueError) as error:
        raise Unavailable(server, chat.NONE) from error


def _wait(error: openai.APIError) -> str | None:
    response = getattr(error, "response", None)
    told = getattr(error, "litellm_response_headers", None) or getattr(response, "headers", {})
    wait = told.get("retry-after")
    return str(wait) if wait else None
