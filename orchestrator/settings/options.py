"""One model of options for each backend, joined by `kind`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    RedisDsn,
    Secret,
    SecretStr,
    StringConstraints,
    model_validator,
)

from orchestrator.settings.resilience import ResilienceOptions

_PASSWORD: Final = re.compile(r"(?<=:)[^/@]*(?=@)|(?<=password=)[^&]*")


_SENT: Final = re.compile(r"[\x20-\x7e]+")


def _sendable(secret: SecretStr) -> SecretStr:
    """Without the line break that a file of it ends with; whatever is wrong is not repeated."""
    told = secret.get_secret_value().strip()
    if not _SENT.fullmatch(told):
        raise ValueError("it must be one line of plain ASCII characters, as it is sent in a header")
    return SecretStr(told)


SentSecret: TypeAlias = Annotated[SecretStr, AfterValidator(_sendable)]


class SecretRedisUrl(Secret[RedisDsn]):
    """A URL of Redis, of which everything but the password is shown."""

    def _display(self) -> str:
        return _PASSWORD.sub("**********", str(self.get_secret_value()))


PostgresUrl: TypeAlias = Annotated[str, StringConstraints(pattern=r"^postgres(ql)?://.+")]
"""With a host, or `?host=` and the folder of a socket, which pydantic's own type does not take."""


class SecretPostgresUrl(Secret[PostgresUrl]):
    """A URL of PostgreSQL, of which everything but the password is shown."""

    def _display(self) -> str:
        return _PASSWORD.sub("**********", self.get_secret_value())


def revealed(secret: SecretStr | None) -> str | None:
    """What is kept secret, for whom it is meant."""
    return secret.get_secret_value() if secret else None


class Options(BaseModel):
    """Options of one backend; one that is not known stops the start."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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


class MockGeneratorOptions(Options):
    """A template."""

    kind: Literal["mock"]


class ExtractiveGeneratorOptions(Options):
    """Quotes of about `words` words; `evidence`, in [0, 1], is what an answer takes.

    `embedder` names the one by which sentences are compared; without, only words count.
    """

    kind: Literal["extractive"]
    embedder: str | None = "default"
    words: int = Field(default=30, ge=10, le=200, description="of an answer, on average")
    sentences: int = Field(default=4, ge=1, le=10, description="quoted at most")
    evidence: float = Field(default=0.5, ge=0, le=1)


class ModelOptions(Options, ResilienceOptions):
    """What is chosen of every language model on a server; times are in seconds.

    Tokens are counted by a `tokenizer` file (tokenizer.json) if there is one.
    """

    api_key: SentSecret | None = None
    headers: dict[str, SentSecret] = Field(default={}, description="sent with every request")
    tokenizer: Path | None = None
    window: int | None = Field(default=None, ge=256, description="of prompt and answer, in tokens")
    max_tokens: int = Field(default=512, ge=1, le=100_000, description="of an answer")
    temperature: float = Field(default=0.0, ge=0, le=2)
    connect_s: float = Field(default=3.0, gt=0)

    @model_validator(mode="after")
    def _room_for_a_prompt(self) -> Self:
        if self.window is not None and self.max_tokens >= self.window:
            raise ValueError(
                f"max_tokens ({self.max_tokens}) leaves no room in the window ({self.window})"
            )
        return self


class OpenAIGeneratorOptions(ModelOptions):
    """A model behind OpenAI's chat completions API at `base_url`, its own or any other's.

    `limit_field` is what the server calls the most tokens to write; `extra` is laid over each
    request, and leaves out what is null there.
    """

    kind: Literal["openai"]
    model: str = Field(min_length=1)
    base_url: HttpUrl = HttpUrl("https://api.openai.com/v1")
    organization: str | None = None
    project: str | None = None
    window: int = Field(default=8192, ge=256)
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    extra: dict[str, Any] = {}


class VllmGeneratorOptions(ModelOptions):
    """A vLLM server at `base_url`; it tells its model, window and counts of tokens if not chosen.

    `extra` is laid over each request.
    """

    kind: Literal["vllm"]
    base_url: HttpUrl = HttpUrl("http://127.0.0.1:8000")
    model: str | None = Field(default=None, min_length=1)
    extra: dict[str, Any] = {}


Tensor: TypeAlias = Literal[
    "text_input",
    "text_output",
    "stream",
    "max_tokens",
    "temperature",
    "stop",
    "guide_type",
    "guide",
    "sampling",
    "without_prompt",
    "tell_reason",
    "tell_read",
    "tell_written",
    "reason",
    "read",
    "written",
]


class TritonGeneratorOptions(ModelOptions):
    """A model of a Triton server at `base_url`, in the `backend` of TensorRT-LLM or of vLLM.

    `template` makes one text of what was said. `tensors` renames what has another name there, by
    its use; a tensor with an empty name is not used.
    """

    kind: Literal["triton"]
    base_url: HttpUrl = HttpUrl("http://127.0.0.1:8000")
    model: str = Field(default="ensemble", pattern=r"^[\w.-]+$")
    backend: Literal["tensorrt-llm", "vllm"] = "tensorrt-llm"
    template: Literal["plain", "chatml", "llama-3", "mistral", "gemma"] = "plain"
    window: int = Field(default=8192, ge=256)
    tensors: dict[Tensor, str] = {}


class LiteLLMGeneratorOptions(ModelOptions):
    """A model of any provider that litellm knows, under its name there: `bedrock/…`, `azure/…`.

    Credentials that are not given are taken from where the provider's own tools find them. `extra`
    is handed to litellm. Without a `window`, litellm's list of models is asked.
    """

    kind: Literal["litellm"]
    model: str = Field(min_length=1)
    base_url: HttpUrl | None = None
    extra: dict[str, Any] = {}


class SqliteCatalogOptions(Options):
    """The catalog in a SQLite file below the data folder."""

    kind: Literal["sqlite"]


class PostgresCatalogOptions(Options):
    """The catalog in PostgreSQL; a connection is waited for at most `timeout_s` seconds."""

    kind: Literal["postgresql"]
    url: SecretPostgresUrl
    timeout_s: float = Field(default=10.0, gt=0)


class FilesystemBlobOptions(Options):
    """Original files below the data folder."""

    kind: Literal["filesystem"]


class S3BlobOptions(Options):
    """Original files in a bucket; without keys, those of the environment or the machine's role.

    The keys must be allowed to list and delete versions of objects, or nothing can be purged.
    """

    kind: Literal["s3"]
    bucket: str = Field(min_length=3, max_length=63)
    prefix: str = ""
    endpoint_url: HttpUrl | None = None
    region: str | None = None
    access_key: SecretStr | None = None
    secret_key: SecretStr | None = None
    timeout_s: float = Field(default=20.0, gt=0)

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("access_key and secret_key are given together, or not at all")
        return self


class LocalQueueOptions(Options):
    """The queue in the catalog; with `max_jobs` waiting, uploads are told to come later."""

    kind: Literal["local"]
    max_jobs: int = Field(default=10_000, gt=0)


class KafkaQueueOptions(Options):
    """The queue in the catalog, handed out by the brokers at `servers` (`host:port`, by commas).

    Dead letters go to the topic named as `topic`, with `.dead` behind it. A call takes about
    `timeout_s` seconds at most.
    """

    kind: Literal["kafka"]
    servers: str = Field(min_length=3)
    topic: str = Field(default="rag.jobs", pattern=r"^[a-zA-Z0-9._-]{1,200}$")
    group: str = Field(default="rag-workers", min_length=1)
    security: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = "plaintext"
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    username: str | None = None
    password: SecretStr | None = None
    ca_file: Path | None = None
    timeout_s: float = Field(default=10.0, gt=0)
    max_jobs: int = Field(default=10_000, gt=0)


class NoScannerOptions(Options):
    """No virus scanner."""

    kind: Literal["none"]


class ClamdScannerOptions(Options):
    """clamd at `host` and `port`, or a `socket` file; a step takes up to `timeout_s` seconds."""

    kind: Literal["clamd"]
    host: str = "127.0.0.1"
    port: int = Field(default=3310, ge=1, le=65535)
    socket: Path | None = None
    timeout_s: float = Field(default=30.0, gt=0)


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
GeneratorOptions: TypeAlias = Annotated[
    MockGeneratorOptions
    | ExtractiveGeneratorOptions
    | OpenAIGeneratorOptions
    | VllmGeneratorOptions
    | TritonGeneratorOptions
    | LiteLLMGeneratorOptions,
    Field(discriminator="kind"),
]
LanguageOptions: TypeAlias = (
    OpenAIGeneratorOptions | VllmGeneratorOptions | TritonGeneratorOptions | LiteLLMGeneratorOptions
)
BlobOptions: TypeAlias = Annotated[
    FilesystemBlobOptions | S3BlobOptions, Field(discriminator="kind")
]
CatalogOptions: TypeAlias = Annotated[
    SqliteCatalogOptions | PostgresCatalogOptions, Field(discriminator="kind")
]
QueueOptions: TypeAlias = Annotated[
    LocalQueueOptions | KafkaQueueOptions, Field(discriminator="kind")
]
ScannerOptions: TypeAlias = Annotated[
    NoScannerOptions | ClamdScannerOptions, Field(discriminator="kind")
]
