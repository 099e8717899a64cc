"""Opening backends: every kind is an adapter of its own, and named ones do not share a folder."""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack

import numpy as np
import pytest

from adapters.blobs.filesystem import FilesystemBlobs
from adapters.blobs.s3 import S3Blobs
from adapters.cache.memory import MemoryCache
from adapters.cache.none import NoCache
from adapters.cache.redis import RedisCache
from adapters.embedder.mock import MockEmbedder
from adapters.generator.extractive import ExtractiveGenerator
from adapters.generator.mock import MockGenerator
from adapters.keywords.milvus import MilvusKeywordStore
from adapters.keywords.rank_bm25 import RankBm25Store
from adapters.keywords.tantivy import TantivyStore
from adapters.reranker.mock import MockReranker
from adapters.reranker.none import NoReranker
from adapters.scanner.clamd import ClamdScanner
from adapters.scanner.none import NoScanner
from adapters.vectors.faiss import FaissStore
from adapters.vectors.memory import MemoryVectorStore
from adapters.vectors.milvus import MilvusVectorStore
from adapters.vectors.pgvector import PgVectorStore
from orchestrator import backends, generators
from orchestrator.domain.errors import Misconfigured
from orchestrator.ports.indexes import IndexKey
from orchestrator.ports.measured import Measured
from orchestrator.ports.rewriter import Rewriter
from orchestrator.settings import load
from tests.builders import Ledger, ids_of, question

MILVUS = {"kind": "milvus", "uri": "http://127.0.0.1:9", "token": "root:hunter2"}
PGVECTOR = {"kind": "pgvector", "url": "postgresql://rag:hunter2@127.0.0.1:9/rag"}

MODELS = [
    {"kind": "openai", "model": "tiny"},
    {"kind": "vllm"},
    {"kind": "triton", "model": "tiny"},
    {"kind": "litellm", "model": "openai/tiny", "window": 1000},
]


def settings(data_dir, **values):
    return load(profile="mock", data_dir=data_dir, **values)


@pytest.mark.parametrize(
    ("chosen", "adapter"),
    [
        ({"kind": "none"}, NoCache),
        ({"kind": "memory"}, MemoryCache),
        ({"kind": "redis"}, RedisCache),
        ({"kind": "redis", "password": "open-sesame"}, RedisCache),
    ],
)
async def test_a_cache_is_opened_without_asking_its_server(tmp_path, chosen, adapter):
    async with AsyncExitStack() as stack:
        cache = await backends.open_cache(settings(tmp_path, cache=chosen).cache, stack)

        assert type(cache) is adapter


async def test_redis_is_asked_with_the_password_of_its_url(tmp_path):
    chosen = {"kind": "redis", "url": "redis://rag:hunter2@cache:6379/1"}
    async with AsyncExitStack() as stack:
        cache = await backends.open_cache(settings(tmp_path, cache=chosen).cache, stack)

        known = cache._redis.get_connection_kwargs()
        assert (known["host"], known["username"], known["password"]) == ("cache", "rag", "hunter2")


async def test_the_mock_embedder_needs_no_model(tmp_path):
    found = settings(tmp_path)
    async with AsyncExitStack() as stack:
        embedder = await backends.open_embedder(found.embedder, found, stack)

    assert type(embedder) is MockEmbedder


async def test_a_model_that_is_missing_is_told(tmp_path):
    found = settings(tmp_path, embedder={"kind": "onnx"})

    with pytest.raises(Misconfigured, match="models pull"):
        async with AsyncExitStack() as stack:
            await backends.open_embedder(found.embedder, found, stack)


@pytest.mark.parametrize(
    ("open_one", "stage", "chosen", "adapter"),
    [
        (backends.open_vectors, "vectors", {"kind": "memory"}, MemoryVectorStore),
        (backends.open_vectors, "vectors", {"kind": "faiss"}, FaissStore),
        (backends.open_vectors, "vectors", MILVUS, MilvusVectorStore),
        (backends.open_vectors, "vectors", {**MILVUS, "index": "ivf_sq8"}, MilvusVectorStore),
        (backends.open_vectors, "vectors", {**MILVUS, "index": "autoindex"}, MilvusVectorStore),
        (backends.open_vectors, "vectors", PGVECTOR, PgVectorStore),
        (backends.open_vectors, "vectors", {**PGVECTOR, "index": "none"}, PgVectorStore),
        (backends.open_keywords, "keywords", {"kind": "rank-bm25"}, RankBm25Store),
        (backends.open_keywords, "keywords", {"kind": "tantivy"}, TantivyStore),
        (backends.open_keywords, "keywords", MILVUS, MilvusKeywordStore),
    ],
)
async def test_a_store_is_opened_by_its_kind(tmp_path, open_one, stage, chosen, adapter):
    found = settings(tmp_path, **{stage: chosen})
    async with AsyncExitStack() as stack:
        assert type(open_one(getattr(found, stage), "default", found, stack)) is adapter


@pytest.mark.parametrize(
    ("open_one", "stage", "chosen", "module"),
    [
        (backends.open_vectors, "vectors", MILVUS, "pymilvus"),
        (backends.open_keywords, "keywords", MILVUS, "pymilvus"),
        (backends.open_vectors, "vectors", PGVECTOR, "asyncpg"),
    ],
)
def test_a_store_without_its_library_is_told(
    tmp_path, monkeypatch, open_one, stage, chosen, module
):
    monkeypatch.setitem(sys.modules, module, None)
    for adapter in [name for name in sys.modules if name.startswith("adapters.")]:
        if "milvus" in adapter or "pgvector" in adapter:
            monkeypatch.delitem(sys.modules, adapter)
    found = settings(tmp_path, **{stage: chosen})

    with pytest.raises(Misconfigured, match=rf"\[{chosen['kind']}\]"):
        open_one(getattr(found, stage), "default", found, AsyncExitStack())


def test_secrets_of_stores_are_not_shown(tmp_path):
    found = settings(tmp_path, vectors=PGVECTOR, keywords={**MILVUS, "token": "hunter2"})

    assert "hunter2" not in f"{found.vectors!r} {found.keywords!r}"


def test_more_lists_are_not_searched_than_there_are(tmp_path):
    with pytest.raises(Misconfigured, match=r"nprobe \(32\) is more than nlist \(16\)"):
        settings(tmp_path, vectors={**MILVUS, "nlist": 16})


S3 = {"kind": "s3", "bucket": "documents", "region": "eu-central-1"}


@pytest.mark.parametrize(
    ("chosen", "adapter"),
    [
        ({"kind": "filesystem"}, FilesystemBlobs),
        (S3, S3Blobs),
        ({**S3, "access_key": "id", "secret_key": "hunter2", "prefix": "rag"}, S3Blobs),
    ],
)
async def test_a_blob_store_is_opened_by_its_kind(tmp_path, monkeypatch, chosen, adapter):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    found = settings(tmp_path, blobs=chosen)
    async with AsyncExitStack() as stack:
        assert type(await backends.open_blobs(found.blobs, "blobs", found, stack)) is adapter


def test_half_of_a_pair_of_keys_is_refused(tmp_path):
    with pytest.raises(Misconfigured, match="access_key and secret_key") as caught:
        settings(tmp_path, blobs={**S3, "secret_key": "hunter2"})

    assert "hunter2" not in str(caught.value)


async def test_a_library_that_is_missing_is_told_with_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    monkeypatch.delitem(sys.modules, "adapters.blobs.s3", raising=False)
    found = settings(tmp_path, blobs=S3)

    with pytest.raises(Misconfigured, match=r"pip install 'rag-orchestrator\[s3\]'"):
        await backends.open_blobs(found.blobs, "blobs", found, AsyncExitStack())


@pytest.mark.parametrize(
    ("stage", "chosen", "library", "adapter"),
    [
        (
            "embedder",
            {"kind": "sentence-transformers", "model": "m"},
            "sentence_transformers",
            "adapters.embedder.sentence_transformers",
        ),
        (
            "embedder",
            {"kind": "openai", "model": "m", "dimension": 8},
            "openai",
            "adapters.embedder.openai",
        ),
        (
            "reranker",
            {"kind": "cross-encoder", "model": "m"},
            "sentence_transformers",
            "adapters.reranker.cross_encoder",
        ),
    ],
)
async def test_a_models_library_that_is_missing_is_told_too(
    tmp_path, monkeypatch, stage, chosen, library, adapter
):
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, adapter, raising=False)
    found = settings(tmp_path, **{stage: chosen})
    extra = library.replace("_", "-")

    with pytest.raises(Misconfigured, match=rf"pip install 'rag-orchestrator\[{extra}\]'"):
        await opened(stage, found)


async def opened(stage, found):
    if stage == "embedder":
        return await backends.open_embedder(found.embedder, found, AsyncExitStack())
    return await backends.open_reranker(found.reranker, AsyncExitStack())


def test_a_key_is_shown_nowhere(tmp_path):
    served = {"kind": "openai", "model": "m", "dimension": 8, "api_key": "hunter2"}
    remote = {"kind": "remote", "base_url": "http://judge/v1", "api_key": "hunter2"}

    assert "hunter2" not in repr(settings(tmp_path, embedder=served, reranker=remote))


async def test_stores_of_two_names_share_no_folder(tmp_path):
    found = settings(tmp_path, vectors={"kind": "faiss"})
    ledger = Ledger()
    (chunk_id,) = ledger.publish(1)
    key = IndexKey("w", 1, "m", 2)
    near, far = (
        backends.open_vectors(found.vectors, name, found, AsyncExitStack())
        for name in ("near", "far")
    )
    async with near.open(key, ledger.roster, persist=True) as index:
        await index.apply(ids_of([chunk_id]), [np.array([1, 0], np.float32)], remove=ids_of([]))
        await index.save()

    async with near.open(key, ledger.roster, persist=True) as again:
        assert (await again.held()).tolist() == [chunk_id]
    async with far.open(key, ledger.roster, persist=True) as other:
        assert (await other.held()).tolist() == []


@pytest.mark.parametrize(("kind", "adapter"), [("none", NoReranker), ("mock", MockReranker)])
async def test_a_reranker_is_opened_by_its_kind(tmp_path, kind, adapter):
    found = settings(tmp_path, reranker={"kind": kind})

    assert type(await backends.open_reranker(found.reranker, AsyncExitStack())) is adapter


@pytest.mark.parametrize(
    ("chosen", "adapter"),
    [
        ({"kind": "mock"}, MockGenerator),
        ({"kind": "extractive"}, ExtractiveGenerator),
        ({"kind": "extractive", "embedder": None}, ExtractiveGenerator),
        ({"kind": "extractive", "embedder": "far"}, ExtractiveGenerator),
    ],
)
def test_a_generator_is_opened_by_its_kind(tmp_path, chosen, adapter):
    found = settings(tmp_path, generator=chosen)
    embedders = {"default": MockEmbedder(), "far": MockEmbedder()}

    assert type(generators.open_generator(found.generator, embedders)) is adapter


@pytest.mark.parametrize(
    "chosen",
    [
        {"kind": "openai", "model": "m"},
        {"kind": "vllm"},
        {"kind": "triton"},
    ],
)
async def test_a_language_model_is_asked_as_its_options_say(tmp_path, chosen):
    found = settings(tmp_path, generator={**chosen, "max_tokens": 77, "temperature": 0.5})

    async with AsyncExitStack() as stack:
        model = await generators.open_language_model(found.generator, stack)
        generator = generators.open_generator(found.generator, {}, model)

    assert isinstance(generator, Rewriter)
    assert isinstance(generator, Measured)
    asked = generator._asked(generator._prompt(question()), question(), [])
    assert (asked.max_tokens, asked.temperature) == (77, 0.5)


@pytest.mark.parametrize("chosen", MODELS[:3])
async def test_a_language_model_is_opened_without_asking_its_server(tmp_path, chosen):
    found = settings(tmp_path, generator=chosen)
    async with AsyncExitStack() as stack:
        model = await generators.open_language_model(found.generator, stack)

    assert model.name == chosen.get("model", "")
    assert model.window > chosen.get("max_tokens", 512)


@pytest.mark.parametrize(
    ("chosen", "module", "extra"),
    [
        (MODELS[0], "openai", "openai"),
        (MODELS[1], "openai", "openai"),
        (MODELS[3], "litellm", "litellm"),
    ],
)
async def test_a_language_model_without_its_library_is_told(
    tmp_path, monkeypatch, chosen, module, extra
):
    monkeypatch.setitem(sys.modules, module, None)
    for adapter in [name for name in sys.modules if name.startswith("adapters.generator.")]:
        monkeypatch.delitem(sys.modules, adapter)
    found = settings(tmp_path, generator=chosen)

    with pytest.raises(Misconfigured, match=rf"\[{extra}\]"):
        await generators.open_language_model(found.generator, AsyncExitStack())


def test_secrets_of_language_models_are_not_shown(tmp_path):
    secret = {"api_key": "hunter2", "headers": {"x-key": "hunter2"}}

    for chosen in MODELS:
        assert "hunter2" not in repr(settings(tmp_path, generator={**chosen, **secret}).generator)


@pytest.mark.parametrize(
    ("chosen", "reason"),
    [
        ({"max_tokens": 8192}, r"max_tokens \(8192\) leaves no room in the window \(8192\)"),
        ({"windows": 5}, "unknown option 'windows' of generator 'openai': did you mean 'window'"),
        ({"base_url": "file:///etc"}, "base_url"),
        ({"model": ""}, "model"),
    ],
)
def test_options_of_a_language_model_that_cannot_work_stop_the_start(tmp_path, chosen, reason):
    with pytest.raises(Misconfigured, match=reason):
        settings(tmp_path, generator={**MODELS[0], **chosen})


@pytest.mark.parametrize("chosen", [{"tensors": {"maxtokens": "x"}}, {"model": "../other"}])
def test_options_of_triton_that_cannot_work_stop_the_start(tmp_path, chosen):
    with pytest.raises(Misconfigured, match=next(iter(chosen))):
        settings(tmp_path, generator={**MODELS[2], **chosen})


def test_an_embedder_that_a_generator_names_must_be_there(tmp_path):
    found = settings(tmp_path, generator={"kind": "extractive", "embedder": "defualt"})

    with pytest.raises(Misconfigured, match="names embedder 'defualt': did you mean 'default'"):
        generators.open_generator(found.generator, {"default": MockEmbedder()})


@pytest.mark.parametrize(
    ("chosen", "adapter"), [({"kind": "none"}, NoScanner), ({"kind": "clamd"}, ClamdScanner)]
)
def test_a_scanner_is_opened_without_asking_its_server(tmp_path, chosen, adapter):
    assert type(backends.open_scanner(settings(tmp_path, scanner=chosen).scanner)) is adapter
