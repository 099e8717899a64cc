"""The real `rag serve` for clients that are there already: the OpenAI SDK and WebSockets."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator

import openai
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.live.processes import Served, serve

QUESTION = "How fast are refunds paid?"
ASKED = [{"role": "user", "content": QUESTION}]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("clients") / "data") as running:
        yield running


@pytest.fixture
def sdk(served: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{served.http.base_url}/v1", api_key="none") as client:
        yield client


def socket_url(served: Served) -> str:
    return str(served.http.base_url).replace("http", "ws").rstrip("/") + "/v1/chat"


def test_the_official_sdk_asks_reads_and_streams(sdk: openai.OpenAI):
    plain = sdk.chat.completions.create(model="default", messages=ASKED)
    stream = sdk.chat.completions.create(model="default", messages=ASKED, stream=True)
    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    assert "default" in [one.id for one in sdk.models.list()]
    assert "7 days" in plain.choices[0].message.content
    assert streamed == plain.choices[0].message.content
    assert plain.choices[0].message.annotations[0].url_citation.title


def test_the_official_sdk_gets_its_own_errors(sdk: openai.OpenAI):
    with pytest.raises(openai.NotFoundError) as unknown:
        sdk.chat.completions.create(model="nowhere", messages=ASKED)
    with pytest.raises(openai.BadRequestError) as refused:
        sdk.chat.completions.create(model="default", messages=ASKED, n=2)

    assert (unknown.value.code, refused.value.param) == ("model_not_found", "n")


def test_a_cited_source_can_be_read_where_its_annotation_points(served: Served, sdk: openai.OpenAI):
    completion = sdk.chat.completions.create(model="default", messages=ASKED)

    (cited, *_) = completion.choices[0].message.annotations
    original = served.http.get(cited.url_citation.url)

    assert original.status_code == 200
    assert "7 days" in original.text


def test_a_socket_answers_and_refuses_foreign_pages(served: Served):
    with connect(socket_url(served)) as socket:
        socket.send(json.dumps({"type": "question", "query": QUESTION}))
        events = [json.loads(socket.recv(timeout=30))]
        while events[-1]["event"] != "done":
            events.append(json.loads(socket.recv(timeout=30)))

    assert "7 days" in events[-1]["data"]["answer"]
    with pytest.raises(InvalidStatus) as refused:
        connect(socket_url(served), origin="https://evil.example")
    assert refused.value.response.status_code == 403


def test_an_open_socket_does_not_hold_up_the_end(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("ending") / "data"
    with serve(folder, RAG_HTTP__SHUTDOWN_S="30") as running:
        with connect(socket_url(running)) as socket:
            running.process.send_signal(signal.SIGTERM)
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=30)

        assert closed.value.rcvd
        assert closed.value.rcvd.code == 1012
        assert running.process.wait(120) == 0
