"""Options of each kind of generator, joined by `kind`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, HttpUrl, model_validator

from orchestrator.settings.base import Options, SentSecret
from orchestrator.settings.resilience import ResilienceOptions


class MockGeneratorOptions(Options):
    """A template."""

    kind: Literal["mock"]


class ExtractiveGeneratorOptions(Options):
    """Quotes of about `words` words; `evidence`, in [0, 1], is what an answer takes.

    `embedder` names the one by which sentences are compared; without, only words count.
    """

    kind: Literal["extractive"]
    embedder: str | None = "default"
    words: int = Field(default=30, ge=10, le=200, description="of an answer, on average")
    sentences: int = Field(default=4, ge=1, le=10, description="quoted at most")
    evidence: float = Field(default=0.5, ge=0, le=1)


class ModelOptions(Options, ResilienceOptions):
    """What is chosen of every language model on a server; times are in seconds.

    Tokens are counted by a `tokenizer` file (tokenizer.json) if there is one.
    """

    api_key: SentSecret | None = None
    headers: dict[str, SentSecret] = Field(default={}, description="sent with every request")
    tokenizer: Path | None = None
    window: int | None = Field(default=None, ge=256, description="of prompt and answer, in tokens")
    max_tokens: int = Field(default=512, ge=1, le=100_000, description="of an answer")
    temperature: float = Field(default=0.0, ge=0, le=2)
    connect_s: float = Field(default=3.0, gt=0)

    @model_validator(mode="after")
    def _room_for_a_prompt(self) -> Self:
        if self.window is not None and self.max_tokens >= self.window:
            raise ValueError(
                f"max_tokens ({self.max_tokens}) leaves no room in the window ({self.window})"
            )
        return self


class OpenAIGeneratorOptions(ModelOptions):
    """A model behind OpenAI's chat completions API at `base_url`, its own or any other's.

    `limit_field` is what the server calls the most tokens to write; `extra` is laid over each
    request, and leaves out what is null there.
    """

    kind: Literal["openai"]
    model: str = Field(min_length=1)
    base_url: HttpUrl = HttpUrl("https://api.openai.com/v1")
    organization: str | None = None
    project: str | None = None
    window: int = Field(default=8192, ge=256)
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    extra: dict[str, Any] = Field(default={})


class VllmGeneratorOptions(ModelOptions):
    """A vLLM server at `base_url`; it tells its model, window and counts of tokens if not chosen.

    `extra` is laid over each request.
    """

    kind: Literal["vllm"]
    base_url: HttpUrl = HttpUrl("http://127.0.0.1:8000")
    model: str | None = Field(default=None, min_length=1)
    extra: dict[str, Any] = Field(default={})


Tensor: TypeAlias = Literal[
    "text_input",
    "text_output",
    "stream",
    "max_tokens",
    "temperature",
    "stop",
    "guide_type",
    "guide",
    "sampling",
    "without_prompt",
    "tell_reason",
    "tell_read",
    "tell_written",
    "reason",
    "read",
    "written",
]


class TritonGeneratorOptions(ModelOptions):
    """A model of a Triton server at `base_url`, in the `backend` of TensorRT-LLM or of vLLM.

    `template` makes one text of what was said. `tensors` renames what has another name there, by
    its use; a tensor with an empty name is not used.
    """

    kind: Literal["triton"]
    base_url: HttpUrl = HttpUrl("http://127.0.0.1:8000")
    model: str = Field(default="ensemble", pattern=r"^[\w.-]+$")
    backend: Literal["tensorrt-llm", "vllm"] = "tensorrt-llm"
    template: Literal["plain", "chatml", "llama-3", "mistral", "gemma"] = "plain"
    window: int = Field(default=8192, ge=256)
    tensors: dict[Tensor, str] = Field(default={})


class LiteLLMGeneratorOptions(ModelOptions):
    """A model of any provider that litellm knows, under its name there: `bedrock/…`, `azure/…`.

    Credentials that are not given are taken from where the provider's own tools find them. `extra`
    is handed to litellm. Without a `window`, litellm's list of models is asked.
    """

    kind: Literal["litellm"]
    model: str = Field(min_length=1)
    base_url: HttpUrl | None = None
    extra: dict[str, Any] = Field(default={})


GeneratorOptions: TypeAlias = Annotated[
    MockGeneratorOptions
    | ExtractiveGeneratorOptions
    | OpenAIGeneratorOptions
    | VllmGeneratorOptions
    | TritonGeneratorOptions
    | LiteLLMGeneratorOptions,
    Field(discriminator="kind"),
]
LanguageOptions: TypeAlias = (
    OpenAIGeneratorOptions | VllmGeneratorOptions | TritonGeneratorOptions | LiteLLMGeneratorOptions
)
