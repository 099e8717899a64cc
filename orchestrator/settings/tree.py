"""The tree of settings: a profile file, overridden by `RAG_…` environment variables.

`RAG_PROFILE` names the profile, or is the path of a YAML file. `RAG_GENERATOR__KIND=mock` sets an
option of the backend named `default`; `RAG_GENERATORS__CHEAP__KIND=mock` adds one named `cheap`,
which a workspace's configuration may then name.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    ValidationError,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from orchestrator.answering.prompts import prompts
from orchestrator.domain.errors import Misconfigured
from orchestrator.domain.places import normal
from orchestrator.domain.quotas import Quota
from orchestrator.domain.workspaces import WorkspaceConfig
from orchestrator.ports.parser import Isolation
from orchestrator.settings.explain import did_you_mean, explain
from orchestrator.settings.generators import GeneratorOptions
from orchestrator.settings.options import (
    CacheOptions,
    EmbedderOptions,
    KeywordOptions,
    RerankerOptions,
    RetrieverOptions,
    VectorOptions,
)
from orchestrator.settings.stores import (
    BlobOptions,
    CatalogOptions,
    NoScannerOptions,
    QueueOptions,
    ScannerOptions,
)

PREFIX: Final = "RAG_"
DEFAULT_PROFILE: Final = "local"
DEFAULT: Final = "default"


class HttpSettings(BaseModel):
    """Limits of the service; sizes in bytes, times in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timeout_s: float = Field(default=30.0, gt=0, description="for a whole request")
    shutdown_s: float = Field(
        default=20.0, gt=0, description="for what is in flight when told to stop"
    )
    max_body_bytes: int = Field(default=1_000_000, gt=0, description="for a JSON body")
    max_text_bytes: int = Field(
        default=10_000_000, gt=0, description="for a JSON body that holds documents or names them"
    )
    max_upload_bytes: int = Field(default=100_000_000, gt=0, description="for an uploaded document")
    max_batch_bytes: int = Field(default=1_000_000_000, gt=0, description="for a form of many")
    max_batch_files: int = Field(default=1_000, gt=0, description="in one form, or one manifest")
    heartbeat_s: float = Field(
        default=15.0, gt=0, description="of silence in a stream, then a sign of life"
    )
    socket_idle_s: float = Field(
        default=300.0, gt=0, description="without a question, then a socket is closed"
    )
    max_sockets: int = Field(default=1_000, gt=0, description="open at once, in one process")
    max_caller_sockets: int = Field(
        default=100, gt=0, description="of one caller; who is anonymous is not told from others"
    )
    cors_origins: tuple[str, ...] = ()


class McpSettings(BaseModel):
    """The Model Context Protocol over HTTP: for agents, at `/mcp`.

    Requests for another host than those of the loopback interface, or than `hosts`, are refused.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = False
    hosts: tuple[str, ...] = Field(
        default=(), description="as `rag.example.com`, or `rag.example.com:8000`"
    )


class SourceSettings(BaseModel):
    """What the service may read by itself when a manifest names it; by default, nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    roots: tuple[Path, ...] = Field(default=(), description="folders of this machine")
    url_prefixes: tuple[str, ...] = ()

    @field_validator("url_prefixes")
    @classmethod
    def _prefixes(cls, prefixes: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(normal(prefix) for prefix in prefixes)


class WebSettings(BaseModel):
    """Limits of what is fetched from other machines; sizes in bytes, times in seconds.

    Addresses that are not public are refused, but for those in `allowed_networks`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    crawl: bool = Field(default=True, description="whether websites may be handed in")
    allowed_networks: tuple[IPvAnyNetwork, ...] = ()
    max_pages: int = Field(default=1_000, gt=0, description="the most that a crawl may ask for")
    max_depth: int = Field(default=10, ge=0, description="the most links from the first page")
    max_page_bytes: int = Field(default=10_000_000, gt=0)
    max_crawl_bytes: int = Field(default=500_000_000, gt=0, description="of all pages of a crawl")
    page_timeout_s: float = Field(default=30.0, gt=0)
    crawl_timeout_s: float = Field(default=3_600.0, gt=0)
    delay_s: float = Field(default=0.2, ge=0, description="between two pages of a crawl")


class QuotaSettings(BaseModel):
    """The most that a workspace may hold: documents, and bytes of the newest version of each."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_documents: int | None = Field(default=None, ge=0)
    max_bytes: int | None = Field(default=None, ge=0)


class ParsingSettings(BaseModel):
    """Limits of what reads documents, in processes of its own; sizes in bytes, times in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    processes: int = Field(default=0, ge=0, le=256, description="0: one for each core")
    wall_s: float = Field(default=60.0, gt=0, description="for a document, or its next page")
    cpu_s: int = Field(default=50, ge=1, description="of processor time, likewise")
    total_s: float = Field(default=600.0, gt=0, description="for one document in all, of either")
    memory_bytes: int = Field(default=1_000_000_000, ge=150_000_000, description="of a process")
    max_text_chars: int = Field(default=20_000_000, gt=0, description="of one document's text")
    open_files: int = Field(default=64, ge=16, description="of a process")
    niceness: int = Field(default=10, ge=0, le=19, description="questions are answered first")
    recycle_after: int = Field(default=500, ge=1, description="documents, then a new process")
    recycle_bytes: int = Field(default=300_000_000, gt=0, description="resident, then a new one")
    minimum_isolation: Isolation = Field(
        default=Isolation.PARTIAL, description="with less, the start is refused"
    )


class AnalyticsSettings(BaseModel):
    """What is counted of searches, and for how long it is kept.

    Questions are personal data: without `questions`, none of their words is kept.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    questions: bool = Field(
        default=False, description="whether the texts of weak questions are kept"
    )
    max_questions: int = Field(
        default=1_000, ge=1, le=100_000, description="of each outcome, a day and workspace"
    )
    retention_days: int = Field(default=30, ge=1, le=3_650)
    weak_cosine: float = Field(
        default=0.3, ge=-1, le=1, description="below it, what was found is weak"
    )


class SessionSettings(BaseModel):
    """How long conversations are kept, from when they were last used."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    retention_days: int = Field(default=30, ge=1, le=3_650)


class WorkerSettings(BaseModel):
    """Where documents are read and indexed; times in seconds.

    In `subprocess`es that the server starts and keeps alive, `inline` in the server's own process,
    or in `external` processes, each a `rag worker`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    placement: Literal["subprocess", "inline", "external"] = "subprocess"
    processes: int = Field(default=1, ge=1, le=64, description="that the server starts")
    niceness: int = Field(default=10, ge=0, le=19, description="questions are answered first")
    stop_s: float = Field(default=10.0, gt=0, description="for one that is told to stop")
    metrics_port: int = Field(
        default=0, ge=0, le=65535, description="at which `rag worker` shows its metrics; 0: none"
    )


class Settings(BaseSettings):
    """Everything that a deployment can choose."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    profile: str = DEFAULT_PROFILE
    data_dir: Path = Path("data")
    models: Path | None = Field(default=None, description="by default the data folder's `models`")
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")
    http: HttpSettings = HttpSettings()
    mcp: McpSettings = McpSettings()
    parsing: ParsingSettings = ParsingSettings()
    worker: WorkerSettings = WorkerSettings()
    analytics: AnalyticsSettings = AnalyticsSettings()
    sessions: SessionSettings = SessionSettings()
    workspace: WorkspaceConfig = WorkspaceConfig()
    sources: SourceSettings = SourceSettings()
    web: WebSettings = WebSettings()
    quota: QuotaSettings = Field(default=QuotaSettings(), description="of every workspace")
    quotas: dict[str, QuotaSettings] = Field(default={}, description="of some, by name")

    cache: CacheOptions
    embedder: EmbedderOptions
    vectors: VectorOptions
    keywords: KeywordOptions
    retriever: RetrieverOptions
    reranker: RerankerOptions
    generator: GeneratorOptions
    catalog: CatalogOptions
    blobs: BlobOptions
    queue: QueueOptions
    scanner: ScannerOptions = NoScannerOptions(kind="none")

    caches: dict[str, CacheOptions] = {}
    embedders: dict[str, EmbedderOptions] = {}
    vector_stores: dict[str, VectorOptions] = {}
    keyword_stores: dict[str, KeywordOptions] = {}
    retrievers: dict[str, RetrieverOptions] = {}
    rerankers: dict[str, RerankerOptions] = {}
    generators: dict[str, GeneratorOptions] = {}

    def named(self, stage: str) -> Mapping[str, Any]:
        """The options of every backend of a stage, by name; `default` among them."""
        further: Mapping[str, Any] = getattr(self, STAGES[stage])
        return {**further, DEFAULT: getattr(self, stage)}

    def quota_of(self, workspace: str) -> Quota:
        """The quota of a workspace: its own, else that of every one."""
        chosen = self.quotas.get(workspace, self.quota)
        return Quota(chosen.max_documents, chosen.max_bytes)

    @property
    def restoring_dir(self) -> Path:
        """Where a restoration keeps what it goes back to when it fails."""
        return self.data_dir / "restoring"

    @property
    def indexes_dir(self) -> Path:
        """Where local indexes are kept."""
        return self.data_dir / "indexes"

    @property
    def models_dir(self) -> Path:
        """Where models are kept: shared by all data folders below it."""
        return self.models or self.data_dir / "models"

    @property
    def fingerprint(self) -> str:
        """A digest of all backends and prompts: two processes of one give the same answers."""
        shown = {stage: str(self.named(stage)) for stage in STAGES}
        shown["prompts"] = prompts().digest
        return hashlib.sha256(repr(shown).encode()).hexdigest()[:16]

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load` merged."""
        return (init_settings,)


STAGES: Final = {
    "cache": "caches",
    "embedder": "embedders",
    "vectors": "vector_stores",
    "keywords": "keyword_stores",
    "retriever": "retrievers",
    "reranker": "rerankers",
    "generator": "generators",
}
"""Each stage, with the field that holds its named backends."""


def load(**overrides: Any) -> Settings:
    """The effective settings: profile, then environment, then the overrides given.

    Raises:
        Misconfigured: with a sentence that says what is wrong, and what was probably meant.
    """
    _refuse_strays()
    environment = _environment()
    profile = str(overrides.get("profile") or environment.get("profile") or DEFAULT_PROFILE)
    merged = _merge(_profile(profile), environment)
    merged = _merge(merged, {k: v for k, v in overrides.items() if v is not None})
    try:
        return Settings(**{**merged, "profile": profile})
    except ValidationError as error:
        raise Misconfigured(explain(error)) from error


def _environment() -> dict[str, Any]:
    try:
        found = {k: v for k, v in EnvSettingsSource(Settings)().items() if v is not None}
        if "workspace" in found:
            found["workspace"] = _parsed(found["workspace"])
        return found
    except SettingsError as error:
        field = re.findall('"([^"]*)"', str(error))[0]
        given = [
            one for one in sorted(os.environ) if one.upper().startswith(f"{PREFIX}{field}".upper())
        ]
        raise Misconfigured(
            f'{" or ".join(given)} is not JSON: a list is written as \'["one", "another"]\''
        ) from error


def _parsed(value: Any) -> Any:
    """A workspace's options, whose lists and objects come as they were written: in JSON."""
    if isinstance(value, Mapping):
        return {name: _parsed(one) for name, one in value.items()}
    if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
        with suppress(ValueError):  # else it is told as what is no list
            return json.loads(value)
    return value


def profiles_folder() -> Path:
    """Where the profiles are: beside the package in a checkout, inside it when installed."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "profiles"
    return inside if inside.is_dir() else package.parent / "profiles"


def _profile(name: str) -> dict[str, Any]:
    folder = profiles_folder()
    path = Path(name) if name.endswith((".yaml", ".yml")) else folder / f"{name}.yaml"
    if not path.is_file():
        known = sorted(one.stem for one in folder.glob("*.yaml"))
        raise Misconfigured(f"unknown profile '{name}'{did_you_mean(name, known)}")
    try:
        with path.open() as file:  # of a file, unlike of a string, an error quotes no line
            content = yaml.safe_load(file)
    except yaml.YAMLError as error:
        raise Misconfigured(f"profile '{name}' is not YAML: {error}") from error
    if not isinstance(content, dict):
        raise Misconfigured(f"profile '{name}' must be a mapping of settings")
    return content


def _merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Deep, but for this: options of one kind of backend do not apply to another kind."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        if not (isinstance(below, Mapping) and isinstance(value, Mapping)):
            merged[key] = value
        elif "kind" in value and value["kind"] != below.get("kind"):
            merged[key] = dict(value)
        else:
            merged[key] = _merge(below, value)
    return merged


def _refuse_strays() -> None:
    known = [f"{PREFIX}{name}".upper() for name in Settings.model_fields]
    for name in sorted(os.environ):
        if name.upper().startswith(PREFIX) and name.upper().split("__")[0] not in known:
            hint = did_you_mean(name.upper().split("__")[0], known)
            raise Misconfigured(f"unknown environment variable '{name}'{hint}")
