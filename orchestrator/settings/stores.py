"""Options of what keeps documents and work, and of who looks at uploads, joined by `kind`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, HttpUrl, SecretStr, model_validator

from orchestrator.settings.base import Options, SecretPostgresUrl


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
