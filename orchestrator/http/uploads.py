"""`/v1/documents:…` and `/v1/jobs`: the other ways of handing documents in, and their progress."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, TypeAdapter, ValidationError

from orchestrator.domain.batches import Batch, Item
from orchestrator.domain.documents import Upload
from orchestrator.domain.errors import Rejected
from orchestrator.domain.identity import DEFAULT_WORKSPACE, Principal
from orchestrator.http.dependencies import App, Caller
from orchestrator.http.documents import accepted
from orchestrator.http.forms import (
    MAX_NAME,
    FileItem,
    JobSummary,
    JobView,
    ManifestRequest,
    Named,
    QaRequest,
    TextRequest,
    WebsiteRequest,
)
from orchestrator.http.idempotency import Accepted, Key, Repeatable, digest, file_digest, once
from orchestrator.http.problems import Problem
from orchestrator.http.records import MAX_NUMBER
from orchestrator.http.schemas import DocumentView
from orchestrator.http.spooling import Form, spooled
from orchestrator.ingestion.intake import qa_upload, text_upload
from orchestrator.wiring import Application

router = APIRouter(tags=["documents"])

_ITEMS: Final = TypeAdapter(list[FileItem])
PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Problem} for status in (403, 404, 409, 413, 415, 422, 429)
}
_DOCUMENT: Final[dict[str, Any]] = {
    "status_code": 202,
    "response_model": DocumentView,
    "responses": PROBLEMS,
}
_JOB: Final[dict[str, Any]] = {**_DOCUMENT, "response_model": JobSummary}
_EITHER: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {
                        "files": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                        },
                        "workspace": {"type": "string", "default": DEFAULT_WORKSPACE},
                        "items": {
                            "type": "string",
                            "description": "A JSON list, one object for each file in order: "
                            "`source_id`, `title`, `metadata`, `acl`.",
                            "examples": ['[{"source_id": "policies/refunds"}, {}]'],
                        },
                    },
                }
            },
            "application/json": {
                "schema": ManifestRequest.model_json_schema(
                    ref_template="#/paths/~1v1~1documents:batch/post/requestBody/content/"
                    "application~1json/schema/$defs/{model}"
                )
            },
        },
    }
}


@router.post("/v1/documents:text", summary="Hand in plain text", **_DOCUMENT)
async def text(app: App, caller: Caller, body: TextRequest, key: Key = None) -> JSONResponse:
    """Store and queue a text as a document; follow its status at `Location`."""
    return await _document(app, caller, key, body, text_upload(body.text, **body.values()))


@router.post("/v1/documents:qa", summary="Hand in questions and answers", **_DOCUMENT)
async def qa(app: App, caller: Caller, body: QaRequest, key: Key = None) -> JSONResponse:
    """One document of pairs: a search compares with the questions, and shows the answers."""
    pairs = [(pair.question, pair.answer) for pair in body.pairs]
    return await _document(app, caller, key, body, qa_upload(pairs, **body.values()))


@router.post("/v1/documents:batch", summary="Hand in many documents", openapi_extra=_EITHER, **_JOB)
async def batch(app: App, caller: Caller, request: Request, key: Key = None) -> JSONResponse:
    """Many files in a form, or a manifest of paths and URLs in JSON; follow them at `Location`.

    What is refused hinders nothing else: the job says of each what became of it.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().casefold()
    if kind == "application/json":
        return await _manifest(app, caller, request, key)
    async with _form(app, request) as form:
        workspace = form.fields.get("workspace", DEFAULT_WORKSPACE)
        uploads = _uploads(form)

        def fingerprint() -> str:
            said = [form.fields.get("items", "")]
            files = [
                part for one in form.files for part in (one.filename, file_digest(one.content))
            ]
            return digest("batch", workspace, *said, *files)

        async def act() -> Accepted:
            return _job(await app.intake.files(workspace, uploads))

        return await once(app, Repeatable(caller, key, fingerprint, workspace), act)


@router.post("/v1/documents:website", summary="Hand in a website", **_JOB)
async def website(app: App, caller: Caller, body: WebsiteRequest, key: Key = None) -> JSONResponse:
    """Read the pages of one host in the background; each becomes a document named by its URL."""
    first = Item(body.url, body.url, metadata=body.metadata, acl=frozenset(body.acl))

    async def act() -> Accepted:
        limits = {
            "max_pages": body.max_pages,
            "max_depth": body.max_depth,
            "max_bytes": app.settings.web.max_crawl_bytes,
        }
        return _job(await app.intake.website(body.workspace, first, **limits))

    return await once(app, _repeatable(caller, key, "website", body, body.workspace), act)


@router.get("/v1/jobs/{job_id}", tags=["jobs"], responses=PROBLEMS, summary="Follow a job")
async def job(
    app: App,
    job_id: str,
    after: Annotated[int, Query(ge=0, le=MAX_NUMBER, description="`next` of the page before.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> JobView:
    """Where a batch or a crawl stands, and a page of its items."""
    found, lines = await app.intake.job(job_id, after=after, limit=limit)
    return JobView.page(found, lines, limit)


async def _document(
    app: Application, caller: Principal, key: str | None, body: Named, upload: Upload
) -> JSONResponse:
    kind = type(body).__name__
    request = _repeatable(caller, key, kind, body, body.workspace)
    return await once(app, request, lambda: accepted(app, body.workspace, upload))


async def _manifest(
    app: Application, caller: Principal, request: Request, key: str | None
) -> JSONResponse:
    try:
        body = ManifestRequest.model_validate(_json(await request.body()))
        items = [one.item() for one in body.items]
    except ValidationError as error:
        errors = [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]
        raise RequestValidationError(errors) from error
    except ValueError as error:
        raise Rejected(str(error), code="invalid_request", field="items") from error

    async def act() -> Accepted:
        return _job(await app.intake.manifest(body.workspace, items))

    return await once(app, _repeatable(caller, key, "manifest", body, body.workspace), act)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        wrong = {"type": "json_invalid", "loc": ("body",), "ctx": {"error": str(error)}}
        raise RequestValidationError([wrong]) from error


@asynccontextmanager
async def _form(app: Application, request: Request) -> AsyncIterator[Form]:
    async with spooled(request, max_files=app.settings.http.max_batch_files) as form:
        if strays := form.fields.keys() - {"workspace", "items"}:
            name = min(strays)
            raise Rejected(f"there is no field '{name}'", code="unknown_field", field=name)
        if not form.files:
            raise Rejected("the form holds no file", code="invalid_request", field="files")
        yield form


def _uploads(form: Form) -> list[Upload]:
    """Each file with what is said of it."""
    try:
        said = _ITEMS.validate_json(form.fields.get("items", "[]"))
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(str(part) for part in ("items", *first["loc"]))
        raise Rejected(f"{at}: {first['msg']}", code="invalid_items", field="items") from error
    if said and len(said) != len(form.files):
        raise Rejected(
            f"items describes {len(said)} files, and {len(form.files)} came",
            code="invalid_items",
            field="items",
        )
    return [
        Upload(
            source_id=(item.source_id or file.filename.strip() or "document")[:MAX_NAME],
            content=file.content,
            filename=file.filename or "document",
            title=item.title,
            metadata=item.metadata,
            acl=frozenset(item.acl),
        )
        for file, item in zip(form.files, said or [FileItem()] * len(form.files), strict=True)
    ]


def _repeatable(
    caller: Principal, key: str | None, kind: str, body: BaseModel, workspace: str
) -> Repeatable:
    return Repeatable(caller, key, lambda: digest(kind, body.model_dump_json()), workspace)


def _job(batch: Batch) -> Accepted:
    return Accepted(f"/v1/jobs/{batch.id}", JobSummary.of(batch))
