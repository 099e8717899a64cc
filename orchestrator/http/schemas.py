"""What requests and responses look like, with examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StringConstraints,
    TypeAdapter,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from orchestrator.domain.analytics import Percentiles, Report
from orchestrator.domain.answers import MAX_QUERY_CHARACTERS, MAX_TOP_K, Query, Source, Usage
from orchestrator.domain.characters import UNKEPT, kept
from orchestrator.domain.documents import Document, Reading, Receipt
from orchestrator.domain.filters import parse_filter
from orchestrator.domain.history import Version, differences
from orchestrator.domain.identity import DEFAULT_WORKSPACE, Principal, Scope
from orchestrator.domain.passages import StageScore
from orchestrator.domain.quotas import Holding, Quota
from orchestrator.domain.understanding import Understood
from orchestrator.domain.workspaces import (
    Fusion,
    Reach,
    Reranking,
    Understanding,
    Workspace,
    WorkspaceConfig,
)
from orchestrator.indexing.projection import Audit
from orchestrator.settings.changing import MEANINGS, SEARCH, search_settings

Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_QUERY_CHARACTERS),
]
Kept = TypeVar("Kept")
State = Literal["ok", "degraded", "down"]


def _kept(value: Kept) -> Kept:
    if not kept(value):
        raise ValueError(UNKEPT)
    return value


Keepable = AfterValidator(_kept)
"""What is stored: text that not every store can keep is refused, naming the field."""
Name = Annotated[str, StringConstraints(min_length=1, max_length=64), Keepable]


class Asking(BaseModel):
    """What a question and a search have in common."""

    model_config = ConfigDict(extra="forbid")

    query: Text = Field(description="The question, in words.")
    workspace: Name = DEFAULT_WORKSPACE
    top_k: int = Field(5, ge=1, le=MAX_TOP_K, description="How many passages at most.")
    filters: dict[str, Any] | None = Field(
        None,
        description="Conditions on metadata: `{field, op, value}`, or `and`, `or`, `not` of such. "
        "Operators: eq, ne, in, gt, gte, lt, lte, prefix, exists.",
        examples=[{"and": [{"field": "department", "op": "eq", "value": "finance"}]}],
    )

    def as_query(self, principal: Principal) -> Query:
        """The domain's query, asked by the principal."""
        filters = parse_filter(self.filters) if self.filters is not None else None
        return Query(self.query, Scope(self.workspace, principal, filters), self.top_k)


class Question(Asking):
    """A question, whichever way it comes."""

    model: Name | None = Field(
        None, description="Who answers, of the workspace's models; by default, its generator."
    )

    def as_query(self, principal: Principal) -> Query:
        """The domain's query, asked by the principal of the model."""
        return replace(super().as_query(principal), model=self.model or "")


class QueryRequest(Question):
    """A question, to be answered at once or as events."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"query": "How fast are refunds paid?", "top_k": 5}]},
    )

    stream: bool = Field(False, description="Answer as server-sent events.")
    session: Annotated[str, StringConstraints(min_length=1, max_length=64), Keepable] | None = (
        Field(None, description="The conversation to go on with: what was said in it is read.")
    )

    def as_query(self, principal: Principal) -> Query:
        """The domain's query, asked by the principal in the session."""
        return replace(super().as_query(principal), session=self.session or "")


class _Part:
    """In the API's description, a part of the settings; as it comes, whatever the object holds."""

    def __init__(self, model: type[object]) -> None:
        self._model = model

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(TypeAdapter(self._model).core_schema)


Tree = dict[str, Any] | None


class SearchPatch(BaseModel):
    """Search settings to be changed: a JSON merge patch (RFC 7396).

    What is left out stays, and null is the default.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"fusion": {"method": "rrf"}, "depth": 50}]},
    )

    retriever: str | None = Field(None, description=MEANINGS["retriever"])
    fusion: Annotated[Tree, _Part(Fusion)] = Field(None, description=MEANINGS["fusion"])
    depth: int | None = Field(None, ge=1, le=1000, description=MEANINGS["depth"])
    understanding: Annotated[Tree, _Part(Understanding)] = Field(
        None, description=MEANINGS["understanding"]
    )
    reach: Annotated[Tree, _Part(Reach)] = Field(None, description=MEANINGS["reach"])
    reranker: str | None = Field(None, description=MEANINGS["reranker"])
    reranking: Annotated[Tree, _Part(Reranking)] = Field(None, description=MEANINGS["reranking"])

    def patch(self) -> dict[str, Any]:
        """What was given, and no more."""
        return {name: getattr(self, name) for name in self.model_fields_set & set(SEARCH)}


class SearchChange(SearchPatch):
    """A patch, made if `expected_version` is still the current one; without it, on any."""

    expected_version: int | None = Field(None, description="The version that was read.")


class SearchSettings(BaseModel):
    """How questions are searched."""

    retriever: str = Field(description=MEANINGS["retriever"])
    fusion: Fusion = Field(description=MEANINGS["fusion"])
    depth: int = Field(description=MEANINGS["depth"])
    understanding: Understanding = Field(description=MEANINGS["understanding"])
    reach: Reach = Field(description=MEANINGS["reach"])
    reranker: str = Field(description=MEANINGS["reranker"])
    reranking: Reranking = Field(description=MEANINGS["reranking"])


class SearchSettingsView(BaseModel):
    """A workspace's search settings, and the version of its configuration that they are of."""

    config_version: int
    settings: SearchSettings

    @classmethod
    def of(cls, workspace: Workspace) -> SearchSettingsView:
        """From the domain's workspace."""
        settings = SearchSettings(**search_settings(workspace.config))
        return cls(config_version=workspace.config_version, settings=settings)


class ChangeView(BaseModel):
    """One setting that a version changed."""

    field: str
    before: Any
    after: Any


class VersionView(BaseModel):
    """A version of a configuration, and what it changed of the one before it."""

    version: int
    at: datetime
    by: str | None = Field(description="Who made it; null where that was not kept.")
    changed: list[ChangeView]

    @classmethod
    def all_of(cls, history: Sequence[Version]) -> list[VersionView]:
        """From the versions, newest first."""
        before = [*(one.config for one in history[1:]), None]
        return [
            cls(
                version=one.number,
                at=one.at,
                by=one.by,
                changed=[
                    ChangeView(field=change.field, before=change.before, after=change.after)
                    for change in (differences(earlier, one.config) if earlier else ())
                ],
            )
            for one, earlier in zip(history, before, strict=True)
        ]


class CountView(BaseModel):
    """A text, and how often it came."""

    text: str
    count: int


class SearchReport(BaseModel):
    """What was searched for in the last days, and how it went; days are those of UTC."""

    days: int
    since: date
    searches: int = Field(description="Searches and questions together.")
    outcomes: dict[str, int] = Field(description="`found`, `weak` and `none`.")
    degraded: float = Field(description="The share that was answered without some dependency.")
    cached: float = Field(description="The share that came from the cache.")
    corrected: float = Field(description="The share in which a word was corrected.")
    stages: dict[str, Percentiles]
    usage: list[Usage] = Field(description="Tokens and cost of the answers, by language model.")
    questions_recorded: bool = Field(description="Whether the settings let texts be kept now.")
    none: list[CountView] = Field(description="The most frequent questions without results.")
    weak: list[CountView] = Field(description="The most frequent questions with weak ones.")
    corrections: list[CountView] = Field(
        description="Their most frequent words that were read as others; not what as."
    )

    @classmethod
    def of(cls, report: Report, *, days: int, since: date, recorded: bool) -> SearchReport:
        """From the domain's report."""
        texts = {
            name: [CountView(text=text, count=count) for text, count in getattr(report, name)]
            for name in ("none", "weak", "corrections")
        }
        return cls(
            days=days,
            since=since,
            searches=report.searches,
            outcomes=dict(report.outcomes),
            degraded=report.degraded,
            cached=report.cached,
            corrected=report.corrected,
            stages=dict(report.stages),
            usage=list(report.usage),
            questions_recorded=recorded,
            **texts,
        )


class SearchRequest(Asking):
    """A search: retrieval alone."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"query": "error E1042", "mode": "keyword", "group_by": "document"}]
        },
    )

    top_k: int = Field(10, ge=1, le=MAX_TOP_K, description="How many passages at most.")
    mode: Literal["hybrid", "dense", "keyword"] | None = Field(
        None, description="By default, the workspace's own retriever."
    )
    group_by: Literal["document"] | None = Field(
        None, description="`document`: only the best passage of each."
    )
    rerank: bool = Field(False, description="Ask the workspace's reranker too, as answers do.")
    explain: bool = Field(False, description="Say of each hit why it is there.")
    settings: SearchPatch | None = Field(
        None, description="Search settings to be tried: for this search alone."
    )


class SearchHit(BaseModel):
    """A passage that was found, with what each stage said of it."""

    doc_id: str
    chunk_id: str
    source_id: str
    title: str
    snippet: str
    score: float = Field(description="In [0, 1]; compares only within one response.")
    scores: dict[str, StageScore] = Field(description="Each stage's raw score, and its rank.")
    why: list[str] | None = Field(None, description="Why it is there, if `explain` asked so.")
    page: int | None
    section: str | None
    start: int
    end: int

    @classmethod
    def of(cls, source: Source, why: Sequence[str] | None = None) -> SearchHit:
        """From the domain's source."""
        return cls.model_construct(
            doc_id=source.doc_id,
            chunk_id=source.chunk_id,
            source_id=source.source_id,
            title=source.title,
            snippet=source.snippet,
            score=source.score,
            scores=dict(source.scores),
            why=why,
            page=source.page,
            section=source.section,
            start=source.start,
            end=source.end,
        )


class SearchMeta(BaseModel):
    """How a search came to be."""

    latency_ms: float
    trace_id: str
    timings_ms: dict[str, float]
    degraded: list[str]
    retriever: str = Field("", description="The kind of retriever that searched.")
    reranker: str = Field("none", description="The kind of reranker that was asked.")
    revision: int = Field(0, description="The state of the workspace that was searched.")
    config_version: int = Field(0, description="The version of its configuration.")
    tried: bool = Field(False, description="Whether settings of the request's own were tried.")
    fusion: Fusion | None = Field(
        None, description="How two rankings were fused: the weights of this question."
    )
    query: Understood | None = Field(None, description="What the question was understood as.")


class SearchResponse(BaseModel):
    """What was found, best first."""

    hits: list[SearchHit]
    meta: SearchMeta


class ReceiptView(BaseModel):
    """The proof of a deletion: no request begun after it shows the document."""

    document_id: str
    revision: int
    deleted_at: datetime
    complete: bool = Field(description="Whether every store has been purged.")
    stores: dict[str, str] = Field(description="`purged`, or `pending: why`.")

    @classmethod
    def of(cls, receipt: Receipt) -> ReceiptView:
        """From the domain's receipt."""
        return cls(
            document_id=receipt.document_id,
            revision=receipt.revision,
            deleted_at=receipt.deleted_at,
            complete=receipt.complete,
            stores=dict(receipt.stores),
        )


class HoldView(BaseModel):
    """A legal hold, and why."""

    reason: str
    since: datetime


class DocumentView(BaseModel):
    """A document and where it stands."""

    id: str
    source_id: str
    title: str
    status: Literal["queued", "processing", "indexed", "failed", "deleted"]
    stage: Literal["queued", "parsing", "embedding", "indexing"] | None = Field(
        description="What is being done for it; none when nothing is."
    )
    progress: float | None = Field(
        description="The share of the way that lies behind it, in [0, 1]; none where there is "
        "no way on."
    )
    error: str | None = Field(description="Why it failed, for people.")
    error_code: str | None = Field(description="Why it failed: stable, and for programs.")
    warnings: list[str] = Field(description="What could not be read of it.")
    media_type: str
    size: int = Field(description="In bytes.")
    sha256: str
    version: int
    pages: int | None = Field(description="None where its format has none, or it was not read.")
    chunks: int
    properties: dict[str, str] = Field(description="What the file says of itself.")
    metadata: dict[str, Any]
    acl: list[str]
    created_at: datetime
    updated_at: datetime
    queued_at: datetime | None
    indexed_at: datetime | None
    timings: dict[str, float] = Field(
        description="Seconds `queued`, `parsing`, `chunking`, `embedding` with its batch, `total`."
    )
    hold: HoldView | None = Field(description="While there is one, it cannot be deleted.")
    near_duplicates: list[str] | None = Field(
        None, description="Documents of nearly the same text; only where one document is read."
    )
    duplicate: bool | None = Field(
        None, description="On upload: whether these bytes were there already."
    )
    receipt: ReceiptView | None = None

    @classmethod
    def of(
        cls,
        document: Document,
        *,
        duplicate: bool | None = None,
        near_duplicates: Sequence[str] | None = None,
    ) -> DocumentView:
        """From the domain's document."""
        reading, hold = document.reading or Reading(), document.hold
        return cls(
            id=document.id,
            source_id=document.source_id,
            title=document.title,
            status=document.status.value,
            stage=document.stage.value if document.stage else None,
            progress=document.progress,
            error=document.error,
            error_code=document.error_code,
            warnings=list(reading.warnings),
            media_type=document.media_type,
            size=document.size,
            sha256=document.content_hash,
            version=document.version,
            pages=reading.pages,
            chunks=document.chunks,
            properties=dict(reading.properties),
            metadata=dict(document.metadata),
            acl=sorted(document.acl),
            created_at=document.created_at,
            updated_at=document.updated_at,
            queued_at=document.queued_at,
            indexed_at=document.indexed_at,
            timings=dict(reading.timings),
            hold=HoldView(reason=hold.reason, since=hold.since) if hold else None,
            near_duplicates=None if near_duplicates is None else list(near_duplicates),
            duplicate=duplicate,
            receipt=ReceiptView.of(document.receipt) if document.receipt else None,
        )


class DocumentList(BaseModel):
    """A page of documents; `next` is the cursor of the following one."""

    documents: list[DocumentView]
    next: str | None


class WorkspaceCreate(BaseModel):
    """A new workspace."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "legal"}]})

    name: Name
    config: WorkspaceConfig | None = None


class Configure(BaseModel):
    """The next version of a configuration, if `expected_version` is still the current one."""

    model_config = ConfigDict(extra="forbid")

    config: WorkspaceConfig
    expected_version: int


class Rollback(BaseModel):
    """An earlier version of a configuration, to be made the next one."""

    model_config = ConfigDict(extra="forbid")

    version: int


class WorkspaceView(BaseModel):
    """A workspace."""

    name: str
    revision: int
    config_version: int
    config: WorkspaceConfig
    created_at: datetime

    @classmethod
    def of(cls, workspace: Workspace) -> WorkspaceView:
        """From the domain's workspace."""
        return cls(
            name=workspace.name,
            revision=workspace.revision,
            config_version=workspace.config_version,
            config=workspace.config,
            created_at=workspace.created_at,
        )


class WorkspaceDetail(WorkspaceView):
    """A workspace with every version of its configuration, what it holds and what it may."""

    versions: dict[int, WorkspaceConfig]
    holds: Holding
    quota: Quota = Field(description="The operator's limits; null is none.")


class IndexView(BaseModel):
    """An index as it is, against what the catalog says it should be."""

    workspace: str
    index: str
    held: int = Field(description="Chunks in the index.")
    missing: int = Field(description="Chunks that it lacks.")
    surplus: int = Field(description="Chunks that it should no longer hold.")
    faults: list[str] = Field(description="What is damaged.")
    agrees: bool

    @classmethod
    def of(cls, workspace: str, index: str, audit: Audit) -> IndexView:
        """From what an audit found."""
        return cls(
            workspace=workspace,
            index=index,
            held=audit.held,
            missing=audit.missing,
            surplus=audit.surplus,
            faults=list(audit.faults),
            agrees=audit.agrees,
        )


class HealthView(BaseModel):
    """The state of each dependency."""

    status: State
    down: list[str]
    dependencies: dict[str, str]
    version: str
