"""The embedder of an OpenAI-compatible server: right vectors, or none and the reason."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from adapters.embedder.openai import OpenAIEmbedder
from adapters.embedder.tokens import counter_of, first, guessed, read_counter
from adapters.vectors.faiss import FaissStore
from orchestrator import backends
from orchestrator.contracts.embedder import EmbedderContract
from orchestrator.domain.errors import Misconfigured, Unavailable
from orchestrator.ports.indexes import IndexKey
from orchestrator.settings import load
from tests.builders import Ledger, free_port, ids_of
from tests.modelserver import LONGEST, model_server

SAMPLES = sorted(Path(__file__).parents[2].glob("samples/documents/**/*.md"))
TEXTS = [f"text number {n}" for n in range(10)]


@pytest.fixture
def server():
    with model_server() as started:
        yield started


@pytest.fixture
async def opened(server):
    """Opens an embedder of the server, with these options."""
    async with AsyncExitStack() as stack:

        async def opening(**chosen) -> OpenAIEmbedder:
            base = {"kind": "openai", "model": "words", "dimension": 256, "retries": 0}
            options = {**base, "base_url": f"{server.url}/v1", **chosen}
            settings = load(profile="mock", embedder=options)
            return await backends.open_embedder(settings.embedder, settings, stack)

        yield opening


class TestOpenAIEmbedder(EmbedderContract):
    @pytest.fixture
    async def embedder(self, opened) -> OpenAIEmbedder:
        return await opened()


class TestOpenAIEmbedderWithATokenizer(EmbedderContract):
    @pytest.fixture
    async def embedder(self, opened, tmp_path) -> OpenAIEmbedder:
        path = tmp_path / "tokenizer.json"
        byte_level().save(str(path))
        return await opened(tokenizer=str(path))


def byte_level() -> Tokenizer:
    """A tokenizer of the kind of OpenAI's own: of bytes, and of words with the space before."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(["word and word within a refund of days"] * 5, trainer)
    return tokenizer


async def test_texts_go_in_batches_a_few_at_a_time(server, opened):
    embedder = await opened(batch=2, parallel=3)
    server.wait_s = 0.05

    vectors = await embedder.embed(TEXTS)

    assert [len(body["input"]) for body in server.asked] == [2] * 5
    assert server.busy == 3
    assert vectors.shape == (10, 256)


async def test_other_work_goes_on_while_the_server_thinks(server, opened):
    embedder = await opened()
    server.wait_s = 0.3

    async def turns_meanwhile():
        asking = asyncio.create_task(embedder.embed(TEXTS))
        turns = 0
        while not asking.done():
            await asyncio.sleep(0.01)
            turns += 1
        return turns

    assert max([await turns_meanwhile() for _ in range(3)]) > 10


async def test_the_last_questions_are_remembered(server, opened):
    embedder = await opened()
    first_time = await embedder.embed_query("When?")

    assert (await embedder.embed_query("When?") == first_time).all()
    assert len(server.asked) == 1


async def test_prompts_stand_before_their_texts_and_count_as_tokens(server, opened):
    embedder = await opened(query_prompt="query: ", passage_prompt="text: ", max_tokens=64)

    await embedder.embed(["Paid."])
    await embedder.embed_query("When?")

    assert [body["input"] for body in server.asked] == [["text: Paid."], ["query: When?"]]
    assert embedder.max_tokens == 64 - len(guessed("text: "))


async def test_the_key_and_the_organisation_are_sent(server, opened):
    embedder = await opened(api_key="hunter2", organization="org-1", project="rag")

    await embedder.embed_query("When?")

    (headers,) = server.headers
    assert headers["authorization"] == "Bearer hunter2"
    assert (headers["openai-organization"], headers["openai-project"]) == ("org-1", "rag")


async def test_a_key_of_the_environment_is_not_sent_to_another_server(server, opened, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "hunter2")

    await (await opened()).embed_query("When?")

    assert "hunter2" not in str(server.headers)


async def test_the_dimension_is_asked_for_only_where_it_shortens(server, opened):
    await (await opened()).embed_query("When are refunds paid?")
    shorter = await opened(dimension=200, shorten=True)

    assert (await shorter.embed_query("When are refunds paid?")).shape == (200,)
    assert [body.get("dimensions") for body in server.asked] == [None, 200]


async def test_a_text_is_cut_to_what_the_model_reads(server, opened):
    embedder = await opened(max_tokens=16)

    await embedder.embed(["one two three four five six seven eight nine ten"])

    (sent,) = server.asked[0]["input"]
    assert len(guessed(sent)) == 16
    assert "one two three four five six seven eight nine ten".startswith(sent)


async def test_texts_with_more_tokens_than_was_guessed_are_cut_until_they_are_taken(server, opened):
    server.words = lambda text: text.encode()  # no tokenizer makes more tokens than there are bytes
    embedder = await opened(batch=4)
    long = "abc " * LONGEST

    vectors = await embedder.embed(["Paid.", long, "Within 7 days."])

    short = await embedder.embed(["Paid.", "Within 7 days."])
    assert np.abs(vectors[[0, 2]] - short).max() < 1e-6
    sent = [text for body in server.asked for text in body["input"]]
    assert ("abc " * LONGEST).encode()[:LONGEST].decode() in sent


@pytest.mark.parametrize(
    ("misbehaves", "reason"),
    [
        (lambda body: {**body, "data": body["data"][1:]}, "it gave 1 vectors for 2 texts"),
        (lambda body: {**body, "data": [*body["data"], body["data"][0]]}, "3 vectors for 2"),
        (lambda body: changed(body, index=0), "or not theirs"),
        (lambda body: changed(body, index=7), "or not theirs"),
        (lambda body: changed(body, embedding=[1.0, 2.0]), "of 2 dimensions, not of 256"),
        (lambda body: changed(body, embedding=[0.0] * 256), "without length"),
        (lambda body: changed(body, embedding=[float("nan")] * 256), "without length"),
        (lambda body: changed(body, embedding="AAAA"), "does not answer with embeddings"),
        (lambda body: changed(body, embedding=None), "does not answer with embeddings"),
        (lambda _: {"object": "list"}, "does not answer with embeddings"),
        (lambda _: (200, b"<html>"), "does not answer with embeddings"),
        (lambda _: (500, {"error": "out of memory"}), "it answers 500"),
        (lambda _: (401, {"error": {"message": "the key hunter2 is wrong"}}), "it answers 401"),
        (lambda _: (400, {"error": "no such model"}), "it answers 400"),
    ],
)
async def test_a_wrong_answer_is_none(server, opened, misbehaves, reason):
    embedder = await opened(api_key="hunter2")
    server.instead = misbehaves

    with pytest.raises(Unavailable, match=reason) as caught:
        await embedder.embed(["When are refunds paid?", "Paid."])

    assert "hunter2" not in caught.value.detail
    assert "refunds" not in caught.value.detail


def changed(body, **fields):
    return {**body, "data": [{**one, **fields} for one in body["data"]]}


async def test_a_dimension_that_changes_under_way_is_refused_and_its_vectors_never_kept(
    server, opened
):
    embedder = await opened()
    before = await embedder.embed_query("When are refunds paid?")
    server.instead = lambda body: changed(body, embedding=[1.0] * 128)

    with pytest.raises(Unavailable, match="of 128 dimensions, not of 256"):
        await embedder.embed_query("And travel?")

    server.instead = lambda body: body
    assert (await embedder.embed_query("And travel?")).shape == before.shape


async def test_too_many_requests_say_to_wait(server, opened):
    server.instead = lambda _: (429, {"error": "slow down"})

    with pytest.raises(Unavailable, match="429") as caught:
        await (await opened()).embed_query("When?")

    assert caught.value.retry_after > 1


async def test_a_short_failure_is_tried_again(server, opened):
    answers = [(503, {}), (503, {})]
    server.instead = lambda body: answers.pop() if answers else body

    assert (await (await opened(retries=2)).embed_query("When?")).shape == (256,)


async def test_a_server_that_is_away_or_silent_is_unavailable(server, opened):
    server.wait_s = 1.0
    silent = await opened(timeout_s=0.05)
    slow = await opened(question_s=0.05, retries=5)
    away = await opened(base_url=f"http://127.0.0.1:{free_port()}/v1")

    for embedder in (silent, slow, away):
        with pytest.raises(Unavailable, match=r"the embedder at 127\.0\.0\.1"):
            await embedder.embed_query("When?")


async def test_vectors_that_differ_have_digests_that_differ(opened):
    chosen = [
        {},
        {"model": "others"},
        {"revision": "2"},
        {"dimension": 128},
        {"passage_prompt": "text: "},
        {"base_url": "http://localhost/v1"},
    ]
    digests = {(await opened(**one)).digest for one in chosen}

    assert len(digests) == len(chosen)
    assert (await opened(query_prompt="query: ", api_key="other")).digest in digests


async def test_an_index_of_other_vectors_is_another_index(opened, tmp_path):
    ledger = Ledger()
    (chunk_id,) = ledger.publish(1)
    store = FaissStore(tmp_path)
    embedder, shorter = await opened(), await opened(dimension=200, shorten=True)
    vector = await embedder.embed_query("refunds")

    async with store.open(key_of(embedder), ledger.roster, persist=True) as index:
        await index.apply(ids_of([chunk_id]), [vector], remove=ids_of([]))
        await index.save()

    async with store.open(key_of(shorter), ledger.roster, persist=True) as other:
        assert (await other.held()).tolist() == []
    async with store.open(key_of(embedder), ledger.roster, persist=True) as again:
        assert (await again.held()).tolist() == [chunk_id]


def key_of(embedder) -> IndexKey:
    return IndexKey("w", 1, embedder.digest, embedder.dimension)


def test_a_guess_has_as_many_tokens_as_a_real_tokenizer_or_more(model_folder):
    real = read_counter(model_folder / "tokenizer.json")
    texts = [path.read_text() for path in SAMPLES]

    assert len(texts) >= 10
    assert all(len(guessed(text)) >= len(real(text)) for text in texts)


def test_the_beginning_of_a_text_is_cut_between_tokens():
    assert first("one two three", 2, lambda _: [(0, 3), (4, 7), (8, 13)]) == "one two"
    assert first("one two", 2, lambda _: [(0, 3), (4, 7)]) == "one two"


def test_a_counter_neither_cuts_nor_pads():
    tokenizer = byte_level()
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=4)

    assert len(counter_of(tokenizer)("word " * 50)) == 50
    assert list(counter_of(tokenizer)(" ")) == []


@pytest.mark.parametrize("content", ["", "{}", "not JSON"])
def test_a_tokenizer_that_cannot_be_read_stops_the_start(tmp_path, content):
    path = tmp_path / "tokenizer.json"
    with pytest.raises(Misconfigured, match=r"tokenizer\.json"):
        read_counter(path)

    path.write_text(content)
    with pytest.raises(Misconfigured, match=r"tokenizer\.json"):
        read_counter(path)
