"""What a route is handed: the application, and who calls."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from orchestrator.domain.identity import ANONYMOUS, Principal
from orchestrator.wiring import Application


async def application(request: Request) -> Application:
    """The open application of this process."""
    opened: Application = request.app.state.application
    return opened


async def caller() -> Principal:
    """Who calls: anonymous, until an authenticator is configured; never a header on trust."""
    return ANONYMOUS


App = Annotated[Application, Depends(application)]
Caller = Annotated[Principal, Depends(caller)]
