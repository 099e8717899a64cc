"""A cross-encoder of the sentence-transformers library: it reads question and passage together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from safetensors import SafetensorError
from sentence_transformers import CrossEncoder
from torch.nn import Sigmoid

from adapters.reranker.judged import ranked, read_of
from adapters.weights import folder_of
from orchestrator.domain.answers import Query
from orchestrator.domain.errors import Misconfigured, Unavailable
from orchestrator.domain.passages import Passage


class CrossEncoderReranker:
    """`orchestrator.ports.reranker.Reranker`; a score is the logistic function of the model's.

    One thread, batch by batch: a request waits for no more than one batch of each before it.
    """

    def __init__(self, model: CrossEncoder, *, batch: int) -> None:
        self._model: Any = model
        self._batch = batch
        self._squash = Sigmoid()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rerank")

    def close(self) -> None:
        """Let the thread finish what it is at."""
        self._thread.shutdown(cancel_futures=True)

    async def rerank(
        self, query: Query, passages: Sequence[Passage], *, limit: int
    ) -> Sequence[Passage]:
        """Score every pair; passages of like length together, so that little is padding."""
        pairs = [(query.text, read_of(passage.chunk)) for passage in passages]
        order = sorted(range(len(pairs)), key=lambda at: -len(pairs[at][1]))
        scores, loop = [0.0] * len(pairs), asyncio.get_running_loop()
        for start in range(0, len(order), self._batch):
            places = order[start : start + self._batch]
            batch = [pairs[at] for at in places]
            found = await loop.run_in_executor(self._thread, self.score, batch)
            for at, score in zip(places, found, strict=True):
                scores[at] = score
        return ranked(passages, scores, limit=limit)

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """The pairs' scores in [0, 1]; blocks.

        Raises:
            Unavailable: when the model gives what is not a number.
        """
        found = self._model.predict(
            list(pairs),
            batch_size=self._batch,
            activation_fn=self._squash,
            show_progress_bar=False,
        )
        scores = [float(score) for score in found]
        if not all(0 <= score <= 1 for score in scores):
            raise Unavailable("the cross-encoder", "it gave a score that is not a number")
        return scores


@asynccontextmanager
async def open_cross_encoder(
    model: str,
    *,
    revision: str | None = None,
    device: str | None = None,
    batch: int = 16,
    max_tokens: int | None = None,
) -> AsyncIterator[CrossEncoderReranker]:
    """Load the model, a folder or a hub's name, from this machine.

    Raises:
        Misconfigured: when it is not there, is damaged, or does not give one score a pair.
    """
    loaded = await asyncio.to_thread(_load, model, revision, device, max_tokens)
    reranker = CrossEncoderReranker(loaded, batch=batch)
    try:
        yield reranker
    finally:
        reranker.close()


def _load(
    name: str, revision: str | None, device: str | None, max_tokens: int | None
) -> CrossEncoder:
    folder = folder_of(name, revision)
    try:
        model = CrossEncoder(
            str(folder), device=device, max_length=max_tokens, local_files_only=True
        )
        labels = int(model.num_labels)
        model.predict([("word", "word " * (max_tokens or 1))], show_progress_bar=False)
    except (OSError, ValueError, KeyError, IndexError, RuntimeError, SafetensorError) as error:
        raise Misconfigured(f"the cross-encoder '{name}' cannot be used: {error}") from error
    if labels != 1:
        raise Misconfigured(
            f"the model '{name}' gives {labels} scores a pair: a reranker gives one"
        )
    return model
