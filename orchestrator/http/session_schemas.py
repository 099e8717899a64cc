"""What requests and responses about sessions look like."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from orchestrator.domain.identity import DEFAULT_WORKSPACE
from orchestrator.domain.sessions import Exchange, Session
from orchestrator.http.schemas import Keepable, Name

Title = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), Keepable
]


class SessionCreate(BaseModel):
    """A new session."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"workspace": "legal", "title": "Leave"}]}
    )

    workspace: Name = DEFAULT_WORKSPACE
    title: Title | None = None


class SessionView(BaseModel):
    """A session; `used_at` is when the last answer in it was kept."""

    id: str
    workspace: str
    title: str | None
    created_at: datetime
    used_at: datetime

    @classmethod
    def of(cls, session: Session, workspace: str) -> SessionView:
        """From the domain's session, in the workspace of that name."""
        return cls(
            id=session.id,
            workspace=workspace,
            title=session.title,
            created_at=session.created_at,
            used_at=session.used_at,
        )


class SessionList(BaseModel):
    """A page of sessions, newest first; `next` is the cursor of the following one."""

    sessions: list[SessionView]
    next: str | None


class CitedView(BaseModel):
    """A passage that an answer was made from, in the order of its numbers."""

    doc_id: str
    chunk_id: str
    cited: bool


class MessageView(BaseModel):
    """A question, or its answer, which has the question's number.

    An answer's `text` is null where it may hold text of a document that was deleted, or that the
    caller may not see any more.
    """

    number: int
    role: Literal["user", "assistant"]
    text: str | None
    at: datetime | None
    answerable: bool | None = None
    sources: list[CitedView] = []

    @classmethod
    def pair(cls, exchange: Exchange) -> tuple[MessageView, MessageView]:
        """The question and the answer of an exchange."""
        asked = cls(number=exchange.number, role="user", text=exchange.question, at=exchange.at)
        answer = cls(
            number=exchange.number,
            role="assistant",
            text=exchange.answer,
            at=exchange.at,
            answerable=exchange.answerable,
            sources=[
                CitedView(doc_id=one.doc_id, chunk_id=one.chunk_id, cited=one.cited)
                for one in exchange.sources
            ],
        )
        return asked, answer


class SessionDetail(SessionView):
    """A session with its last messages; `before` is the cursor of the earlier ones."""

    messages: list[MessageView]
    before: int | None

    @classmethod
    def with_messages(cls, view: SessionView, exchanges: Sequence[Exchange]) -> SessionDetail:
        """The session, with a page of what was said."""
        first = exchanges[0].number if exchanges else 1
        return cls(
            **view.model_dump(),
            messages=[one for exchange in exchanges for one in MessageView.pair(exchange)],
            before=first if first > 1 else None,
        )
