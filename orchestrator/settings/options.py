"""Options of each kind of cache, embedder, index, retriever and reranker, joined by `kind`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import (
    Field,
    HttpUrl,
    RedisDsn,
    SecretStr,
    model_validator,
)

from orchestrator.settings.base import Options, SecretPostgresUrl, SecretRedisUrl, SentSecret


class NoCacheOptions(Options):
    """No cache."""

    kind: Literal["none"]


class MemoryCacheOptions(Options):
    """Answers in this process's memory: at most `entries`, each for `ttl_s` seconds."""

    kind: Literal["memory"]
    entries: int = Field(default=10_000, ge=1)
    ttl_s: float = Field(default=3600.0, gt=0)


class RedisCacheOptions(Options):
    """Answers in Redis, behind `entries` in memory; a call takes at most `timeout_s` seconds."""

    kind: Literal["redis"]
    url: SecretRedisUrl = SecretRedisUrl(RedisDsn("redis://127.0.0.1:6379/0"))
    password: SecretStr | None = None
    entries: int = Field(default=10_000, ge=1)
    ttl_s: float = Field(default=3600.0, gt=0)
    timeout_s: float = Field(default=0.25, gt=0)


class MockEmbedderOptions(Options):
    """Hashed words: no model."""

    kind: Literal["mock"]


class OnnxEmbedderOptions(Options):
    """all-MiniLM-L6-v2 on ONNX Runtime; `model` is its folder, by default below the data folder."""

    kind: Literal["onnx"]
    model: Path | None = None
    threads: int = Field(default=0, ge=0, description="0: one for each core")


class SentenceTransformersEmbedderOptions(Options):
    """`model` is a folder of the library's form, or a hub's name that this machine has cached.

    Prompts and limits are the model's own where none are given; `device` is cpu, cuda, cuda:1, …
    """

    kind: Literal["sentence-transformers"]
    model: str = Field(min_length=1)
    revision: str | None = None
    device: str | None = None
    batch: int = Field(default=32, ge=1, le=1024, description="texts computed at once")
    query_prompt: str | None = None
    passage_prompt: str | None = None
    max_tokens: int | None = Field(default=None, ge=16)
    dimension: int | None = Field(default=None, ge=1, description="to be checked at the start")


class OpenAIEmbedderOptions(Options):
    """A server of OpenAI's embeddings API at `base_url`, its own or any other's.

    `dimension` is that of the model's vectors, which are asked for by it with `shorten`. Tokens
    are counted by a `tokenizer` file (tokenizer.json), else guessed, rather too many than too few.
    """

    kind: Literal["openai"]
    model: str = Field(min_length=1)
    revision: str = Field(default="", description="to be changed with the weights behind a name")
    dimension: int = Field(ge=1, le=65_536)
    base_url: HttpUrl = HttpUrl("https://api.openai.com/v1")
    api_key: SentSecret | None = None
    organization: str | None = None
    project: str | None = None
    shorten: bool = False
    max_tokens: int = Field(default=512, ge=16, description="of one text; more is cut off")
    batch: int = Field(default=64, ge=1, le=2048, description="texts in one request")
    parallel: int = Field(default=4, ge=1, le=64, description="requests at once")
    query_prompt: str = ""
    passage_prompt: str = ""
    tokenizer: Path | None = None
    timeout_s: float = Field(default=20.0, gt=0, description="for one request")
    question_s: float = Field(default=3.0, gt=0, description="for a question, retries included")
    retries: int = Field(default=2, ge=0, le=10)


class MemoryVectorOptions(Options):
    """Vectors in memory."""

    kind: Literal["memory"]


class FaissVectorOptions(Options):
    """Vectors in FAISS, below the data folder; from `exact_until` chunks on in inverted lists.

    Lists are trained by a process of its own, with `training_threads` and a niceness.
    """

    kind: Literal["faiss"]
    exact_until: int = Field(default=50_000, ge=500)
    training_threads: int = Field(default=0, ge=0, le=256, description="0: one for each core")
    training_niceness: int = Field(default=10, ge=0, le=19)


class MilvusOptions(Options):
    """What both kinds of index in Milvus need: an address, or the path of a file (Milvus Lite).

    Names of collections begin with `prefix`, which is this deployment's alone. A search takes at
    most `timeout_s` seconds. `session` sees what this process wrote, `strong` what anyone did.
    """

    kind: Literal["milvus"]
    uri: str = Field(min_length=1)
    token: SecretStr | None = None
    database: str = ""
    prefix: str = Field(default="rag", pattern=r"^[a-z][a-z0-9]{0,30}$")
    consistency: Literal["strong", "session"] = "session"
    timeout_s: float = Field(default=2.0, gt=0)


class MilvusVectorOptions(MilvusOptions):
    """Vectors in Milvus; `m` and `ef…` are for HNSW, `nlist` and `nprobe` for the IVF kinds."""

    index: Literal["flat", "ivf_flat", "ivf_sq8", "hnsw", "autoindex"] = "hnsw"
    m: int = Field(default=16, ge=2, le=128)
    ef_construction: int = Field(default=200, ge=8, le=4096)
    ef: int = Field(default=128, ge=1, le=32_768)
    nlist: int = Field(default=1024, ge=1, le=65_536)
    nprobe: int = Field(default=32, ge=1, le=65_536)

    @model_validator(mode="after")
    def _no_more_lists_than_there_are(self) -> Self:
        if self.nprobe > self.nlist:
            raise ValueError(f"nprobe ({self.nprobe}) is more than nlist ({self.nlist})")
        return self


class PgVectorOptions(Options):
    """Vectors in PostgreSQL with pgvector; `m` and `ef…` are for hnsw, the others for ivfflat.

    Up to `exact` chunks of a workspace are scanned, without an index.
    """

    kind: Literal["pgvector"]
    url: SecretPostgresUrl
    index: Literal["hnsw", "ivfflat", "none"] = "hnsw"
    m: int = Field(default=16, ge=2, le=100)
    ef_construction: int = Field(default=64, ge=4, le=1000)
    ef_search: int = Field(default=100, ge=1, le=1000)
    lists: int = Field(default=1000, ge=1, le=32_768)
    probes: int = Field(default=32, ge=1, le=32_768)
    exact: int = Field(default=5000, ge=0)
    timeout_s: float = Field(default=2.0, gt=0)


Language: TypeAlias = Literal[
    "arabic",
    "danish",
    "dutch",
    "english",
    "finnish",
    "french",
    "german",
    "greek",
    "hungarian",
    "italian",
    "norwegian",
    "portuguese",
    "romanian",
    "russian",
    "spanish",
    "swedish",
    "tamil",
    "turkish",
]


class RankBm25Options(Options):
    """Keywords in memory, by rank-bm25."""

    kind: Literal["rank-bm25"]


class TantivyOptions(Options):
    """Keywords in tantivy, below the data folder; another `language` is another index.

    Words that follow each other in a question count `proximity` times as much again where they
    stand close together.
    """

    kind: Literal["tantivy"]
    language: Language = "english"
    proximity: float = Field(default=0.0, ge=0.0, le=10.0)


class MilvusKeywordOptions(MilvusOptions):
    """Keywords in Milvus, by its own BM25: Milvus 2.5 or later, or Milvus Lite."""


class MockRetrieverOptions(Options):
    """Word overlap; `corpus` is a JSON file of documents that workspace `default` begins with."""

    kind: Literal["mock"]
    corpus: Path | None = None


class DenseRetrieverOptions(Options):
    """Vectors alone."""

    kind: Literal["dense"]


class KeywordRetrieverOptions(Options):
    """Keywords alone."""

    kind: Literal["keyword"]


class HybridRetrieverOptions(Options):
    """Both, fused as the workspace's configuration says."""

    kind: Literal["hybrid"]


class NoRerankerOptions(Options):
    """No reranking."""

    kind: Literal["none"]


class MockRerankerOptions(Options):
    """Word overlap, over the first `depth` passages."""

    kind: Literal["mock"]
    depth: int = Field(default=20, ge=1, le=1000)


class CrossEncoderRerankerOptions(Options):
    """`model`, a folder or a hub's name that this machine has cached, over the first passages."""

    kind: Literal["cross-encoder"]
    model: str = Field(min_length=1)
    revision: str | None = None
    device: str | None = None
    depth: int = Field(default=20, ge=1, le=1000)
    batch: int = Field(default=16, ge=1, le=1024, description="passages computed at once")
    max_tokens: int | None = Field(default=None, ge=16, description="of question and passage")


class RemoteRerankerOptions(Options):
    """A server at `base_url`, asked at `/rerank` for the first `depth` passages.

    `shape` is `common` (Cohere, Jina, vLLM) or `tei`; `logits` says that scores may be any number.
    """

    kind: Literal["remote"]
    base_url: HttpUrl
    model: str | None = None
    api_key: SentSecret | None = None
    shape: Literal["common", "tei"] = "common"
    logits: bool = False
    depth: int = Field(default=20, ge=1, le=1000)
    timeout_s: float = Field(default=5.0, gt=0)


CacheOptions: TypeAlias = Annotated[
    NoCacheOptions | MemoryCacheOptions | RedisCacheOptions, Field(discriminator="kind")
]
EmbedderOptions: TypeAlias = Annotated[
    MockEmbedderOptions
    | OnnxEmbedderOptions
    | SentenceTransformersEmbedderOptions
    | OpenAIEmbedderOptions,
    Field(discriminator="kind"),
]
VectorOptions: TypeAlias = Annotated[
    MemoryVectorOptions | FaissVectorOptions | MilvusVectorOptions | PgVectorOptions,
    Field(discriminator="kind"),
]
KeywordOptions: TypeAlias = Annotated[
    RankBm25Options | TantivyOptions | MilvusKeywordOptions, Field(discriminator="kind")
]
RetrieverOptions: TypeAlias = Annotated[
    MockRetrieverOptions | DenseRetrieverOptions | KeywordRetrieverOptions | HybridRetrieverOptions,
    Field(discriminator="kind"),
]
RerankerOptions: TypeAlias = Annotated[
    NoRerankerOptions | MockRerankerOptions | CrossEncoderRerankerOptions | RemoteRerankerOptions,
    Field(discriminator="kind"),
]
