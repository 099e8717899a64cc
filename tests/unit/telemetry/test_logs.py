"""Logs: one JSON object a line, with the request's trace id and nothing of its content."""

from __future__ import annotations

import json
import logging
from contextvars import copy_context

import pytest
import structlog

from orchestrator.domain.context import begin_trace
from orchestrator.telemetry import logs

pytestmark = pytest.mark.usefixtures("clean_process")
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def lines(capsys):
    def read():
        return [json.loads(line) for line in capsys.readouterr().err.splitlines()]

    return read


def test_a_log_is_one_json_object_a_line(lines):
    logs.set_up("info")

    structlog.get_logger().info("started", profile="mock", path="/ä")
    structlog.get_logger().warning("slow")

    first, second = lines()
    assert (first["event"], first["level"], first["profile"]) == ("started", "info", "mock")
    assert first["path"] == "/ä"
    assert first["timestamp"].endswith("Z")
    assert second["event"] == "slow"


def test_a_log_within_a_request_has_its_trace_id(lines):
    def request():
        begin_trace(TRACE)
        structlog.get_logger().info("request")
        logging.getLogger("uvicorn.error").error("refused")

    logs.set_up("info")

    copy_context().run(request)

    assert [one["trace_id"] for one in lines()] == [TRACE, TRACE]


def test_a_log_outside_of_a_request_has_none(lines):
    logs.set_up("info")

    structlog.get_logger().info("started")

    assert "trace_id" not in lines()[0]


def test_libraries_log_in_the_same_form(lines):
    logs.set_up("info")

    logging.getLogger("uvicorn.error").warning("port %s is taken", 8000)

    (line,) = lines()
    assert (line["event"], line["level"]) == ("port 8000 is taken", "warning")
    assert line["logger"] == "uvicorn.error"


@pytest.mark.parametrize(
    ("level", "ours", "theirs"),
    [
        ("debug", ["debug", "info", "warning"], ["debug", "info", "warning"]),
        ("info", ["info", "warning"], ["warning"]),
        ("warning", ["warning"], ["warning"]),
        ("error", [], []),
    ],
)
def test_the_level_decides_what_is_logged(lines, level, ours, theirs):
    logs.set_up(level)

    for name in ("debug", "info", "warning"):
        getattr(structlog.get_logger(), name)(name)
        getattr(logging.getLogger("vendor"), name)(name)

    found = lines()
    assert [one["event"] for one in found if "logger" not in one] == ours
    assert [one["event"] for one in found if "logger" in one] == theirs


def test_what_json_cannot_hold_is_written_as_text(lines):
    logs.set_up("info")

    structlog.get_logger().info("odd", value=1j, error=ValueError("no"))

    assert lines()[0]["value"] == "1j"


def test_a_traceback_is_logged_without_the_variables_of_its_frames(capsys):
    logs.set_up("info")

    def fails(question):
        raise ZeroDivisionError(len(question))

    try:
        fails("a secret question")
    except ZeroDivisionError as error:
        structlog.get_logger().error("unexpected_error", exc_info=error)

    text = capsys.readouterr().err
    assert len(text.splitlines()) == 1
    assert "ZeroDivisionError" in text
    assert "a secret question" not in text


def test_for_people_a_log_is_a_line_of_text(capsys):
    logs.set_up("warning", json=False)

    structlog.get_logger().warning("lease_taken", effect="kept in memory")

    text = capsys.readouterr().err
    assert "lease_taken" in text
    assert "effect='kept in memory'" in text
    assert "\x1b" not in text
