"""`/v1/documents`: handing documents in, following them, deleting them."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from fastapi.responses import JSONResponse
from pydantic import ConfigDict, TypeAdapter, ValidationError

from orchestrator.domain.documents import Status, Upload
from orchestrator.domain.errors import Rejected, TooLarge
from orchestrator.domain.filters import Filter, Metadata, Scalar, parse_filter
from orchestrator.domain.identity import DEFAULT_WORKSPACE, EVERYONE
from orchestrator.http.dependencies import App, Caller
from orchestrator.http.idempotency import Accepted, Key, Repeatable, digest, file_digest, once
from orchestrator.http.problems import Problem
from orchestrator.http.schemas import DocumentList, DocumentView, ReceiptView
from orchestrator.ports.catalog import Wanted
from orchestrator.wiring import Application

router = APIRouter(prefix="/v1/documents", tags=["documents"])

MAX_NAME: Final = 1024
_METADATA: Final = TypeAdapter(
    dict[str, Scalar | list[Scalar] | None], config=ConfigDict(allow_inf_nan=False)
)
_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Problem} for status in (404, 409, 413, 415, 422, 429)
}


@router.post(
    "",
    status_code=202,
    response_model=DocumentView,
    responses=_PROBLEMS,
    summary="Upload a document",
)
async def upload(
    app: App,
    caller: Caller,
    request: Request,
    file: Annotated[
        UploadFile,
        File(
            description="PDF, DOCX, PPTX, XLSX, HTML, Markdown, text, CSV, JSON, or a zip of these."
        ),
    ],
    workspace: Annotated[str, Form()] = DEFAULT_WORKSPACE,
    source_id: Annotated[
        str | None,
        Form(max_length=MAX_NAME, description="Its identity for good; by default the file's name."),
    ] = None,
    title: Annotated[str | None, Form(max_length=MAX_NAME)] = None,
    metadata: Annotated[str, Form(description="A JSON object of scalars and lists.")] = "{}",
    acl: Annotated[
        str, Form(description="Groups that may see it: a JSON list, or parted by commas.")
    ] = EVERYONE,
    key: Key = None,
) -> JSONResponse:
    """Store and queue a document; follow its status at `Location`.

    The same `source_id` again is a new version; the same bytes again are no change.
    """
    limit = app.settings.http.max_upload_bytes
    if file.size is not None and file.size > limit:
        raise TooLarge(f"a document holds at most {limit} bytes", field="file")
    form = await request.form()
    if len(form.getlist("file")) > 1:
        raise Rejected("one file at a time: send several to /v1/documents:batch", field="file")
    name = file.filename or source_id or "document"
    given = Upload(
        source_id=(source_id or name).strip() or name,
        content=file.file,
        filename=name,
        title=title,
        metadata=_read_metadata(metadata),
        acl=_read_acl("" if form.get("acl") == "" else acl),
    )

    def fingerprint() -> str:
        said = (given.source_id, name, title or "", metadata, *sorted(given.acl))
        return digest("file", workspace, file_digest(given.content), *said)

    repeatable = Repeatable(caller, key, fingerprint, workspace)
    return await once(app, repeatable, lambda: accepted(app, workspace, given))


async def accepted(app: Application, workspace: str, upload: Upload) -> Accepted:
    """Take a document in; where to follow it, and how long it will about take."""
    registered = await app.intake.file(workspace, upload)
    document = registered.document
    view = DocumentView.of(document, duplicate=registered.duplicate)
    seconds = await app.ingestion.processing_time() if document.stage else 0.0
    return Accepted(f"/v1/documents/{document.id}", view, document.id, seconds)


@router.get("", responses=_PROBLEMS, summary="List documents")
async def documents(
    app: App,
    caller: Caller,
    workspace: str = DEFAULT_WORKSPACE,
    after: Annotated[str | None, Query(description="`next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    status: Annotated[Literal["queued", "processing", "indexed", "failed"] | None, Query()] = None,
    source_id: Annotated[
        str, Query(max_length=MAX_NAME, description="How the source id begins.")
    ] = "",
    filters: Annotated[
        str | None, Query(description="Conditions on metadata: those of a question, as JSON.")
    ] = None,
) -> DocumentList:
    """The documents that the caller may see, a page at a time, narrowed as wished."""
    wanted = Wanted(
        status=Status(status) if status else None,
        source_prefix=source_id,
        filters=None if filters is None else _read_filters(filters),
    )
    found = await app.ingestion.documents(
        workspace, principal=caller, after=after, limit=limit, wanted=wanted
    )
    return DocumentList(
        documents=[DocumentView.of(one) for one in found],
        next=found[-1].id if len(found) == limit else None,
    )


@router.get("/{document_id}", responses=_PROBLEMS, summary="Follow a document")
async def document(app: App, caller: Caller, document_id: str) -> DocumentView:
    """Where a document stands; `indexed` means that it can be found now."""
    found = await app.ingestion.document(document_id)
    return DocumentView.of(found, near_duplicates=await app.records.alike(found, principal=caller))


@router.delete("/{document_id}", responses=_PROBLEMS, summary="Delete a document")
async def delete(app: App, document_id: str) -> ReceiptView:
    """Hide a document from every request that begins after this answer, and purge its traces.

    Again, it gives the receipt as it is by then.
    """
    return ReceiptView.of(await app.withdrawals.document(document_id))


def _read_filters(raw: str) -> Filter:
    try:
        return parse_filter(json.loads(raw))
    except (ValueError, RecursionError) as error:
        raise Rejected(
            "filters must be a condition in JSON", code="invalid_filter", field="filters"
        ) from error


def _read_metadata(raw: str) -> Metadata:
    try:
        return _METADATA.validate_json(raw)
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise Rejected(
            f"metadata must be a JSON object of strings, numbers, booleans and lists: {reason}",
            code="invalid_metadata",
            field="metadata",
        ) from error


def _read_acl(raw: str) -> frozenset[str]:
    try:
        groups = json.loads(raw) if raw.lstrip().startswith("[") else raw.split(",")
        raw.encode()
        json.dumps(groups, ensure_ascii=False).encode()  # half a character is no name
    except (ValueError, RecursionError):
        groups = []
    names = [name.strip() for name in groups if isinstance(name, str)]
    if not names or not all(names) or len(names) != len(groups):
        raise Rejected(
            "acl must name at least one group, as a JSON list or parted by commas",
            code="invalid_acl",
            field="acl",
        )
    return frozenset(names)
