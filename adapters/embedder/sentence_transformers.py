"""Any model of the sentence-transformers library, on torch: its own pooling, prompts and limits."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from sentence_transformers import SentenceTransformer

from adapters.embedder.asked import Asked
from adapters.embedder.tokens import Spans, counter_of
from adapters.embedder.unit import unit_vectors
from adapters.weights import digest_of, folder_of
from orchestrator.domain.errors import Misconfigured
from orchestrator.ports.arrays import Vector, Vectors


@dataclass(frozen=True, slots=True)
class Chosen:
    """A model, by folder or name, and how it is run; what is None is as the model has it."""

    model: str
    revision: str | None = None
    device: str | None = None
    batch: int = 32
    query_prompt: str | None = None
    passage_prompt: str | None = None
    max_tokens: int | None = None
    dimension: int | None = None


class SentenceTransformersEmbedder:
    """`orchestrator.ports.embedder.Embedder`; one thread, as the tokenizers bear no more.

    Documents go through it batch by batch, so that a question waits for one batch at most.
    """

    def __init__(
        self, model: SentenceTransformer, chosen: Chosen, *, weights: str, dimension: int
    ) -> None:
        passage = _prompt(model, chosen.passage_prompt, "document", "passage")
        self._model: Any = model
        self._batch = chosen.batch
        self._passage = passage
        self._query = _prompt(model, chosen.query_prompt, "query")
        self._counter = counter_of(model.tokenizer.backend_tokenizer)
        self._name = f"the model '{chosen.model}'"
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embed")
        self._asked = Asked()
        limit = int(model.max_seq_length)
        made = f"{weights}\0{passage}\0{limit}"
        self.digest = f"sentence-transformers:{hashlib.sha256(made.encode()).hexdigest()}"
        self.dimension = dimension
        self.max_tokens = limit - len(self._counter(passage))

    def close(self) -> None:
        """Let the thread finish what it is at."""
        self._thread.shutdown(cancel_futures=True)

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Batches of like length, so that little is padding; given back in the order asked."""
        vectors = np.empty((len(texts), self.dimension), np.float32)
        order = sorted(range(len(texts)), key=lambda at: -len(texts[at]))
        for start in range(0, len(order), self._batch):
            places = order[start : start + self._batch]
            batch = [texts[at] for at in places]
            vectors[places] = await self._run(batch, self._passage)
        return vectors

    async def embed_query(self, text: str) -> Vector:
        """One text, below the prompt of questions; the last ones are remembered."""
        return await self._asked.vector(text, self._embed_one)

    def token_spans(self, text: str) -> Spans:
        """Offsets of the model's own tokens, however many there are."""
        return self._counter(text)

    async def _embed_one(self, text: str) -> Vector:
        vector: Vector = (await self._run([text], self._query))[0]
        return vector

    async def _run(self, texts: Sequence[str], prompt: str) -> Vectors:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._encode, texts, prompt)

    def _encode(self, texts: Sequence[str], prompt: str) -> Vectors:
        given = self._model.encode(
            list(texts), prompt=prompt, batch_size=self._batch, show_progress_bar=False
        )
        return unit_vectors(given, len(texts), self.dimension, self._name)


@asynccontextmanager
async def open_sentence_transformers(
    chosen: Chosen,
) -> AsyncIterator[SentenceTransformersEmbedder]:
    """Load the model from this machine.

    Raises:
        Misconfigured: when it is not there, is damaged, or is not of the dimension that was said.
    """
    embedder = await asyncio.to_thread(_load, chosen)
    try:
        yield embedder
    finally:
        embedder.close()


def _load(chosen: Chosen) -> SentenceTransformersEmbedder:
    folder = folder_of(chosen.model, chosen.revision)
    model = _read(folder, chosen)
    if chosen.max_tokens:
        model.max_seq_length = chosen.max_tokens
    if not model.max_seq_length:
        raise Misconfigured(f"the model '{chosen.model}' states no limit: set `max_tokens`")
    dimension = _dimension(model, chosen)
    return SentenceTransformersEmbedder(
        model, chosen, weights=digest_of(folder), dimension=dimension
    )


def _dimension(model: Any, chosen: Chosen) -> int:
    """The dimension of what it makes of as long a text as it reads."""
    limit = model.max_seq_length
    try:
        (vector,) = model.encode(["word " * limit], show_progress_bar=False)
    except (IndexError, RuntimeError) as error:  # positions that the model does not have
        raise Misconfigured(
            f"the model '{chosen.model}' does not read {limit} tokens: {error}"
        ) from error
    if chosen.dimension not in {None, len(vector)}:
        raise Misconfigured(
            f"the model '{chosen.model}' is of {len(vector)} dimensions, not of {chosen.dimension}"
        )
    return len(vector)


def _read(folder: Path, chosen: Chosen) -> SentenceTransformer:
    try:
        return SentenceTransformer(str(folder), device=chosen.device, local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise Misconfigured(f"the model '{chosen.model}' cannot be loaded: {error}") from error


def _prompt(model: SentenceTransformer, chosen: str | None, *names: str) -> str:
    """The prompt that was chosen, else the model's own of one of these names."""
    own = (model.prompts[name] for name in names if model.prompts.get(name))
    return chosen if chosen is not None else next(own, "")
