"""all-MiniLM-L6-v2 on ONNX Runtime: a graph without weights, fed from the published tensors."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read when it is imported
import onnxruntime as ort
from safetensors import SafetensorError
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from adapters.embedder.asked import Asked
from adapters.embedder.pulling import TOKENIZER, WEIGHTS, WEIGHTS_SHA256
from orchestrator.domain.errors import Misconfigured
from orchestrator.ports.arrays import Vector, Vectors

GRAPH: Final = Path(__file__).with_name("minilm.onnx")
DIMENSION: Final = 384
MAX_TOKENS: Final = 256
BATCH_TOKENS: Final = 256
"""Texts of one batch, padded to the longest, hold at most so many tokens."""
SPIN_US: Final = 50
"""So long the second thread of a question is awake for its next part."""
Weights: TypeAlias = dict[str, Any]
"""Tensors, as ONNX Runtime holds them, by their names in the graph."""
UNUSED: Final = ("pooler.", "embeddings.position_ids")


class OnnxEmbedder:
    """`orchestrator.ports.embedder.Embedder`; questions do not queue behind documents.

    Each of the `threads` runs a batch of documents, which scales better than all of them at one;
    a question is computed by two, in a session of its own that the first one opens.
    """

    def __init__(
        self, weights: Weights, tokenizer: Tokenizer, counter: Tokenizer, threads: int
    ) -> None:
        self._weights = weights
        self._session = _session(weights, 1)
        self._tokenizer = tokenizer
        self._counter = counter
        self._callers = threads
        self._documents = ThreadPoolExecutor(self._callers, thread_name_prefix="embed-documents")
        self._asked = Asked()
        self._questions = ThreadPoolExecutor(1, thread_name_prefix="embed-questions")
        self.digest = WEIGHTS_SHA256
        self.dimension = DIMENSION
        self.max_tokens = MAX_TOKENS

    def close(self) -> None:
        """Let the threads finish what they are at."""
        self._documents.shutdown(cancel_futures=True)
        self._questions.shutdown(cancel_futures=True)

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Batches of like length, so that little is padding; given back in the order asked."""
        loop = asyncio.get_running_loop()
        tokens = await loop.run_in_executor(self._documents, self._tokenized, texts)
        lengths = [len(ids) for ids in tokens]
        share = -(-sum(lengths) // self._callers)  # few texts are shared out, not put into one
        vectors = np.empty((len(tokens), DIMENSION), np.float32)

        def fill(batch: list[int]) -> None:
            vectors[batch] = _run(self._session, [tokens[at] for at in batch])

        batches = _batches(lengths, min(BATCH_TOKENS, share))
        await asyncio.gather(*(loop.run_in_executor(self._documents, fill, one) for one in batches))
        return vectors

    async def embed_query(self, text: str) -> Vector:
        """One text, on a thread of its own; the last ones are remembered."""
        return await self._asked.vector(text, self._questioned)

    def token_spans(self, text: str) -> Sequence[tuple[int, int]]:
        """Offsets of the model's own word pieces, however many there are."""
        encoding = self._counter.encode(text, add_special_tokens=False)
        spans: Sequence[tuple[int, int]] = encoding.offsets
        return spans

    def _tokenized(self, texts: Sequence[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts))]

    async def _questioned(self, text: str) -> Vector:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._questions, self._embed_one, text)

    def _embed_one(self, text: str) -> Vector:
        vector: Vector = _run(self._asking, self._tokenized([text]))[0]
        return vector

    @cached_property
    def _asking(self) -> ort.InferenceSession:
        return _session(self._weights, min(self._callers, 2))


@asynccontextmanager
async def open_onnx(folder: Path, *, threads: int) -> AsyncIterator[OnnxEmbedder]:
    """Load the model from its folder; `threads` of 0 is one for each core.

    Raises:
        Misconfigured: when the model is not there, or not whole.
    """
    embedder = await asyncio.to_thread(_load, folder, threads)
    try:
        yield embedder
    finally:
        embedder.close()


def _load(folder: Path, threads: int) -> OnnxEmbedder:
    try:
        weights = load_file(folder / WEIGHTS)
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        counter = Tokenizer.from_file(str(folder / TOKENIZER))
    except FileNotFoundError:
        raise Misconfigured(
            f"the embedding model is not in '{folder}': fetch it with `rag models pull`"
        ) from None
    except (SafetensorError, ValueError, OSError) as error:
        raise Misconfigured(f"the embedding model in '{folder}' is damaged: {error}") from error
    for one in (tokenizer, counter):
        one.no_padding()  # the published file pads and truncates to 128
        one.no_truncation()
    tokenizer.enable_truncation(MAX_TOKENS)
    threads = threads or len(os.sched_getaffinity(0))
    values = {
        name: ort.OrtValue.ortvalue_from_numpy(tensor)
        for name, tensor in weights.items()
        if not name.startswith(UNUSED)
    }
    return OnnxEmbedder(values, tokenizer, counter, threads)


def _run(session: ort.InferenceSession, tokens: Sequence[Sequence[int]]) -> Vectors:
    longest = max(map(len, tokens))
    ids = np.zeros((len(tokens), longest), np.int64)
    mask = np.zeros_like(ids)
    for row, one in enumerate(tokens):
        ids[row, : len(one)] = one
        mask[row, : len(one)] = 1
    vectors: Vectors = session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
    return vectors


def _session(weights: Weights, threads: int) -> ort.InferenceSession:
    chosen = ort.SessionOptions()
    chosen.intra_op_num_threads = threads
    chosen.inter_op_num_threads = 1
    chosen.add_session_config_entry("session.intra_op.spin_duration_us", str(SPIN_US))
    # More than this would fuse additions into normalisations, which is slower on a CPU.
    chosen.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    chosen.add_external_initializers(list(weights), list(weights.values()))
    return ort.InferenceSession(GRAPH.read_bytes(), chosen, providers=["CPUExecutionProvider"])


def _batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Places of texts, longest first; a batch padded to its longest holds at most the budget."""
    batches: list[list[int]] = []
    for at in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        if batches and (len(batches[-1]) + 1) * lengths[batches[-1][0]] <= budget:
            batches[-1].append(at)
        else:
            batches.append([at])
    return batches
