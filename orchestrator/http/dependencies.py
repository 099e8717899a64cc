"""What a route is handed: the application, and who calls."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from starlette.requests import HTTPConnection

from orchestrator.domain.identity import ANONYMOUS, Principal
from orchestrator.wiring import Application


def application(request: HTTPConnection) -> Application:
    """The open application of this process."""
    opened: Application = request.app.state.application
    return opened


def caller(_request: HTTPConnection) -> Principal:
    """Who calls: anonymous, until an authenticator is configured; never a header on trust."""
    return ANONYMOUS


async def _application(request: Request) -> Application:
    return application(request)


async def _caller(request: Request) -> Principal:
    return caller(request)


App = Annotated[Application, Depends(_application)]
Caller = Annotated[Principal, Depends(_caller)]
