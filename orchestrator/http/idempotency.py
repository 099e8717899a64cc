"""`Idempotency-Key`: the same request again gives the same answer, and does nothing again."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, BinaryIO, Final

from fastapi import Header
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from orchestrator.domain.errors import NotFound, RagError
from orchestrator.domain.identity import Principal
from orchestrator.http.schemas import DocumentView
from orchestrator.ports.catalog import Reply
from orchestrator.wiring import Application

PIECE_BYTES: Final = 1 << 20
CLAIM_S: Final = 300.0
"""So long a request that ended without an answer keeps its key."""

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="The same key and request within 24 hours give the same answer.",
    ),
]


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a request led to; `about` is the document that the body shows, if it shows one.

    `seconds` is an estimate of how long that document's processing takes.
    """

    location: str
    body: BaseModel
    about: str | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Repeatable:
    """A request that may come twice: its key, and all that makes it the same one."""

    caller: Principal
    key: str | None
    fingerprint: Callable[[], str]
    workspace: str


def digest(*parts: str) -> str:
    """One fingerprint of all the parts."""
    whole = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        whole.update(f"{len(data)}:".encode() + data)
    return whole.hexdigest()


def file_digest(content: BinaryIO) -> str:
    """The fingerprint of a file; blocking."""
    content.seek(0)
    whole = hashlib.sha256()
    while piece := content.read(PIECE_BYTES):
        whole.update(piece)
    return whole.hexdigest()


async def once(
    app: Application, request: Repeatable, act: Callable[[], Awaitable[Accepted]]
) -> JSONResponse:
    """Act, unless this was done already; 202 with where to follow it.

    A request that fails leaves its key free.
    """
    if request.key is None:
        accepted = await act()
        return _response(_reply(accepted), accepted.seconds)
    subject, key = request.caller.subject, request.key
    workspace = await app.catalog.workspaces.get(request.workspace)
    fingerprint = await asyncio.to_thread(request.fingerprint)
    reply = await app.catalog.replies.begin(
        subject, key, fingerprint, workspace=workspace.uid, seconds=CLAIM_S
    )
    if reply is not None:
        return await _again(app, reply)
    try:
        accepted = await act()
    except RagError:
        await app.catalog.replies.forget(subject, key)
        raise
    reply = _reply(accepted)
    await app.catalog.replies.finish(subject, key, reply)
    return _response(reply, accepted.seconds)


async def _again(app: Application, reply: Reply) -> JSONResponse:
    body, seconds = reply.body, None
    if reply.about is not None:
        document = await app.ingestion.document(reply.about)
        seconds = await app.ingestion.processing_time() if document.stage else 0.0
        if body is None:  # deleted since: what is left of it
            body = DocumentView.of(document).model_dump(mode="json")
    if body is None:
        raise NotFound("what this request made is gone", code="unknown_document")
    return _response(Reply(reply.location, body), seconds, replayed=True)


def _reply(accepted: Accepted) -> Reply:
    body: dict[str, Any] = accepted.body.model_dump(mode="json")
    return Reply(accepted.location, body, accepted.about)


def _response(reply: Reply, seconds: float | None, *, replayed: bool = False) -> JSONResponse:
    headers = {"Location": reply.location}
    if seconds is not None:
        headers["X-Processing-Time"] = f"{seconds:.1f}"
    if replayed:
        headers["Idempotency-Replayed"] = "true"
    return JSONResponse(reply.body, 202, headers)
