"""Answers as they come: events within the time of a request, over connections that may end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, closing
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from orchestrator.domain.answers import Answer, Done, Event, Query
from orchestrator.domain.context import ending
from orchestrator.domain.deadlines import Deadline
from orchestrator.domain.errors import RagError, TimedOut
from orchestrator.http.problems import problem_of, unexpected
from orchestrator.telemetry.counting import count_answer
from orchestrator.wiring import Application

Result = TypeVar("Result")

EVENT_STREAM: Final = "text/event-stream"
KEEP_ALIVE: Final = b": keep-alive\n\n"
SLOWNESS: Final = 2.0
"""Who reads a stream has so many times the time of a request until its end."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The last event of a stream that broke off, as a problem document."""

    problem: dict[str, Any]


Told: TypeAlias = Event | Failure


async def limited(app: Application, work: Awaitable[Result]) -> Result:
    """The result of the work, if it comes within the time of a request."""
    seconds = app.settings.http.timeout_s
    ends = asyncio.get_running_loop().time() + seconds
    try:
        with ending(ends):
            async with asyncio.timeout_at(ends):
                return await work
    except TimeoutError as error:
        raise _timed_out(seconds) from error


def _timed_out(seconds: float) -> TimedOut:
    return TimedOut(f"the request took longer than {seconds:g} s")


@asynccontextmanager
async def attended(receive: Receive) -> AsyncIterator[None]:
    """Cancel the block as soon as the client goes.

    Raises:
        ClientDisconnect: when it went.
    """
    task, left = asyncio.current_task(), False

    async def watch() -> None:
        nonlocal left
        await _gone(receive)
        left = True
        if task:
            task.cancel()

    watching = asyncio.create_task(watch())
    try:
        yield
    except asyncio.CancelledError as error:
        if left and task and task.uncancel() == 0:
            raise ClientDisconnect from error
        raise
    finally:
        watching.cancel()


async def answered(app: Application, asked: Query, receive: Receive) -> Answer:
    """The whole answer, within the time of a request, unless the client goes; it is counted."""
    began = time.perf_counter()
    async with attended(receive):
        answer = await limited(app, app.answering.answer(asked))
    count_answer(app.metrics, app.recorder, asked, answer, time.perf_counter() - began)
    return answer


async def told(app: Application, asked: Query) -> AsyncGenerator[Told]:
    """The events of an answer, within the time of a request; the answer is counted.

    What fails before the first event is raised; after it, a `Failure` is the last one. Closing it
    closes what makes the answer.
    """
    began, started = time.perf_counter(), False
    try:
        async with aclosing(_in_time(app, asked)) as events:
            async for event in events:
                started = True
                if isinstance(event, Done):
                    seconds = time.perf_counter() - began
                    count_answer(app.metrics, app.recorder, asked, event.answer, seconds)
                yield event
    except RagError as error:
        if not started:
            raise
        yield _failure(app, problem_of(error))
    except Exception as error:
        if not started:
            raise
        yield _failure(app, unexpected(error))


async def begun(
    app: Application, asked: Query, receive: Receive
) -> tuple[Told, AsyncGenerator[Told]]:
    """The first event of an answer, unless the client goes before it; and all others."""
    events = told(app, asked)
    async with attended(receive):
        return await anext(events), events


async def _in_time(app: Application, asked: Query) -> AsyncGenerator[Event]:
    seconds = app.settings.http.timeout_s
    ends = asyncio.get_running_loop().time() + seconds
    async with aclosing(app.answering.stream(asked)) as events:
        with closing(Deadline()) as deadline:
            while True:
                try:
                    with ending(ends), deadline.by(ends):  # not around a yield
                        event = await anext(events)
                except StopAsyncIteration:
                    return
                except TimeoutError as error:
                    raise _timed_out(seconds) from error
                yield event


def _failure(app: Application, problem: dict[str, Any]) -> Failure:
    app.metrics.errors.labels(problem["code"]).inc()
    return Failure(problem)


class EventStream(Response):
    """Server-sent events: a comment now and then while nothing comes, no more than is read.

    As soon as the client goes, or the time for reading is over, `events` are closed. The first
    event has come already, so that what fails before it could be told otherwise.
    """

    def __init__(
        self,
        app: Application,
        first: Told,
        events: AsyncGenerator[Told],
        written: Callable[[Told], bytes],
    ) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(None, headers=headers, media_type=EVENT_STREAM)
        del self.headers["content-length"]
        self._silence_s = app.settings.http.heartbeat_s
        self._limit_s = app.settings.http.timeout_s * SLOWNESS
        self._first = first
        self._events = events
        self._written = written
        self._sending = asyncio.Lock()
        self._sent_at = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Tell all of it, unless the client goes."""
        telling = asyncio.create_task(self._tell(send))
        leaving = asyncio.create_task(_gone(receive))
        beating = asyncio.create_task(self._beat(send))
        tasks = (telling, leaving, beating)
        try:
            await asyncio.wait(
                (telling, leaving), timeout=self._limit_s, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._events.aclose()
        if not telling.cancelled():
            telling.result()

    async def _tell(self, send: Send) -> None:
        start = {"status": self.status_code, "headers": self.raw_headers}
        async with self._sending:
            await send({"type": "http.response.start", **start})
        await self._send(send, self._written(self._first))
        async for event in self._events:
            await self._send(send, self._written(event))
        await self._sending.acquire()  # for good: nothing may follow
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, send: Send, data: bytes) -> None:
        async with self._sending:
            await send({"type": "http.response.body", "body": data, "more_body": True})
        self._sent_at = asyncio.get_running_loop().time()

    async def _beat(self, send: Send) -> None:
        loop = asyncio.get_running_loop()
        self._sent_at = loop.time()
        while True:
            await asyncio.sleep(self._sent_at + self._silence_s - loop.time())
            if self._sending.locked():  # the client has enough to read
                self._sent_at = loop.time()
            elif loop.time() >= self._sent_at + self._silence_s:
                await self._send(send, KEEP_ALIVE)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
