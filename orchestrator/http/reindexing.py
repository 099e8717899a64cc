"""`/v1/workspaces/{name}/reindexing`: another embedder, chunking or store, without downtime."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from orchestrator.domain.reindexing import Reindexing
from orchestrator.domain.workspaces import Chunking, Footing
from orchestrator.http.dependencies import App
from orchestrator.http.problems import Problem
from orchestrator.ingestion.reindexing import Changes

router = APIRouter(prefix="/v1/workspaces/{name}/reindexing", tags=["workspaces"])

_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Problem} for status in (404, 409, 422)
}


class Reindex(BaseModel):
    """What is to become another; what is left out stays as it is."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"chunking": {"tokens": 128}}]}
    )

    embedder: str | None = None
    vectors: str | None = None
    keywords: str | None = None
    chunking: Chunking | None = None
    automatic: bool = Field(
        True, description="Switch when all is verified; else a `POST …/switch` does."
    )


class ReindexingView(BaseModel):
    """How far a re-indexing has come."""

    id: str
    state: str = Field(
        description="building, verified, switched; in the end confirmed, rolled_back, cancelled "
        "or failed."
    )
    before: Footing
    after: Footing
    automatic: bool
    documents: int = Field(description="Documents that readers see, where chunks are made anew.")
    behind: int = Field(description="Of these, so many are not yet where readers are not.")
    share: float = Field(description="How much of the new indexes is filled, in [0, 1].")
    reason: str | None = Field(description="Why it failed.")
    erased: bool = Field(description="Whether nothing is left of the footing that was given up.")
    created_at: datetime
    switched_at: datetime | None
    ended_at: datetime | None

    @classmethod
    def of(cls, one: Reindexing) -> ReindexingView:
        """From the domain's re-indexing."""
        return cls(
            id=one.id,
            state=one.state.value,
            before=one.before,
            after=one.after,
            automatic=one.automatic,
            documents=one.documents,
            behind=one.behind,
            share=one.share,
            reason=one.reason,
            erased=one.erased_at is not None,
            created_at=one.created_at,
            switched_at=one.switched_at,
            ended_at=one.ended_at,
        )


@router.post("", status_code=202, responses=_PROBLEMS, summary="Re-index a workspace")
async def begin(app: App, name: str, body: Reindex, response: Response) -> ReindexingView:
    """Build another footing beside the one that serves, which serves on meanwhile."""
    changes = Changes(body.embedder, body.vectors, body.keywords, body.chunking)
    one = await app.reindexings.begin(name, changes, automatic=body.automatic)
    response.headers["Location"] = f"/v1/workspaces/{name}/reindexing"
    return ReindexingView.of(one)


@router.get("", responses=_PROBLEMS, summary="Follow a re-indexing")
async def read(app: App, name: str) -> ReindexingView:
    """The newest re-indexing of the workspace, open or ended."""
    return ReindexingView.of(await app.reindexings.latest(name))


@router.post("/switch", responses=_PROBLEMS, summary="Switch to what was built")
async def switch(app: App, name: str) -> ReindexingView:
    """Let readers go over; only where the re-indexing is not automatic."""
    one = await app.reindexings.switch(name)
    await (await app.library.shelf(name)).refresh()
    return ReindexingView.of(one)


@router.post("/confirm", responses=_PROBLEMS, summary="Let go of what served before")
async def confirm(app: App, name: str) -> ReindexingView:
    """What served before the switch is erased soon: there is no way back then."""
    return ReindexingView.of(await app.reindexings.confirm(name))


@router.delete("", responses=_PROBLEMS, summary="Undo a re-indexing")
async def undo(app: App, name: str) -> ReindexingView:
    """Cancel it before the switch; roll it back after, to what served before."""
    one = await app.reindexings.undo(name)
    await (await app.library.shelf(name)).refresh()
    return ReindexingView.of(one)
