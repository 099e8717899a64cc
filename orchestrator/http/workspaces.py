"""`/v1/workspaces`: creating, configuring, rolling back and deleting."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Response

from orchestrator.domain.errors import NotFound
from orchestrator.http.dependencies import App
from orchestrator.http.problems import Problem
from orchestrator.http.schemas import (
    Configure,
    IndexView,
    Rollback,
    WorkspaceCreate,
    WorkspaceDetail,
    WorkspaceView,
)

router = APIRouter(prefix="/v1/workspaces", tags=["workspaces"])

_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Problem} for status in (404, 409, 422)
}


@router.post("", status_code=201, responses=_PROBLEMS, summary="Create a workspace")
async def create(app: App, body: WorkspaceCreate, response: Response) -> WorkspaceView:
    """An empty workspace; without a configuration, it gets the deployment's default."""
    config = app.assembly.check(body.config or app.settings.workspace)
    workspace = await app.ingestion.create_workspace(body.name, config)
    response.headers["Location"] = f"/v1/workspaces/{workspace.name}"
    return WorkspaceView.of(workspace)


@router.get("", summary="List workspaces")
async def workspaces(app: App) -> list[WorkspaceView]:
    """Every workspace, by name."""
    return [WorkspaceView.of(one) for one in await app.catalog.workspaces.list()]


@router.get("/{name}", responses=_PROBLEMS, summary="Read a workspace")
async def read(app: App, name: str) -> WorkspaceDetail:
    """A workspace with what it holds, and the history of its configuration."""
    workspace = await app.catalog.workspaces.get(name)
    versions = await app.catalog.workspaces.configurations(name)
    return WorkspaceDetail(
        **WorkspaceView.of(workspace).model_dump(),
        versions=dict(versions),
        holds=await app.catalog.documents.holding(workspace.uid),
        quota=app.settings.quota_of(name),
    )


@router.put("/{name}/config", responses=_PROBLEMS, summary="Change a configuration")
async def configure(app: App, name: str, body: Configure) -> WorkspaceView:
    """Make a configuration the next version; requests that begin after this answer use it."""
    workspace = await app.catalog.workspaces.configure(
        name, app.assembly.check(body.config), expected=body.expected_version
    )
    await (await app.library.shelf(name)).refresh()
    return WorkspaceView.of(workspace)


@router.post("/{name}/rollback", responses=_PROBLEMS, summary="Roll a configuration back")
async def rollback(app: App, name: str, body: Rollback) -> WorkspaceView:
    """Make an earlier version's content the next version."""
    workspace = await app.catalog.workspaces.get(name)
    versions = await app.catalog.workspaces.configurations(name)
    if body.version not in versions:
        raise NotFound(
            f"workspace '{name}' has no configuration version {body.version}",
            code="unknown_version",
            field="version",
        )
    return await configure(
        app,
        name,
        Configure(config=versions[body.version], expected_version=workspace.config_version),
    )


@router.get("/{name}/indexes", responses=_PROBLEMS, summary="Check the indexes")
async def indexes(app: App, name: str) -> list[IndexView]:
    """Hold this server's indexes of the workspace against the catalog; reads all they keep."""
    return [IndexView.of(name, *one) for one in (await app.library.audit(name)).items()]


@router.delete("/{name}", status_code=204, responses=_PROBLEMS, summary="Delete a workspace")
async def delete(app: App, name: str) -> None:
    """Delete a workspace and everything in it."""
    await app.withdrawals.workspace(name)
