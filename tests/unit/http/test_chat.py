"""Questions over a WebSocket: one at a time, cancelled on demand."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from orchestrator.domain.answers import Query, Sources, Token, Turn
from orchestrator.domain.errors import NotFound, Unavailable
from orchestrator.domain.filters import Condition
from orchestrator.domain.identity import ANONYMOUS, Scope
from tests.unit.fakes import until
from tests.unit.http.conftest import ANSWER
from tests.unit.http.listening import Endless, listening

ASKED = {"type": "question", "query": "Paid?"}
SILENT = (Sources(ANSWER.sources), Token("Refunds "))
TRIES = 5


@pytest.fixture(autouse=True)
def quiet():
    """A defect's traceback takes its time to be written."""
    with capture_logs():
        yield


@asynccontextmanager
async def chatting(at, **options):
    patient = {"open_timeout": 60, "ping_timeout": None, **options}
    async with connect(f"ws://{at.address}/v1/chat", **patient) as socket:
        yield socket


async def ask(socket, **more):
    await socket.send(json.dumps({**ASKED, **more}))


async def heard(socket, last=("done", "error", "cancelled")):
    """The events up to one that is the last of its answer."""
    found = []
    while not found or found[-1]["event"] not in last:
        found.append(json.loads(await asyncio.wait_for(socket.recv(), 60)))
    return found


async def test_a_question_is_answered_by_the_events_of_a_stream():
    async with listening() as at, chatting(at) as socket:
        await ask(socket)
        events = await heard(socket)
        plain = (await at.service.ask()).json()

        assert [one["event"] for one in events] == ["sources", "token", "token", "done"]
        assert "".join(one["data"].get("text", "") for one in events) == ANSWER.answer
        assert events[0]["data"]["sources"] == plain["sources"]
        assert events[-1]["data"] == plain
        assert not any("id" in one for one in events)
        assert at.service.counted("rag_queries_total") == 2


async def test_a_question_is_asked_as_it_was_sent():
    async with listening() as at, chatting(at) as socket:
        filters = {"field": "year", "op": "eq", "value": 2026}
        history = [{"role": "user", "text": "Hello"}, {"role": "assistant", "text": "Hi"}]
        said = {"filters": filters, "history": history, "model": "small"}
        await ask(socket, workspace="legal", top_k=7, id="7", **said)
        events = await heard(socket)

        scope = Scope("legal", ANONYMOUS, Condition("year", "eq", 2026))
        turns = (Turn("user", "Hello"), Turn("assistant", "Hi"))
        assert at.service.answering.asked == [
            Query("Paid?", scope, 7, history=turns, model="small")
        ]
        assert {one["id"] for one in events} == {"7"}


async def test_a_socket_takes_one_question_after_another():
    async with listening() as at, chatting(at) as socket:
        for number in range(3):
            await ask(socket, id=str(number))
            assert (await heard(socket))[-1]["id"] == str(number)

        assert len(at.service.answering.asked) == 3


async def test_a_second_question_at_a_time_is_refused_and_the_first_goes_on():
    async with listening() as at, chatting(at) as socket:
        going_on = asyncio.Event()
        at.service.answering.events.insert(2, going_on.wait)
        await ask(socket, id="first")
        await ask(socket, id="second")
        refused = (await heard(socket, last=("error",)))[-1]
        going_on.set()
        events = await heard(socket)

        assert (refused["id"], refused["data"]["code"]) == ("second", "busy")
        assert (events[-1]["event"], events[-1]["id"]) == ("done", "first")


async def test_a_cancelled_question_is_closed_and_another_may_follow():
    async with listening() as at, chatting(at) as socket:
        application = at.service.app.state.application
        application.answering = endless = Endless(*SILENT)
        await ask(socket, id="1")
        await heard(socket, last=("token",))
        await socket.send(json.dumps({"type": "cancel"}))
        (cancelled,) = await heard(socket)

        assert cancelled == {"event": "cancelled", "id": "1", "data": {}}
        assert endless.closed == 1
        application.answering = at.service.answering
        await ask(socket)
        assert (await heard(socket))[-1]["event"] == "done"


async def test_a_cancellation_of_nothing_is_nothing():
    async with listening() as at, chatting(at) as socket:
        await socket.send(json.dumps({"type": "cancel"}))
        await ask(socket)

        assert (await heard(socket))[-1]["event"] == "done"


@pytest.mark.parametrize(
    ("sent", "status", "code", "field"),
    [
        ("{", 400, "invalid_json", None),
        ("[]", 422, "invalid_request", None),
        ("{}", 422, "invalid_request", None),
        ('{"type": "dance"}', 422, "invalid_request", None),
        ('{"type": "question"}', 422, "invalid_request", "query"),
        ('{"type": "question", "query": " "}', 422, "invalid_request", "query"),
        ('{"type": "question", "query": "a", "colour": 1}', 422, "unknown_field", "colour"),
        ('{"type": "question", "query": "a", "top_k": 0}', 422, "invalid_request", "top_k"),
        ('{"type": "question", "query": "a", "filters": {}}', 422, "invalid_filter", "filters"),
        ('{"type": "cancel", "id": "1"}', 422, "unknown_field", "id"),
    ],
)
async def test_what_is_no_message_is_refused_and_the_socket_stays(sent, status, code, field):
    async with listening() as at, chatting(at) as socket:
        await socket.send(sent)
        (refused,) = await heard(socket)
        await ask(socket)
        events = await heard(socket)

        problem = refused["data"]
        assert (problem["status"], problem["code"]) == (status, code)
        assert problem.get("field") == field
        assert events[-1]["event"] == "done"
        assert at.service.counted("rag_errors_total", code=code) == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotFound("there is none", code="unknown_workspace"), "unknown_workspace"),
        (Unavailable("generator", "down"), "unavailable"),
        (ZeroDivisionError("a secret"), "internal"),
    ],
)
@pytest.mark.parametrize("begun", [False, True])
async def test_what_fails_is_an_event_and_the_socket_stays(error, code, begun):
    async with listening() as at, chatting(at) as socket:
        whole = at.service.answering.events
        at.service.answering.events = [*whole[:2], error] if begun else [error]
        await ask(socket, id="1")
        events = await heard(socket)
        at.service.answering.events = whole
        await ask(socket)

        assert (events[-1]["event"], events[-1]["id"]) == ("error", "1")
        assert events[-1]["data"]["code"] == code
        assert "secret" not in str(events)
        assert at.service.counted("rag_errors_total", code=code) == 1
        assert (await heard(socket))[-1]["event"] == "done"


@pytest.mark.parametrize("piece", [None, Token("x" * 10_000)], ids=["silent", "flooding"])
async def test_a_socket_that_closes_ends_its_answer(piece):
    async with listening() as at:
        at.service.app.state.application.answering = endless = Endless(*SILENT, piece=piece)
        async with chatting(at) as socket:
            await ask(socket)
            await heard(socket, last=("token",))
            socket.transport.abort()

        await until(lambda: endless.closed == 1)
        await until(lambda: (at.connections, at.tasks) == (0, 0))


async def test_no_more_is_made_than_a_slow_socket_reads():
    async with listening(heartbeat_s=60) as at:
        piece = Token("x" * 10_000)
        at.service.app.state.application.answering = endless = Endless(*SILENT, piece=piece)
        async with chatting(at, max_queue=1) as socket:
            await ask(socket)
            await heard(socket, last=("token",))
            last, same = 0, 0
            while same < 20:
                await asyncio.sleep(0.01)
                last, same = endless.said, same + 1 if endless.said == last else 0

            assert last * 10_000 < 8_000_000  # what sockets hold, and the server's own buffer
            socket.transport.abort()
        await until(lambda: endless.closed == 1)


@pytest.mark.parametrize("piece", [None, Token("x" * 10_000)], ids=["silent", "flooding"])
async def test_a_socket_that_reads_nothing_is_left_in_the_end(piece):
    async with listening(heartbeat_s=0.2, timeout_s=1) as at:
        for _ in range(TRIES):  # on a slow machine it may end before there was anything to read
            at.service.app.state.application.answering = endless = Endless(*SILENT, piece=piece)
            async with chatting(at, ping_interval=None) as socket:
                await ask(socket)
                try:
                    await heard(socket, last=("token",))
                except ConnectionClosed:
                    continue
                socket.transport.pause_reading()

                await until(lambda one=endless: one.closed == 1)
                await until(lambda: at.tasks == 0)
                socket.transport.abort()
                return
        pytest.fail("it never came to read")


async def test_a_message_that_is_too_large_closes_the_socket():
    async with listening(max_body_bytes=1_000) as at, chatting(at) as socket:
        await ask(socket, query="x" * 2_000)

        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(socket.recv(), 60)
        assert closed.value.rcvd.code == 1009


async def test_a_message_that_is_no_text_closes_the_socket():
    async with listening() as at, chatting(at) as socket:
        await socket.send(b"{}")

        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(socket.recv(), 60)
        assert closed.value.rcvd.code == 1003


async def refused(at):
    """What a socket that is one too many is told, and how it is closed."""
    async with chatting(at) as socket:
        (told,) = await heard(socket)
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(socket.recv(), 30)
    return told["data"], closed.value.rcvd


async def test_one_socket_too_many_is_told_so_and_closed_and_the_others_go_on():
    async with listening(max_sockets=2) as at, chatting(at) as one:
        async with chatting(at) as other:
            problem, closed = await refused(at)

            assert (problem["code"], problem["status"]) == ("too_many_sockets", 429)
            assert (closed.code, closed.reason) == (1013, "too many sockets: try again later")
            assert at.service.counted("rag_open_sockets") == 2
            assert at.service.counted("rag_errors_total", code="too_many_sockets") == 1
            for socket in (one, other):
                await ask(socket)
                assert (await heard(socket))[-1]["event"] == "done"

        await until(lambda: at.service.counted("rag_open_sockets") == 1)
        async with chatting(at) as another:
            await ask(another)
            assert (await heard(another))[-1]["event"] == "done"


async def test_an_idle_socket_is_closed_but_not_while_it_answers():
    async with listening(socket_idle_s=0.2) as at:
        at.service.answering.events.insert(2, lambda: asyncio.sleep(0.6))
        for _ in range(TRIES):  # a socket may also have been idle before it came to ask
            async with chatting(at) as socket:
                try:
                    await ask(socket)
                    last = (await heard(socket))[-1]["event"]
                except ConnectionClosed:
                    continue
                with pytest.raises(ConnectionClosed) as closed:
                    await asyncio.wait_for(socket.recv(), 60)
                break

        assert last == "done"
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1000, "idle")


async def test_a_silent_socket_is_pinged():
    pings = []

    async with listening(heartbeat_s=0.05) as at, chatting(at) as socket:
        original = socket.process_event

        def noting(event):
            pings.append(event.opcode.name)
            original(event)

        socket.process_event = noting

        await until(lambda: pings.count("PING") >= 3)


async def test_a_server_that_ends_closes_its_sockets_at_once():
    async with listening() as at:
        at.service.app.state.application.answering = endless = Endless(*SILENT)
        async with chatting(at) as socket:
            await ask(socket)
            await heard(socket, last=("token",))
            at.server.should_exit = True

            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(socket.recv(), 60)

        assert closed.value.rcvd.code == 1012
        await until(lambda: endless.closed == 1)


@pytest.mark.parametrize(
    ("origins", "origin", "welcome"),
    [
        ([], None, True),
        ([], "https://evil.example", False),
        (["https://chat.example"], "https://chat.example", True),
        (["https://chat.example"], "https://chat.example.evil", False),
        (["https://chat.example"], "null", False),
        (["*"], "https://anything.example", True),
    ],
)
async def test_a_page_of_a_foreign_origin_may_not_connect(origins, origin, welcome):
    async with listening(cors_origins=origins) as at:
        try:
            async with chatting(at, origin=origin) as socket:
                await ask(socket)
                given = (await heard(socket))[-1]["event"]
        except InvalidStatus as refused:
            status = refused.response.status_code
            given = status, json.loads(refused.response.body)["code"]

    assert given == ("done" if welcome else (403, "origin_refused"))


async def test_a_socket_is_one_log_line_and_each_question_a_trace_of_its_own():
    async with listening() as at:
        with capture_logs() as lines:
            async with chatting(at) as socket:
                traced = socket.response.headers["x-trace-id"]
                at.service.answering.events = [Unavailable("generator", "down")]
                await ask(socket)
                first = (await heard(socket))[-1]["data"]["trace_id"]
                await ask(socket)
                second = (await heard(socket))[-1]["data"]["trace_id"]
            await until(lambda: at.tasks == 0)

    assert [(one["event"], one["path"], one["status"]) for one in lines] == [
        ("socket", "/v1/chat", 101)
    ]
    assert len({traced, first, second}) == 3


async def test_a_question_in_progress_counts_as_a_request_and_a_silent_socket_does_not():
    async with listening() as at, chatting(at) as socket:
        before = at.service.counted("rag_active_requests")
        at.service.app.state.application.answering = Endless(*SILENT)
        await ask(socket)
        await heard(socket, last=("token",))

        assert (before, at.service.counted("rag_active_requests")) == (0, 1)
        await socket.send(json.dumps({"type": "cancel"}))
        await heard(socket)
        assert at.service.counted("rag_active_requests") == 0
