"""Sessions while a question is answered: what was said before it, and what is kept of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from orchestrator.domain.answers import Answer, Query, Turn
from orchestrator.domain.characters import keepable
from orchestrator.domain.errors import NotFound, Unavailable
from orchestrator.domain.sessions import Cited, Exchange, Session, turns, unknown_session
from orchestrator.ports.catalog import Sessions

RECALLED: Final = 20
"""So many exchanges back, at most, a question is understood from."""


class Talk:
    """One session, as far as the question's caller may see it."""

    def __init__(self, sessions: Sessions, session: Session, said: Sequence[Exchange]) -> None:
        self._sessions = sessions
        self._session = session
        self._said = said

    @classmethod
    async def of(cls, sessions: Sessions, query: Query) -> Talk:
        """Of the session that the query names.

        Raises:
            NotFound: when there is none, or it is another's.
        """
        principal = query.scope.principal
        session, said = await asyncio.gather(
            sessions.get(query.session, subject=principal.subject),
            sessions.exchanges(query.session, principal=principal, before=None, limit=RECALLED),
        )
        return cls(sessions, session, said)

    @property
    def history(self) -> tuple[Turn, ...]:
        """What was said, oldest first."""
        return turns(self._said)

    def require_in(self, workspace: str) -> None:
        """Let it through if it is in the workspace of that uid.

        Raises:
            NotFound: else.
        """
        if self._session.workspace != workspace:
            raise unknown_session(self._session.id)

    async def kept(self, query: Query, answer: Answer) -> Answer:
        """The answer, once it is kept; else it says that it is not."""
        exchange = Exchange(
            question=keepable(query.text),
            answer=keepable(answer.answer),
            answerable=answer.answerable,
            sources=tuple(Cited(one.doc_id, one.chunk_id, one.cited) for one in answer.sources),
            heard=self._heard(answer),
        )
        try:
            await self._sessions.append(self._session.id, exchange)
        except (Unavailable, NotFound):
            degraded = (*answer.meta.degraded, "session")
            return replace(answer, meta=replace(answer.meta, degraded=degraded))
        return answer

    def _heard(self, answer: Answer) -> frozenset[str]:
        """The documents of earlier answers, where a model made the question whole with those."""
        understood = answer.meta.query
        follow_up = understood.follow_up if understood else None
        if not (follow_up and follow_up.by == "model" and follow_up.standalone != follow_up.asked):
            return frozenset()
        return frozenset().union(*(one.documents for one in self._said if one.answer is not None))
