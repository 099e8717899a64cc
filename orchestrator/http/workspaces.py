"""`/v1/workspaces`: creating, configuring, rolling back and deleting."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response

from orchestrator.domain.analytics import report_of
from orchestrator.domain.errors import NotFound
from orchestrator.http.dependencies import App, Caller
from orchestrator.http.problems import Problem
from orchestrator.http.schemas import (
    Configure,
    IndexView,
    Rollback,
    SearchChange,
    SearchReport,
    SearchSettingsView,
    VersionView,
    WorkspaceCreate,
    WorkspaceDetail,
    WorkspaceView,
)

router = APIRouter(prefix="/v1/workspaces", tags=["workspaces"])

REPORTED: Final = 20
"""So many texts of each kind a report shows."""

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


@router.get("/{name}/history", responses=_PROBLEMS, summary="Read a configuration's history")
async def history(app: App, name: str) -> list[VersionView]:
    """Every version of the configuration, newest first: who made it, when, what it changed."""
    return VersionView.all_of(await app.catalog.workspaces.history(name))


@router.get("/{name}/search-settings", responses=_PROBLEMS, summary="Read search settings")
async def search_settings(app: App, name: str) -> SearchSettingsView:
    """How the workspace's questions are searched: a part of its configuration."""
    return SearchSettingsView.of(await app.catalog.workspaces.get(name))


@router.patch("/{name}/search-settings", responses=_PROBLEMS, summary="Change search settings")
async def change_search_settings(
    app: App, name: str, body: SearchChange, who: Caller
) -> SearchSettingsView:
    """Change some of them, as the next version of the configuration; the rest stays as it is.

    Requests that begin after this answer use it. Nothing has to be indexed anew.
    """
    workspace = await app.catalog.workspaces.get(name)
    expected = body.expected_version
    config = Configure(
        config=app.assembly.tried(body.patch(), workspace.config),
        expected_version=workspace.config_version if expected is None else expected,
    )
    await configure(app, name, config, who)
    return await search_settings(app, name)


@router.get("/{name}/search-report", responses=_PROBLEMS, summary="Report on searches")
async def search_report(
    app: App, name: str, days: Annotated[int, Query(ge=1, le=3_650)] = 7
) -> SearchReport:
    """What was asked in the last days, today among them, and how it went."""
    workspace = await app.catalog.workspaces.get(name)
    since = datetime.now(UTC).date() - timedelta(days=days - 1)
    counts = await app.catalog.analytics.since(workspace.uid, since)
    return SearchReport.of(
        report_of(counts, most=REPORTED),
        days=days,
        since=since,
        recorded=app.settings.analytics.questions,
    )


@router.put("/{name}/config", responses=_PROBLEMS, summary="Change a configuration")
async def configure(app: App, name: str, body: Configure, who: Caller) -> WorkspaceView:
    """Make a configuration the next version; requests that begin after this answer use it."""
    workspace = await app.catalog.workspaces.configure(
        name,
        app.assembly.check(body.config),
        expected=body.expected_version,
        by=who.subject,
    )
    await (await app.library.shelf(name)).refresh()
    return WorkspaceView.of(workspace)


@router.post("/{name}/rollback", responses=_PROBLEMS, summary="Roll a configuration back")
async def rollback(app: App, name: str, body: Rollback, who: Caller) -> WorkspaceView:
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
        who,
    )


@router.get("/{name}/indexes", responses=_PROBLEMS, summary="Check the indexes")
async def indexes(app: App, name: str) -> list[IndexView]:
    """Hold this server's indexes of the workspace against the catalog; reads all they keep."""
    return [IndexView.of(name, *one) for one in (await app.library.audit(name)).items()]


@router.delete("/{name}", status_code=204, responses=_PROBLEMS, summary="Delete a workspace")
async def delete(app: App, name: str) -> None:
    """Delete a workspace and everything in it."""
    await app.withdrawals.workspace(name)
