"""`/v1/sessions`: conversations that are kept."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response

from orchestrator.domain.identity import DEFAULT_WORKSPACE
from orchestrator.http.dependencies import App, Caller
from orchestrator.http.problems import Problem
from orchestrator.http.session_schemas import (
    SessionCreate,
    SessionDetail,
    SessionList,
    SessionView,
)

router = APIRouter(prefix="/v1/sessions", tags=["sessions"])

_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Problem} for status in (404, 422)
}


@router.post("", status_code=201, responses=_PROBLEMS, summary="Begin a session")
async def create(app: App, who: Caller, body: SessionCreate, response: Response) -> SessionView:
    """A conversation in a workspace: name it in a question's `session` to go on with it."""
    workspace = await app.catalog.workspaces.get(body.workspace)
    made = await app.catalog.sessions.create(workspace.uid, who.subject, title=body.title)
    response.headers["Location"] = f"/v1/sessions/{made.id}"
    return SessionView.of(made, workspace.name)


@router.get("", responses=_PROBLEMS, summary="List sessions")
async def sessions(
    app: App,
    who: Caller,
    workspace: str = DEFAULT_WORKSPACE,
    after: Annotated[
        str | None, Query(max_length=64, description="`next` of the page before.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> SessionList:
    """The caller's sessions in a workspace, newest first, a page at a time."""
    found = await app.catalog.workspaces.get(workspace)
    listed = await app.catalog.sessions.list(
        found.uid, subject=who.subject, after=after, limit=limit
    )
    return SessionList(
        sessions=[SessionView.of(one, found.name) for one in listed],
        next=listed[-1].id if len(listed) == limit else None,
    )


@router.get("/{session_id}", responses=_PROBLEMS, summary="Read a session")
async def read(
    app: App,
    who: Caller,
    session_id: str,
    before: Annotated[
        int | None, Query(ge=1, le=2**31 - 1, description="`before` of the page after.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="Questions, with answers.")] = 100,
) -> SessionDetail:
    """The last questions and answers of a session, oldest first."""
    session = await app.catalog.sessions.get(session_id, subject=who.subject)
    workspace = await app.catalog.workspaces.by_uid(session.workspace)
    said = await app.catalog.sessions.exchanges(
        session.id, principal=who, before=before, limit=limit
    )
    return SessionDetail.with_messages(SessionView.of(session, workspace.name), said)


@router.delete("/{session_id}", status_code=204, responses=_PROBLEMS, summary="Delete a session")
async def delete(app: App, who: Caller, session_id: str) -> None:
    """Erase a session and all that was said in it."""
    await app.catalog.sessions.delete(session_id, subject=who.subject)
