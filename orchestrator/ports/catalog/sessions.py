"""Sessions, and what was said in them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from orchestrator.domain.identity import Principal
from orchestrator.domain.sessions import Exchange, Session


class Sessions(Protocol):
    """Conversations, each of one subject in one workspace: to all others there is none."""

    async def create(self, workspace: str, subject: str, *, title: str | None) -> Session:
        """A session in the workspace of that uid.

        Raises:
            NotFound: when the workspace is gone (`unknown_workspace`).
        """
        ...

    async def get(self, session_id: str, *, subject: str) -> Session:
        """The subject's session.

        Raises:
            NotFound: when there is none, or it is another's (`unknown_session`).
        """
        ...

    async def list(
        self, workspace: str, *, subject: str, after: str | None, limit: int
    ) -> Sequence[Session]:
        """The subject's sessions in a workspace, newest first, from the one after that id."""
        ...

    async def exchanges(
        self, session_id: str, *, principal: Principal, before: int | None, limit: int
    ) -> Sequence[Exchange]:
        """The last exchanges before that number, oldest first; none of another's session.

        An answer is None if it may hold text of a document that the principal may not see now.
        """
        ...

    async def append(self, session_id: str, exchange: Exchange) -> None:
        """Add an exchange; its answer is left out if one of its documents is deleted by now.

        Raises:
            NotFound: when the session is gone (`unknown_session`).
        """
        ...

    async def delete(self, session_id: str, *, subject: str) -> None:
        """Erase the subject's session; raises what `get` does."""
        ...

    async def forget(self, before: datetime) -> int:
        """Erase sessions that were last used before; how many."""
        ...
