"""What requests and responses about one document's particulars look like."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from orchestrator.domain.documents import Chunk, Status, Version
from orchestrator.http.schemas import Keepable, Name

State = Literal["queued", "processing", "indexed", "failed", "superseded"]
_STATES: Final[dict[Status | None, State]] = {
    None: "superseded",
    Status.QUEUED: "queued",
    Status.PROCESSING: "processing",
    Status.INDEXED: "indexed",
    Status.FAILED: "failed",
}
Reason = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000), Keepable
]


class VersionView(BaseModel):
    """One version of a document."""

    version: int
    title: str
    media_type: str
    size: int = Field(description="In bytes.")
    sha256: str
    created_at: datetime
    status: State
    chunks: int | None = Field(description="None where it was never indexed.")

    @classmethod
    def of(cls, version: Version) -> VersionView:
        """From the domain's version."""
        return cls(
            version=version.number,
            title=version.title,
            media_type=version.media_type,
            size=version.size,
            sha256=version.content_hash,
            created_at=version.created_at,
            status=_STATES[version.status],
            chunks=version.chunks,
        )


class VersionList(BaseModel):
    """A page of versions; `next` is the cursor of the following one."""

    versions: list[VersionView]
    next: str | None


class ChunkView(BaseModel):
    """A chunk: `text` is the span `[start, end)` of the document's extracted text."""

    id: str
    text: str
    page: int | None
    section: str | None
    start: int
    end: int

    @classmethod
    def of(cls, chunk: Chunk) -> ChunkView:
        """From the domain's chunk."""
        return cls(
            id=str(chunk.id),
            text=chunk.text,
            page=chunk.page,
            section=chunk.section,
            start=chunk.start,
            end=chunk.end,
        )


class ChunkList(BaseModel):
    """A page of chunks; `next` is the cursor of the following one."""

    chunks: list[ChunkView]
    next: str | None


class HoldRequest(BaseModel):
    """Why a document is put under legal hold."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reason": "litigation 2026-114"}]}
    )

    reason: Reason


class DeleteMatching(BaseModel):
    """What is to be deleted: a workspace's documents whose metadata match."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "workspace": "legal",
                    "filters": {"field": "year", "op": "lt", "value": 2019},
                }
            ]
        },
    )

    workspace: Name
    filters: dict[str, Any] = Field(description="As those of a question; there is no 'all'.")


class HeldView(BaseModel):
    """A document that matched, and was left because of its legal hold."""

    id: str
    reason: str


class DeletedView(BaseModel):
    """What a deletion by filter came to; each document's receipt is read with the document."""

    count: int
    deleted: list[str] = Field(description="The ids of the documents that are gone.")
    held: list[HeldView]
    more: bool = Field(description="Whether more may match: ask again.")
