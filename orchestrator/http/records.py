"""`/v1/documents/{id}/…`: history, chunks and original of a document, legal holds, and redoing."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import PurePosixPath
from typing import Annotated, Any, BinaryIO, Final
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse

from orchestrator.domain.documents import Document, Version
from orchestrator.domain.filters import parse_filter
from orchestrator.http.dependencies import App, Caller
from orchestrator.http.problems import Problem
from orchestrator.http.record_schemas import (
    ChunkList,
    ChunkView,
    DeletedView,
    DeleteMatching,
    HeldView,
    HoldRequest,
    VersionList,
    VersionView,
)
from orchestrator.http.schemas import DocumentView

router = APIRouter(prefix="/v1/documents", tags=["documents"])

PIECE_BYTES: Final = 1 << 18
MAX_NUMBER: Final = 2**63 - 1
INERT: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cache-Control": "private, no-store",
}
"""What keeps a browser from running, or keeping, whatever a stored file holds."""

_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Problem} for status in (404, 409, 422)
}
_PLAIN: Final = re.compile(r"[^A-Za-z0-9._ -]")

Limit = Annotated[int, Query(ge=1, le=1000)]


@router.get("/{document_id}/versions", responses=_PROBLEMS, summary="The history of a document")
async def versions(
    app: App,
    caller: Caller,
    document_id: str,
    before: Annotated[
        int | None, Query(ge=1, le=MAX_NUMBER, description="`next` of the page before.")
    ] = None,
    limit: Limit = 100,
) -> VersionList:
    """Every version, newest first, a page at a time."""
    found = await app.records.versions(document_id, principal=caller, before=before, limit=limit)
    return VersionList(
        versions=[VersionView.of(one) for one in found],
        next=str(found[-1].number) if len(found) == limit else None,
    )


@router.get("/{document_id}/chunks", responses=_PROBLEMS, summary="The chunks of a document")
async def chunks(
    app: App,
    caller: Caller,
    document_id: str,
    after: Annotated[int, Query(ge=0, le=MAX_NUMBER, description="`next` of the page before.")] = 0,
    limit: Limit = 100,
) -> ChunkList:
    """The chunks that are searched now, in the order of the text, a page at a time."""
    found = await app.records.chunks(document_id, principal=caller, after=after, limit=limit)
    return ChunkList(
        chunks=[ChunkView.of(one) for one in found],
        next=str(found[-1].id) if len(found) == limit else None,
    )


async def _original(
    app: App,
    caller: Caller,
    document_id: str,
    version: Annotated[
        int | None, Query(ge=1, le=MAX_NUMBER, description="By default, the newest.")
    ] = None,
) -> AsyncIterator[tuple[Document, Version, BinaryIO]]:
    """Stays open until the response has been sent."""
    async with app.records.original(document_id, principal=caller, number=version) as opened:
        yield opened


@router.get(
    "/{document_id}/original",
    responses={**_PROBLEMS, 200: {"content": {"application/octet-stream": {}}}},
    response_class=Response,
    summary="Download the original",
)
async def original(
    opened: Annotated[tuple[Document, Version, BinaryIO], Depends(_original)],
) -> Response:
    """The bytes as they were handed over, to be saved: nothing of them is rendered or run."""
    document, version, file = opened
    return StreamingResponse(
        _pieces(file),
        media_type="application/octet-stream",
        headers={
            **INERT,
            "Content-Length": str(version.size),
            "Content-Disposition": attachment(document.source_id),
        },
    )


@router.post(
    "/{document_id}:reprocess",
    status_code=202,
    responses=_PROBLEMS,
    summary="Work on a document again",
)
async def reprocess(app: App, document_id: str, response: Response) -> DocumentView:
    """Queue the newest version once more; what readers see of it is replaced in one step."""
    queued = await app.records.reprocess(document_id)
    response.headers["Location"] = f"/v1/documents/{queued.id}"
    response.headers["X-Processing-Time"] = f"{await app.ingestion.processing_time():.1f}"
    return DocumentView.of(queued)


@router.put("/{document_id}/hold", responses=_PROBLEMS, summary="Hold a document")
async def hold(app: App, document_id: str, body: HoldRequest) -> DocumentView:
    """Refuse to delete the document, by whatever way, until it is released."""
    return DocumentView.of(await app.records.hold(document_id, body.reason))


@router.delete("/{document_id}/hold", responses=_PROBLEMS, summary="Release a document")
async def release(app: App, document_id: str) -> DocumentView:
    """End the legal hold; without one, nothing changes."""
    return DocumentView.of(await app.records.hold(document_id, None))


@router.post(":delete", responses=_PROBLEMS, summary="Delete what matches")
async def delete_matching(app: App, caller: Caller, body: DeleteMatching) -> DeletedView:
    """Delete the documents that match and that the caller may see, as `DELETE` does with one.

    What is under legal hold is left where it is, and reported apart.
    """
    withdrawn, more = await app.withdrawals.matching(
        body.workspace, parse_filter(body.filters), principal=caller
    )
    return DeletedView(
        count=len(withdrawn.receipts),
        deleted=[one.document_id for one in withdrawn.receipts],
        held=[HeldView(id=one, reason=reason) for one, reason in withdrawn.held.items()],
        more=more,
    )


def attachment(source_id: str) -> str:
    """A `Content-Disposition` (RFC 6266) that saves a file under the source id's last part."""
    name = PurePosixPath(source_id.replace("\\", "/")).name
    name = "".join(c for c in name if c.isprintable()).strip(". ")[-150:] or "document"
    plain = _PLAIN.sub("_", name)
    exact = quote(name.encode("utf-8", "replace"), safe="")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{exact}"


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    return iter(partial(file.read, PIECE_BYTES), b"")
