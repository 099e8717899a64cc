"""Opening generators and the language models that they ask: options of one `kind` to one of them.

Each adapter is imported inside its branch, so that a deployment loads only what it uses.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final, assert_never

from orchestrator.answering.generating import ModelGenerator
from orchestrator.answering.prompts import prompts
from orchestrator.domain.errors import Misconfigured
from orchestrator.ports.embedder import Embedder
from orchestrator.ports.generator import Generator
from orchestrator.ports.language import LanguageModel
from orchestrator.settings import generators as options
from orchestrator.settings.base import revealed
from orchestrator.settings.explain import did_you_mean
from orchestrator.settings.extras import extra as _extra

if TYPE_CHECKING:
    from adapters.generator.counting import Counter
    from adapters.generator.openai import Served
    from adapters.generator.triton import Deployed
    from adapters.generator.waiting import Patience

MOCK_DIGEST: Final = "mock-"
"""How the digests of mock embedders begin."""

# ruff: noqa: PLC0415  # imports belong in the branches here, see above


def open_generator(
    chosen: options.GeneratorOptions,
    embedders: Mapping[str, Embedder],
    model: LanguageModel | None = None,
) -> Generator:
    """A generator; it may use an embedder, or asks the language model, that is open already.

    Raises:
        Misconfigured: when it names an embedder that there is not.
    """
    match chosen:
        case options.MockGeneratorOptions():
            from adapters.generator.mock import MockGenerator

            return MockGenerator()
        case options.ExtractiveGeneratorOptions():
            from adapters.generator.extractive import ExtractiveGenerator

            if chosen.embedder is not None and chosen.embedder not in embedders:
                raise Misconfigured(
                    f"the extractive generator names embedder '{chosen.embedder}'"
                    f"{did_you_mean(chosen.embedder, embedders)}"
                )
            embedder = embedders[chosen.embedder] if chosen.embedder else None
            if embedder and embedder.digest.startswith(MOCK_DIGEST):
                embedder = None  # its vectors say nothing of meaning: only words count then
            return ExtractiveGenerator(
                words=chosen.words,
                sentences=chosen.sentences,
                evidence=chosen.evidence,
                embedder=embedder,
            )
        case (
            options.OpenAIGeneratorOptions()
            | options.VllmGeneratorOptions()
            | options.TritonGeneratorOptions()
            | options.LiteLLMGeneratorOptions()
        ):
            assert model is not None
            return ModelGenerator(
                model, prompts(), max_tokens=chosen.max_tokens, temperature=chosen.temperature
            )
    assert_never(chosen)


async def open_language_model(
    chosen: options.LanguageOptions, stack: AsyncExitStack
) -> LanguageModel:
    """A language model; no server is asked until it is used.

    Raises:
        Misconfigured: when its library is missing, or its tokenizer cannot be read.
    """
    match chosen:
        case options.OpenAIGeneratorOptions():
            with _extra("openai"):
                from adapters.generator.openai import open_openai

            return await stack.enter_async_context(
                open_openai(
                    _spoken(chosen, chosen.limit_field),
                    base_url=str(chosen.base_url),
                    api_key=revealed(chosen.api_key),
                    organization=chosen.organization,
                    project=chosen.project,
                    headers=_headers(chosen),
                )
            )
        case options.VllmGeneratorOptions():
            with _extra("openai"):
                from adapters.generator.vllm import open_vllm

            return await stack.enter_async_context(
                open_vllm(
                    _spoken(chosen),
                    base_url=str(chosen.base_url),
                    api_key=revealed(chosen.api_key),
                    headers=_headers(chosen),
                    exact=chosen.tokenizer is None,
                )
            )
        case options.TritonGeneratorOptions():
            from adapters.generator.triton import open_triton

            return await stack.enter_async_context(
                open_triton(
                    _deployed(chosen),
                    base_url=str(chosen.base_url),
                    api_key=revealed(chosen.api_key),
                    headers=_headers(chosen),
                )
            )
        case options.LiteLLMGeneratorOptions():
            with _extra("litellm"):
                from adapters.generator.litellm import LiteLLMModel, Provided

            return LiteLLMModel(
                Provided(
                    name=chosen.model,
                    window=chosen.window,
                    counter=_counter(chosen),
                    patience=_patience(chosen),
                    base_url=str(chosen.base_url) if chosen.base_url else None,
                    api_key=revealed(chosen.api_key),
                    headers=_headers(chosen),
                    extra=chosen.extra,
                )
            )
    assert_never(chosen)


def _spoken(
    chosen: options.OpenAIGeneratorOptions | options.VllmGeneratorOptions,
    limit_field: str = "max_tokens",
) -> Served:
    from adapters.generator.openai import Served

    return Served(
        name=chosen.model or "",
        window=chosen.window or 0,
        counter=_counter(chosen),
        patience=_patience(chosen),
        limit_field=limit_field,
        extra=chosen.extra,
    )


def _deployed(chosen: options.TritonGeneratorOptions) -> Deployed:
    from adapters.generator.triton import TENSORS, Deployed

    renamed = {str(use): name for use, name in chosen.tensors.items()}
    return Deployed(
        name=chosen.model,
        window=chosen.window,
        counter=_counter(chosen),
        patience=_patience(chosen),
        backend=chosen.backend,
        tensors={**TENSORS[chosen.backend], **renamed},
        template=chosen.template,
    )


def _counter(chosen: options.ModelOptions) -> Counter:
    from adapters.generator.counting import guessed, read_counter

    return read_counter(chosen.tokenizer) if chosen.tokenizer else guessed


def _patience(chosen: options.ModelOptions) -> Patience:
    from adapters.generator.waiting import Patience

    return Patience(chosen.connect_s, chosen.first_token_s, chosen.idle_s)


def _headers(chosen: options.ModelOptions) -> Mapping[str, str]:
    return {name: value.get_secret_value() for name, value in chosen.headers.items()}
