"""What chat completions look like: OpenAI's shape, and what stands beside it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from orchestrator.domain.answers import MAX_TOP_K, Answer, Meta, Query, Source, Turn, query_text
from orchestrator.domain.context import trace_id
from orchestrator.domain.errors import Rejected
from orchestrator.domain.filters import parse_filter
from orchestrator.domain.identity import Principal, Scope
from orchestrator.http.schemas import Name

MAX_TURNS: Final = 100
"""So many messages before the question are passed on, the newest."""
_MARKER: Final = re.compile(r"\[(\d{1,6})\]")
_WEB: Final = ("http://", "https://")

Ignored = Annotated[Any, Field(None, description="Taken, and not used.")]


def _only(*neutral: Any) -> Callable[[Any], Any]:
    def check(given: Any) -> Any:
        if given is not None and given not in neutral:
            raise ValueError("this service does not do that; leave it out")
        return given

    return check


class Unused(BaseModel):
    """OpenAI's parameters that change nothing here, and those that are refused if they would."""

    frequency_penalty: Ignored
    max_completion_tokens: Ignored
    max_tokens: Ignored
    metadata: Ignored
    parallel_tool_calls: Ignored
    presence_penalty: Ignored
    prompt_cache_key: Ignored
    prompt_cache_options: Ignored
    prompt_cache_retention: Ignored
    reasoning_effort: Ignored
    safety_identifier: Ignored
    seed: Ignored
    service_tier: Ignored
    store: Ignored
    temperature: Ignored
    top_p: Ignored
    user: Ignored
    verbosity: Ignored

    audio: Annotated[Any, AfterValidator(_only())] = None
    function_call: Annotated[Any, AfterValidator(_only("none", "auto"))] = None
    functions: Annotated[Any, AfterValidator(_only([]))] = None
    logit_bias: Annotated[Any, AfterValidator(_only({}))] = None
    logprobs: Annotated[Any, AfterValidator(_only(False))] = None
    modalities: Annotated[Any, AfterValidator(_only(["text"]))] = None
    moderation: Annotated[Any, AfterValidator(_only())] = None
    n: Annotated[Any, AfterValidator(_only(1))] = None
    prediction: Annotated[Any, AfterValidator(_only())] = None
    response_format: Annotated[Any, AfterValidator(_only({"type": "text"}))] = None
    stop: Annotated[Any, AfterValidator(_only([]))] = None
    tool_choice: Annotated[Any, AfterValidator(_only("none", "auto"))] = None
    tools: Annotated[Any, AfterValidator(_only([]))] = None
    top_logprobs: Annotated[Any, AfterValidator(_only(0))] = None
    web_search_options: Annotated[Any, AfterValidator(_only())] = None


class Part(BaseModel):
    """A part of a message; only text is read."""

    type: Literal["text", "refusal"]
    text: str = ""
    refusal: str = ""


Parts = Annotated[
    list[Part],
    BeforeValidator(
        lambda given: [{"type": "text", "text": given}] if isinstance(given, str) else given or [],
        json_schema_input_type=str | list[Part] | None,
    ),
]


class ChatMessage(BaseModel):
    """Something said, and by whom; whatever else a client keeps of it is not read."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Parts = []

    @property
    def text(self) -> str:
        """Its parts, one a line."""
        return "\n".join(part.text or part.refusal for part in self.content)


class StreamOptions(BaseModel):
    """How a stream is to be."""

    model_config = ConfigDict(extra="forbid")

    include_usage: bool = Field(False, description="Whether a last chunk holds the usage.")
    include_obfuscation: Ignored


class CompletionRequest(Unused):
    """A conversation, of which the last message of the user is the question."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "model": "default",
                    "messages": [{"role": "user", "content": "How fast are refunds paid?"}],
                }
            ]
        },
    )

    model: Name = Field(description="A workspace, by its name.")
    messages: list[ChatMessage] = Field(
        min_length=1, description="Instructions of `system` and `developer` are not followed."
    )
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    top_k: int = Field(5, ge=1, le=MAX_TOP_K, description="How many passages at most.")
    filters: dict[str, Any] | None = Field(None, description="As `/v1/query` takes them.")

    def as_query(self, principal: Principal) -> Query:
        """The domain's query, asked by the principal.

        Raises:
            Rejected: when the last message is not a question of the user.
        """
        said = [one for one in self.messages if one.role in {"user", "assistant"}]
        if not said or said[-1].role != "user":
            raise Rejected(
                "the last message must be the user's question",
                code="invalid_request",
                field="messages",
            )
        history = [
            Turn("user" if one.role == "user" else "assistant", one.text)
            for one in said[:-1]
            if one.text
        ]
        filters = parse_filter(self.filters) if self.filters is not None else None
        return Query(
            query_text(said[-1].text),
            Scope(self.model, principal, filters),
            self.top_k,
            history=tuple(history[-MAX_TURNS:]),
        )


class UrlCitation(BaseModel):
    """A marker `[n]` in the answer: where it stands, and the source that it cites."""

    start_index: int = Field(description="In characters.")
    end_index: int = Field(description="The character behind it.")
    title: str
    url: str = Field(description="The source id where it is a URL, else the original file here.")
    number: int = Field(description="Of the source, from 1.")
    doc_id: str
    chunk_id: str
    source_id: str
    page: int | None
    section: str | None


class Annotation(BaseModel):
    """What is said of a span of the answer."""

    type: Literal["url_citation"] = "url_citation"
    url_citation: UrlCitation


class AssistantMessage(BaseModel):
    """The answer."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None
    annotations: list[Annotation]


Finish: TypeAlias = Literal["stop", "length", "content_filter"]


class Choice(BaseModel):
    """The one choice."""

    index: int = 0
    message: AssistantMessage
    finish_reason: Finish = "stop"
    logprobs: None = None


class CompletionUsage(BaseModel):
    """Tokens that the workspace's generator read and wrote; one without a model uses none."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int

    @classmethod
    def of(cls, answer: Answer) -> Self:
        """From the domain's answer."""
        read, wrote = answer.meta.usage.prompt_tokens, answer.meta.usage.completion_tokens
        return cls(prompt_tokens=read, completion_tokens=wrote, total_tokens=read + wrote)


class Rag(BaseModel):
    """What OpenAI's shape has no place for: as `/v1/query` answers it."""

    answerable: bool
    sources: tuple[Source, ...]
    meta: Meta

    @classmethod
    def of(cls, answer: Answer) -> Self:
        """From the domain's answer."""
        return cls.model_construct(
            answerable=answer.answerable, sources=answer.sources, meta=answer.meta
        )


class Completion(BaseModel):
    """An answer in OpenAI's shape."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: CompletionUsage
    rag: Rag

    @classmethod
    def of(cls, model: str, answer: Answer) -> Self:
        """From the domain's answer."""
        said = AssistantMessage(content=answer.answer, annotations=citations(answer))
        return cls.model_construct(
            id=completion_id(),
            object="chat.completion",
            created=int(time.time()),
            model=model,
            choices=[Choice(message=said, finish_reason=finish(answer))],
            usage=CompletionUsage.of(answer),
            rag=Rag.of(answer),
        )


class Model(BaseModel):
    """A workspace, as a model."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "rag-orchestrator"


class ModelList(BaseModel):
    """Every workspace."""

    object: Literal["list"] = "list"
    data: list[Model]


def completion_id() -> str:
    """The id of the current request's completion: its trace id."""
    return f"chatcmpl-{trace_id()}"


def finish(answer: Answer) -> Finish:
    """Why the answer ended, in OpenAI's words."""
    if "answer_cut_short" in answer.meta.degraded:
        return "length"
    return "content_filter" if "answer_filtered" in answer.meta.degraded else "stop"


def citations(answer: Answer) -> list[Annotation]:
    """The answer's citations, in the order in which they stand in it."""
    found = []
    for marker in _MARKER.finditer(answer.answer):
        number = int(marker[1])
        if 1 <= number <= len(answer.sources):
            cited = _citation(answer.sources[number - 1], number, marker.start(), marker.end())
            found.append(Annotation(url_citation=cited))
    return found


def _citation(source: Source, number: int, start: int, end: int) -> UrlCitation:
    """A relative URL says nothing of the host that the client asked."""
    web = source.source_id.startswith(_WEB)
    return UrlCitation(
        start_index=start,
        end_index=end,
        title=source.title,
        url=source.source_id if web else f"/v1/documents/{source.doc_id}/original",
        number=number,
        doc_id=source.doc_id,
        chunk_id=source.chunk_id,
        source_id=source.source_id,
        page=source.page,
        section=source.section,
    )
