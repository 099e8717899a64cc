"""What is heard of an answer: its cost, whatever a server says of that."""

from __future__ import annotations

import json

import pytest

from adapters.generator import chat
from adapters.generator.counting import guessed
from adapters.generator.hearing import Hearing
from orchestrator.domain.answers import Usage
from orchestrator.ports.language import Completion, Message

ASKED = Completion((Message("user", "When are refunds paid?"),), max_tokens=10)


async def counted(texts):
    return guessed(texts)


async def heard(usage):
    hearing = Hearing("the model at here")
    choice = {"index": 0, "delta": {"content": "Soon."}, "finish_reason": "stop"}
    told = chat.hear(hearing, json.dumps({"choices": [choice], "usage": usage}).encode())
    assert told == "Soon."
    return (await hearing.finish(ASKED, counted)).usage


async def test_what_a_server_says_of_its_cost_is_taken():
    assert await heard({"prompt_tokens": 7, "completion_tokens": 3}) == Usage(7, 3)


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": -7, "completion_tokens": 3},
        {"prompt_tokens": 7, "completion_tokens": -3},
        {"prompt_tokens": None, "completion_tokens": None},
        {"prompt_tokens": 7},
        {"prompt_tokens": "7", "completion_tokens": 3},
        {"prompt_tokens": True, "completion_tokens": 3},
        {"prompt_tokens": 7.5, "completion_tokens": 3},
        {"prompt_tokens": 10**30, "completion_tokens": 3},
        {},
        [7, 3],
        "seven",
        None,
    ],
)
async def test_an_answer_whose_cost_is_none_is_whole_and_its_tokens_are_counted(usage):
    read, written = guessed([ASKED.messages[0].text, "Soon."])

    assert await heard(usage) == Usage(read, written)
