"""What a server answers instead of a completion, and what its caller can do about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from adapters.generator.refusing import BUSY_S, LONGEST_S, Filtered, refused, seconds
from orchestrator.domain.errors import Exhausted, Misconfigured, TooLarge, Unavailable

SERVER = "the model at here"
TOO_LONG = [
    "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens",
    "max_tokens is too large: 4096. This model's maximum context length is 2048 tokens",
    "Requested token count exceeds the model's maximum context length of 8192 tokens",
    "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000; max_total_tokens",
    "the request exceeds the available context size (4096 tokens)",
    "Please reduce the length of the messages or completion.",
    "prompt is too long: 210000 tokens > 200000 maximum",
    "Input is too long for requested model.",
    "The input token count (1200000) exceeds the maximum number of tokens allowed (1048575).",
    "Prompt length (700) exceeds maximum input length (512)",
    '{"error": {"code": "context_length_exceeded", "message": "no"}}',
]


@pytest.mark.parametrize("told", TOO_LONG)
def test_a_prompt_that_is_too_long_is_known_by_the_servers_words(told):
    assert isinstance(refused(SERVER, 400, told), TooLarge)


@pytest.mark.parametrize(
    ("status", "told", "wanted"),
    [
        (413, "", TooLarge),
        (429, TOO_LONG[0], Exhausted),
        (400, "unknown field 'seed'", Misconfigured),
        (400, '{"error": {"code": "content_filter"}}', Filtered),
        (400, "a document says: content_filter", Misconfigured),
        (401, "", Misconfigured),
        (403, "", Misconfigured),
        (404, "", Misconfigured),
        (422, "", Misconfigured),
        (301, "", Unavailable),
        (408, "", Unavailable),
        (500, "", Unavailable),
        (503, TOO_LONG[0], Unavailable),
    ],
)
def test_a_status_says_what_can_be_done(status, told, wanted):
    assert type(refused(SERVER, status, told)) is wanted


def test_what_a_server_says_is_not_repeated():
    told = "the key hunter2 asked: when are refunds paid?"

    for status in (400, 401, 404, 413, 429, 500):
        assert not {"hunter2", "refunds"} & set(str(refused(SERVER, status, told)).split())


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        (None, None),
        ("", None),
        ("7", 7.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("nan", None),
        ("inf", LONGEST_S),
        ("99999999", LONGEST_S),
        ("soon", None),
        ("Mon, 01 Jan 99999999999 00:00:00 GMT", None),
        ("Mon, 01 Jan 2001 00:00:00 GMT", 0.0),
    ],
)
def test_how_long_to_wait_is_a_number_of_seconds(told, wanted):
    assert seconds(told) == wanted


def test_how_long_to_wait_may_be_a_date():
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)

    assert 50 < (seconds(until) or 0) <= 60


def test_a_server_that_does_not_say_how_long_is_waited_for_a_little():
    busy = refused(SERVER, 429, "")

    assert isinstance(busy, Exhausted)
    assert busy.retry_after == BUSY_S
