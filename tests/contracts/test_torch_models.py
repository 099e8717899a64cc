"""Models of the sentence-transformers library, as tiny as the tests make them themselves."""

from __future__ import annotations

import asyncio
import math
import os
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import numpy as np
import pytest

from orchestrator import backends
from orchestrator.contracts.embedder import EmbedderContract
from orchestrator.contracts.reranker import RerankerContract
from orchestrator.contracts.specimens import passage, question
from orchestrator.domain.errors import Misconfigured, Unavailable
from orchestrator.settings import load

pytestmark = pytest.mark.torch

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = """
    refunds refund are paid within 7 days of purchase how long does a take when the lunch is served
    at noon in canteen gateway rejected signature request rotate signing key travel booked by back
    assistant go to card that was used refuses wrong word query text
""".split()
DIMENSION = 32
LAYERS = {
    "hidden_size": DIMENSION,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
}

WITHOUT_CHANCE = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """So small a model is slower on several threads than on one."""
    import torch

    torch.set_num_threads(1)


def tokenizer():
    """A WordPiece vocabulary: the words above, and letters and digits for all others."""
    from transformers import BertTokenizerFast

    letters = [chr(code) for code in range(33, 127)]
    pieces = [*SPECIAL, *WORDS, *letters, *(f"##{one}" for one in letters)]
    vocabulary = {piece: at for at, piece in enumerate(dict.fromkeys(pieces))}
    return BertTokenizerFast(vocab=vocabulary, do_lower_case=True, model_max_length=64)


@pytest.fixture(scope="session")
def embedding_model(tmp_path_factory) -> Path:
    """Two layers with weights by chance, whose pooled words still tell texts apart."""
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("embedding")
    torch.manual_seed(7)
    words = tokenizer()
    BertModel(BertConfig(vocab_size=len(words), **LAYERS)).save_pretrained(folder / "bert")
    words.save_pretrained(folder / "bert")
    pooled = SentenceTransformer(str(folder / "bert"), device="cpu")
    pooled.max_seq_length = 48
    pooled.save(str(folder / "model"))
    return folder / "model"


@pytest.fixture(scope="session")
def judging_model(tmp_path_factory) -> Path:
    """Taught in a few steps that a passage with the question's subject is the better one."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    folder = tmp_path_factory.mktemp("judging") / "model"
    torch.manual_seed(7)
    words = tokenizer()
    config = BertConfig(vocab_size=len(words), num_labels=1, **WITHOUT_CHANCE, **LAYERS)
    model = BertForSequenceClassification(config)
    pairs = [(f"the {one} ?", f"a {two} is", one == two) for one in TAUGHT for two in TAUGHT]
    encoded = words(
        [pair[0] for pair in pairs], [pair[1] for pair in pairs], padding=True, return_tensors="pt"
    )
    wanted = torch.tensor([[float(pair[2])] for pair in pairs])
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss = torch.nn.BCEWithLogitsLoss(pos_weight=torch.tensor(len(TAUGHT) - 1.0))
    model.train()
    for _ in range(200):
        optimiser.zero_grad()
        loss(model(**encoded).logits, wanted).backward()
        optimiser.step()
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


TAUGHT = ("refunds", "lunch", "signature", "travel")


@pytest.fixture
async def opened():
    """Opens what these settings name, by the same code as a deployment."""
    async with AsyncExitStack() as stack:

        async def opening(stage, model, **chosen):
            kind = {"embedder": "sentence-transformers", "reranker": "cross-encoder"}[stage]
            options = {"kind": kind, "model": str(model), "device": "cpu", **chosen}
            settings = load(profile="mock", **{stage: options})
            if stage == "embedder":
                return await backends.open_embedder(settings.embedder, settings, stack)
            return await backends.open_reranker(settings.reranker, stack)

        yield opening


class TestSentenceTransformersEmbedder(EmbedderContract):
    @pytest.fixture
    async def embedder(self, opened, embedding_model):
        return await opened("embedder", embedding_model)


class TestCrossEncoderReranker(RerankerContract):
    @pytest.fixture
    async def reranker(self, opened, judging_model):
        return await opened("reranker", judging_model)


async def test_vectors_are_those_of_the_library(opened, embedding_model):
    from sentence_transformers import SentenceTransformer

    texts = ["refunds are paid", "lunch is served at noon in the canteen", "a signature"]
    plain = SentenceTransformer(str(embedding_model), device="cpu")
    wanted = plain.encode(texts, normalize_embeddings=True, show_progress_bar=False)

    embedder = await opened("embedder", embedding_model, batch=2)

    assert np.abs(await embedder.embed(texts) - wanted).max() < 1e-5
    assert (embedder.dimension, embedder.max_tokens) == (DIMENSION, 48)


async def test_prompts_are_the_models_own_or_those_chosen(opened, embedding_model):
    plain = await opened("embedder", embedding_model)
    prompted = await opened(
        "embedder", embedding_model, query_prompt="query ", passage_prompt="text "
    )

    asked, said = await prompted.embed_query("refunds"), (await prompted.embed(["refunds"]))[0]
    wanted = await plain.embed(["query refunds", "text refunds"])
    assert np.abs(np.stack([asked, said]) - wanted).max() < 1e-5
    assert prompted.max_tokens == plain.max_tokens - 1


async def test_what_is_beyond_the_limit_is_not_read(opened, embedding_model):
    embedder = await opened("embedder", embedding_model, max_tokens=16)
    read = " ".join(["refunds"] * 14)

    vectors = await embedder.embed([read, f"{read} lunch", f"lunch {read}"])

    assert float(vectors[0] @ vectors[1]) > 0.9999
    assert float(vectors[0] @ vectors[2]) < 0.9999


async def test_the_digest_is_that_of_the_weights(opened, embedding_model, tmp_path):
    import shutil

    from safetensors.numpy import load_file, save_file

    same = shutil.copytree(embedding_model, tmp_path / "same")
    other = shutil.copytree(embedding_model, tmp_path / "other")
    (same / "README.md").write_text("changed")
    weights = other / "model.safetensors"
    tensors = load_file(weights)
    first = next(iter(tensors))
    save_file({**tensors, first: tensors[first] + 0.5}, weights, metadata={"format": "pt"})

    given = (await opened("embedder", embedding_model)).digest
    assert (await opened("embedder", same)).digest == given
    assert (await opened("embedder", other)).digest != given
    assert (await opened("embedder", same, passage_prompt="text ")).digest != given
    assert (await opened("embedder", same, max_tokens=16)).digest != given
    assert (await opened("embedder", same, query_prompt="query ")).digest == given


@pytest.mark.parametrize(
    ("chosen", "reason"),
    [
        ({"model": "/nowhere"}, "neither a folder nor in this machine's cache"),
        ({"model": "nobody/nothing", "revision": "v2"}, "hf download nobody/nothing --revision v2"),
        ({"dimension": 384}, f"is of {DIMENSION} dimensions, not of 384"),
        ({"max_tokens": 512}, "does not read 512 tokens"),
    ],
)
async def test_an_embedder_that_cannot_work_stops_the_start(
    opened, embedding_model, chosen, reason
):
    with pytest.raises(Misconfigured, match=reason):
        await opened("embedder", **{"model": embedding_model, **chosen})


@pytest.mark.parametrize("stage", ["embedder", "reranker"])
async def test_a_damaged_model_stops_the_start(opened, judging_model, tmp_path, stage):
    import shutil

    damaged = shutil.copytree(judging_model, tmp_path / "damaged")
    (damaged / "model.safetensors").write_bytes(b"\x10" + bytes(100))

    with pytest.raises(Misconfigured, match="cannot be"):
        await opened(stage, damaged)


@pytest.mark.parametrize("subject", TAUGHT)
async def test_the_passage_that_the_model_was_taught_to_prefer_comes_first(
    opened, judging_model, subject
):
    reranker = await opened("reranker", judging_model, batch=3)
    given = [passage(f"a {one} is", chunk_id=at, score=0.5) for at, one in enumerate(TAUGHT)]

    ranked = await reranker.rerank(question(f"the {subject} ?"), given, limit=4)

    assert ranked[0].chunk.id == TAUGHT.index(subject)
    assert ranked[0].score > 0.5 > ranked[1].score
    assert [one.stages["reranker"].rank for one in ranked] == [1, 2, 3, 4]
    assert [one.stages["reranker"].score for one in ranked] == [one.score for one in ranked]


async def test_a_score_is_the_logistic_function_of_the_models_own(opened, judging_model):
    import torch
    from sentence_transformers import CrossEncoder

    pair = ("the lunch ?", "a lunch is")
    plain = CrossEncoder(str(judging_model), device="cpu")
    raw = float(
        plain.predict([pair], activation_fn=torch.nn.Identity(), show_progress_bar=False)[0]
    )

    (ranked,) = await (await opened("reranker", judging_model)).rerank(
        question(pair[0]), [passage(pair[1])], limit=1
    )

    assert ranked.score == pytest.approx(1 / (1 + math.exp(-raw)), abs=1e-5)


async def test_a_passage_beyond_the_models_reach_is_judged_by_its_beginning(opened, judging_model):
    reranker = await opened("reranker", judging_model, max_tokens=32)
    long = [passage("a lunch is " + "word " * 500), passage("word " * 500, chunk_id=2)]

    ranked = await reranker.rerank(question("the lunch ?"), long, limit=2)

    assert [one.chunk.id for one in ranked] == [1, 2]


async def test_a_score_that_is_not_a_number_is_none(opened, judging_model, monkeypatch):
    reranker = await opened("reranker", judging_model)
    monkeypatch.setattr(reranker._model, "predict", lambda pairs, **_: [math.nan] * len(pairs))

    with pytest.raises(Unavailable, match="not a number"):
        await reranker.rerank(question(), [passage()], limit=1)


async def test_a_model_of_several_scores_is_no_reranker(opened, judging_model, tmp_path):
    from transformers import BertConfig, BertForSequenceClassification

    BertForSequenceClassification(
        BertConfig(vocab_size=len(tokenizer()), num_labels=3, **LAYERS)
    ).save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)

    with pytest.raises(Misconfigured, match="gives 3 scores a pair"):
        await opened("reranker", tmp_path)


async def test_a_limit_beyond_the_models_positions_stops_the_start(opened, judging_model):
    with pytest.raises(Misconfigured, match="cannot be used"):
        await opened("reranker", judging_model, max_tokens=512)


@pytest.mark.parametrize("stage", ["embedder", "reranker"])
async def test_other_work_goes_on_while_the_model_computes(
    opened, embedding_model, judging_model, stage
):
    model = await opened(stage, embedding_model if stage == "embedder" else judging_model, batch=8)
    texts = [f"refunds {n} are paid within 7 days" for n in range(400)]
    work = (
        model.embed(texts)
        if stage == "embedder"
        else model.rerank(question(), [passage(text) for text in texts], limit=5)
    )
    asked = asyncio.create_task(work)
    turns = 0
    while not asked.done():
        await asyncio.sleep(0.001)
        turns += 1

    assert turns > 20


async def test_a_question_waits_for_one_batch_of_documents_at_most(opened, embedding_model):
    embedder = await opened("embedder", embedding_model, batch=4)
    documents = asyncio.create_task(embedder.embed(["refunds are paid"] * 400))
    await asyncio.sleep(0.02)

    await embedder.embed_query("refunds")

    assert not documents.done()
    await documents


def test_nothing_else_of_the_product_needs_torch():
    """What the default profile imports is the same with torch at hand as without."""
    code = "import sys, orchestrator.wiring, orchestrator.http.app; print('torch' in sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )

    assert told.stdout.strip() == "False"
