"""Opening backends: options of one `kind` to one open adapter.

Generators are in `generators`. Together with `wiring`, these are the only places that choose. Each
adapter is imported inside its branch, so that a deployment loads only what it uses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, assert_never

from orchestrator.ports.archives import Archives
from orchestrator.ports.blobs import BlobStore
from orchestrator.ports.cache import Cache
from orchestrator.ports.embedder import Embedder
from orchestrator.ports.indexes import KeywordStore, VectorStore
from orchestrator.ports.keeping import Keeper
from orchestrator.ports.queue import Queue
from orchestrator.ports.reranker import Reranker
from orchestrator.ports.scanner import Scanner
from orchestrator.settings import Settings, options, stores
from orchestrator.settings.base import revealed
from orchestrator.settings.extras import extra as _extra

if TYPE_CHECKING:
    from adapters.catalog.database import Database
    from adapters.embedder.openai import Model
    from adapters.milvus import Milvus

# ruff: noqa: PLC0415  # imports belong in the branches here, see above


async def open_cache(chosen: options.CacheOptions, stack: AsyncExitStack) -> Cache:
    """A cache; nothing is connected until it is used."""
    match chosen:
        case options.NoCacheOptions():
            from adapters.cache.none import NoCache

            return NoCache()
        case options.MemoryCacheOptions():
            from adapters.cache.memory import MemoryCache

            return MemoryCache(entries=chosen.entries, ttl_s=chosen.ttl_s)
        case options.RedisCacheOptions():
            from adapters.cache.memory import MemoryCache
            from adapters.cache.redis import RedisCache, open_redis

            url = str(chosen.url.get_secret_value())
            redis = await stack.enter_async_context(
                open_redis(url, password=revealed(chosen.password), timeout_s=chosen.timeout_s)
            )
            near = MemoryCache(entries=chosen.entries, ttl_s=chosen.ttl_s)
            return RedisCache(redis, near=near, ttl_s=chosen.ttl_s)
    assert_never(chosen)


async def open_embedder(
    chosen: options.EmbedderOptions, settings: Settings, stack: AsyncExitStack
) -> Embedder:
    """An embedder, its model loaded."""
    match chosen:
        case options.MockEmbedderOptions():
            from adapters.embedder.mock import MockEmbedder

            return MockEmbedder()
        case options.OnnxEmbedderOptions():
            from adapters.embedder.onnx import open_onnx

            folder = chosen.model or settings.models_dir / "all-MiniLM-L6-v2"
            return await stack.enter_async_context(open_onnx(folder, threads=chosen.threads))
        case options.SentenceTransformersEmbedderOptions():
            with _extra("sentence-transformers"):
                from adapters.embedder.sentence_transformers import (
                    Chosen,
                    open_sentence_transformers,
                )

            picked = Chosen(**chosen.model_dump(exclude={"kind"}))
            return await stack.enter_async_context(open_sentence_transformers(picked))
        case options.OpenAIEmbedderOptions():
            with _extra("openai"):
                from adapters.embedder.openai import open_openai

            return await stack.enter_async_context(
                open_openai(
                    _served(chosen),
                    base_url=str(chosen.base_url),
                    api_key=revealed(chosen.api_key),
                    organization=chosen.organization,
                    project=chosen.project,
                    timeout_s=chosen.timeout_s,
                    retries=chosen.retries,
                )
            )
    assert_never(chosen)


async def open_database(
    chosen: stores.CatalogOptions, settings: Settings, stack: AsyncExitStack
) -> Database:
    """The catalog's database, migrated.

    Raises:
        Misconfigured: when it cannot be opened.
    """
    match chosen:
        case stores.SqliteCatalogOptions():
            from adapters.catalog.sqlite import open_sqlite

            return await stack.enter_async_context(open_sqlite(settings.data_dir / "catalog.db"))
        case stores.PostgresCatalogOptions():
            with _extra("postgresql"):
                import asyncpg  # noqa: F401  # the engine would look for it only later

                from adapters.catalog.postgresql import open_postgresql

            url = str(chosen.url.get_secret_value())
            return await stack.enter_async_context(open_postgresql(url, timeout_s=chosen.timeout_s))
    assert_never(chosen)


async def open_keeper(
    chosen: stores.CatalogOptions, settings: Settings, stack: AsyncExitStack
) -> Keeper:
    """The keeper of the whole catalog; of PostgreSQL, by a name that says it is no other process.

    Raises:
        Misconfigured: when it cannot be opened.
    """
    match chosen:
        case stores.SqliteCatalogOptions():
            from adapters.catalog.keeping import SqliteKeeper

            return SqliteKeeper(settings.data_dir / "catalog.db")
        case stores.PostgresCatalogOptions():
            with _extra("postgresql"):
                import asyncpg  # noqa: F401  # the engine would look for it only later

                from adapters.catalog.keeping import PostgresKeeper
                from adapters.catalog.postgresql import open_postgresql

            url = str(chosen.url.get_secret_value())
            opened = open_postgresql(url, timeout_s=chosen.timeout_s, application="rag-keeper")
            return PostgresKeeper(await stack.enter_async_context(opened))
    assert_never(chosen)


async def open_blobs(
    chosen: stores.BlobOptions, folder: str, settings: Settings, stack: AsyncExitStack
) -> BlobStore:
    """A blob store with a folder of its own; nothing is connected until it is used."""
    match chosen:
        case stores.FilesystemBlobOptions():
            from adapters.blobs.filesystem import FilesystemBlobs

            return FilesystemBlobs(settings.data_dir / folder)
        case stores.S3BlobOptions():
            with _extra("s3"):
                from adapters.blobs.s3 import open_s3

            return await stack.enter_async_context(
                open_s3(
                    bucket=chosen.bucket,
                    prefix=f"{chosen.prefix}{folder}/",
                    endpoint_url=str(chosen.endpoint_url) if chosen.endpoint_url else None,
                    region=chosen.region,
                    access_key=revealed(chosen.access_key),
                    secret_key=revealed(chosen.secret_key),
                    timeout_s=chosen.timeout_s,
                )
            )
    assert_never(chosen)


async def open_queue(
    chosen: stores.QueueOptions, database: Database, settings: Settings, stack: AsyncExitStack
) -> Queue:
    """A queue over the catalog's database; no broker is connected until it is used."""
    match chosen:
        case stores.LocalQueueOptions():
            from adapters.presence import Presence
            from adapters.queue.local import LocalQueue

            presence = Presence(settings.data_dir / "workers")
            stack.callback(presence.close)
            return LocalQueue(database, presence)
        case stores.KafkaQueueOptions():
            with _extra("kafka"):
                from adapters.queue.broker import open_broker
                from adapters.queue.kafka import KafkaQueue

            broker = await stack.enter_async_context(
                open_broker(
                    _kafka(chosen),
                    topic=chosen.topic,
                    group=chosen.group,
                    timeout_s=chosen.timeout_s,
                )
            )
            return KafkaQueue(database, broker)
    assert_never(chosen)


def open_vectors(
    chosen: options.VectorOptions, name: str, settings: Settings, stack: AsyncExitStack
) -> VectorStore:
    """A vector store, each name with a folder of its own; no server is asked until it is used."""
    match chosen:
        case options.MemoryVectorOptions():
            from adapters.vectors.memory import MemoryVectorStore

            return MemoryVectorStore()
        case options.FaissVectorOptions():
            from adapters.vectors.faiss import FaissStore, Training

            training = Training(
                exact_until=chosen.exact_until,
                threads=chosen.training_threads,
                niceness=chosen.training_niceness,
            )
            return FaissStore(settings.indexes_dir / f"faiss-{name}", training)
        case options.MilvusVectorOptions():
            return _milvus_vectors(chosen, stack)
        case options.PgVectorOptions():
            return _pgvector(chosen, stack)
    assert_never(chosen)


def _milvus_vectors(chosen: options.MilvusVectorOptions, stack: AsyncExitStack) -> VectorStore:
    milvus = _milvus(chosen, stack)
    from adapters.vectors.milvus import MilvusVectorStore, VectorIndexing

    hnsw = {"M": chosen.m, "efConstruction": chosen.ef_construction}, {"ef": chosen.ef}
    build, search = {
        "hnsw": hnsw,
        "ivf_flat": ({"nlist": chosen.nlist}, {"nprobe": chosen.nprobe}),
        "ivf_sq8": ({"nlist": chosen.nlist}, {"nprobe": chosen.nprobe}),
    }.get(chosen.index, ({}, {}))
    indexing = VectorIndexing(
        chosen.index.upper(), build, search, consistency=chosen.consistency.capitalize()
    )
    return MilvusVectorStore(milvus, chosen.prefix, indexing)


def _pgvector(chosen: options.PgVectorOptions, stack: AsyncExitStack) -> VectorStore:
    with _extra("pgvector"):
        from adapters.vectors.pgvector import PgVectorStore, Postgres, TableIndexing

    build, search = {
        "hnsw": (
            {"m": chosen.m, "ef_construction": chosen.ef_construction},
            {"ef_search": chosen.ef_search},
        ),
        "ivfflat": ({"lists": chosen.lists}, {"probes": chosen.probes}),
    }.get(chosen.index, ({}, {}))
    postgres = Postgres(str(chosen.url.get_secret_value()), timeout_s=chosen.timeout_s)
    stack.push_async_callback(postgres.close)
    return PgVectorStore(postgres, TableIndexing(chosen.index, build, search, exact=chosen.exact))


def open_keywords(
    chosen: options.KeywordOptions, name: str, settings: Settings, stack: AsyncExitStack
) -> KeywordStore:
    """A keyword store, each name with a folder of its own; no server is asked until it is used."""
    match chosen:
        case options.RankBm25Options():
            from adapters.keywords.rank_bm25 import RankBm25Store

            return RankBm25Store()
        case options.TantivyOptions():
            from adapters.keywords.reading import Reading
            from adapters.keywords.tantivy import TantivyStore

            reading = Reading(chosen.language, chosen.proximity)
            return TantivyStore(settings.indexes_dir / f"tantivy-{name}", reading)
        case options.MilvusKeywordOptions():
            milvus = _milvus(chosen, stack)
            from adapters.keywords.milvus import MilvusKeywordStore

            return MilvusKeywordStore(
                milvus, chosen.prefix, consistency=chosen.consistency.capitalize()
            )
    assert_never(chosen)


async def open_reranker(chosen: options.RerankerOptions, stack: AsyncExitStack) -> Reranker:
    """A reranker, its model loaded; no server is asked until it is used."""
    match chosen:
        case options.NoRerankerOptions():
            from adapters.reranker.none import NoReranker

            return NoReranker()
        case options.MockRerankerOptions():
            from adapters.reranker.mock import MockReranker

            return MockReranker()
        case options.CrossEncoderRerankerOptions():
            with _extra("sentence-transformers"):
                from adapters.reranker.cross_encoder import open_cross_encoder

            return await stack.enter_async_context(
                open_cross_encoder(
                    chosen.model,
                    revision=chosen.revision,
                    device=chosen.device,
                    batch=chosen.batch,
                    max_tokens=chosen.max_tokens,
                )
            )
        case options.RemoteRerankerOptions():
            from adapters.reranker.remote import open_remote

            return await stack.enter_async_context(
                open_remote(
                    str(chosen.base_url),
                    model=chosen.model,
                    api_key=revealed(chosen.api_key),
                    shape=chosen.shape,
                    logits=chosen.logits,
                    timeout_s=chosen.timeout_s,
                )
            )
    assert_never(chosen)


def archives(settings: Settings) -> Sequence[Archives]:
    """What reads archives entry by entry; an entry is held to the limit of an upload."""
    from adapters.archives.limits import Limits
    from adapters.archives.tar import TarArchives
    from adapters.archives.zip import ZipArchives

    limits = Limits(entry_bytes=settings.http.max_upload_bytes)
    return ZipArchives(limits), TarArchives(limits)


def open_scanner(chosen: stores.ScannerOptions) -> Scanner:
    """A virus scanner; nothing is connected until it is used."""
    match chosen:
        case stores.NoScannerOptions():
            from adapters.scanner.none import NoScanner

            return NoScanner()
        case stores.ClamdScannerOptions():
            from adapters.scanner.clamd import ClamdScanner

            return ClamdScanner(
                host=chosen.host,
                port=chosen.port,
                socket=chosen.socket,
                timeout_s=chosen.timeout_s,
            )
    assert_never(chosen)


def _served(chosen: options.OpenAIEmbedderOptions) -> Model:
    """The model on its server, with what counts its tokens."""
    from adapters.embedder.openai import Model
    from adapters.embedder.tokens import guessed, read_counter

    return Model(
        name=chosen.model,
        revision=chosen.revision,
        dimension=chosen.dimension,
        asks=chosen.shorten,
        max_tokens=chosen.max_tokens,
        batch=chosen.batch,
        parallel=chosen.parallel,
        question_s=chosen.question_s,
        query_prompt=chosen.query_prompt,
        passage_prompt=chosen.passage_prompt,
        counter=read_counter(chosen.tokenizer) if chosen.tokenizer else guessed,
    )


def _milvus(chosen: options.MilvusOptions, stack: AsyncExitStack) -> Milvus:
    with _extra("milvus"):
        from adapters.milvus import Access, Milvus

    token = revealed(chosen.token) or ""
    milvus = Milvus(Access(chosen.uri, token, chosen.database, timeout_s=chosen.timeout_s))
    stack.push_async_callback(milvus.close)
    return milvus


def _kafka(chosen: stores.KafkaQueueOptions) -> Mapping[str, str]:
    """The options as librdkafka names them."""
    given = {
        "bootstrap.servers": chosen.servers,
        "security.protocol": chosen.security,
        "sasl.mechanism": chosen.mechanism if chosen.security.startswith("sasl") else None,
        "sasl.username": chosen.username,
        "sasl.password": revealed(chosen.password),
        "ssl.ca.location": str(chosen.ca_file) if chosen.ca_file else None,
    }
    return {name: value for name, value in given.items() if value is not None}
