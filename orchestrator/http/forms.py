"""What requests that hand documents in look like, and what is told of their jobs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from orchestrator.domain.answers import MAX_QUERY_CHARACTERS
from orchestrator.domain.batches import Batch, Item, Line
from orchestrator.domain.characters import visible
from orchestrator.domain.filters import Scalar
from orchestrator.domain.identity import DEFAULT_WORKSPACE, EVERYONE
from orchestrator.domain.places import MAX_URL
from orchestrator.http.schemas import Keepable, Name

MAX_NAME: Final = 1024
MAX_ANSWER: Final = 20_000
MAX_PAIRS: Final = 10_000
STRICT: Final = ConfigDict(extra="forbid", allow_inf_nan=False)

Given = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_NAME), Keepable
]


def _seen(text: str) -> str:
    if not text.isascii() and any("\ud800" <= one <= "\udfff" for one in text):
        raise ValueError("it holds half of a character")
    if not visible(text):
        raise ValueError("there is nothing in it to be read")
    return text


Visible = AfterValidator(_seen)
"""What a reader is to see: of space and control characters alone, nothing would be left."""


class Described(BaseModel):
    """What every document may come with."""

    model_config = STRICT

    title: Given | None = None
    metadata: Annotated[dict[str, Scalar | list[Scalar] | None], Keepable] = {}
    acl: list[Given] = Field(
        default=[EVERYONE], min_length=1, description="Groups that may see it."
    )


class Named(Described):
    """One document of a workspace."""

    workspace: Name = DEFAULT_WORKSPACE
    source_id: Given = Field(description="Its identity for good; again, it is a new version.")

    def values(self) -> dict[str, Any]:
        """The fields of an upload that say what it is, without what it holds."""
        return {
            "source_id": self.source_id,
            "title": self.title,
            "metadata": self.metadata,
            "acl": frozenset(self.acl),
        }


class TextRequest(Named):
    """Plain text as a document."""

    model_config = ConfigDict(
        **STRICT,
        json_schema_extra={
            "examples": [
                {
                    "source_id": "notes/refunds",
                    "title": "Refunds",
                    "text": "Refunds are paid within 7 days of purchase.",
                    "metadata": {"department": "finance"},
                    "acl": ["everyone"],
                }
            ]
        },
    )

    text: Annotated[str, Visible]


class Pair(BaseModel):
    """A question, which is what a search compares with; and its answer, which is what is shown."""

    model_config = STRICT

    question: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_QUERY_CHARACTERS),
        Visible,
    ]
    answer: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_ANSWER), Visible
    ]


class QaRequest(Named):
    """Questions with their answers as one document."""

    model_config = ConfigDict(
        **STRICT,
        json_schema_extra={
            "examples": [
                {
                    "source_id": "faq/billing",
                    "title": "Billing",
                    "pairs": [
                        {
                            "question": "How fast are refunds paid?",
                            "answer": "Within 7 days of purchase.",
                        }
                    ],
                }
            ]
        },
    )

    pairs: list[Pair] = Field(min_length=1, max_length=MAX_PAIRS)


class FileItem(Described):
    """What is said of one file of a form."""

    source_id: Given | None = Field(default=None, description="By default, the file's name.")


class PlaceItem(Described):
    """A document by where it is: `path` or `url`, one of them."""

    path: Annotated[str, StringConstraints(min_length=1, max_length=4096), Keepable] | None = None
    url: Annotated[str, StringConstraints(min_length=1, max_length=MAX_URL), Keepable] | None = None
    source_id: Given | None = Field(None, description="By default, the path or URL.")

    def item(self) -> Item:
        """The domain's item.

        Raises:
            ValueError: when it names no place, or two.
        """
        if (self.path is None) == (self.url is None):
            raise ValueError("give a path or a url, one of them")
        place = self.path or self.url or ""
        return Item(
            source_id=self.source_id or place,
            place=place,
            title=self.title,
            metadata=self.metadata,
            acl=frozenset(self.acl),
        )


class ManifestRequest(BaseModel):
    """Documents by path or URL."""

    model_config = ConfigDict(
        **STRICT,
        json_schema_extra={
            "examples": [
                {
                    "items": [
                        {"path": "/srv/documents/refunds.md", "source_id": "policies/refunds"},
                        {"url": "https://docs.example.com/travel.html", "acl": ["everyone"]},
                    ]
                }
            ]
        },
    )

    workspace: Name = DEFAULT_WORKSPACE
    items: list[PlaceItem] = Field(min_length=1)


class WebsiteRequest(Described):
    """Where a crawl begins, and how far it may go; metadata and groups are those of every page."""

    model_config = ConfigDict(
        **STRICT,
        json_schema_extra={
            "examples": [{"url": "https://docs.example.com/", "max_pages": 50, "max_depth": 2}]
        },
    )

    title: None = Field(None, description="Each page has its own.")
    workspace: Name = DEFAULT_WORKSPACE
    url: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_URL)]
    max_pages: int = Field(100, ge=1, description="Up to the operator's limit.")
    max_depth: int = Field(3, ge=0, description="Links from the first page.")


class LineView(BaseModel):
    """One document of a job: its id, or the reason why there is none."""

    number: int
    source_id: str
    status: str = Field(
        description="Its document's status; `waiting`, `refused`, or `skipped` where it has none."
    )
    document_id: str | None
    code: str | None
    reason: str | None

    @classmethod
    def of(cls, line: Line) -> LineView:
        """From the domain's line."""
        return cls(
            number=line.number,
            source_id=line.source_id,
            status=line.status,
            document_id=line.document_id,
            code=line.code,
            reason=line.reason,
        )


class JobSummary(BaseModel):
    """Where a batch or a crawl stands."""

    id: str
    kind: Literal["files", "manifest", "website"]
    status: Literal["running", "ended", "interrupted"] = Field(
        description="`interrupted`: the request that sent the files ended before all were taken; "
        "those that still say `waiting` must be sent again."
    )
    total: int = Field(description="Items known by now; a crawl finds more on its way.")
    by_status: dict[str, int]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, batch: Batch) -> JobSummary:
        """From the domain's batch."""
        return cls(
            id=batch.id,
            kind=batch.kind.value,
            status=batch.status,
            total=batch.total,
            by_status=dict(batch.counts),
            created_at=batch.created_at,
            updated_at=batch.updated_at,
        )


class JobView(JobSummary):
    """A job with a page of its items; `next` is the cursor of the following one."""

    items: list[LineView]
    next: int | None

    @classmethod
    def page(cls, batch: Batch, lines: Sequence[Line], limit: int) -> JobView:
        """From the domain's batch and lines."""
        return cls(
            **JobSummary.of(batch).model_dump(),
            items=[LineView.of(line) for line in lines],
            next=lines[-1].number if len(lines) == limit else None,
        )
