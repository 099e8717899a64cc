"""Language models through litellm, over a server of OpenAI's API."""

from __future__ import annotations

import subprocess
import sys
from contextlib import AsyncExitStack

import pytest

from orchestrator.contracts.language import (
    BROKEN_OFF,
    NO_COMPLETION,
    LanguageModelContract,
    LanguageModelFailures,
)
from orchestrator.domain.errors import Misconfigured
from orchestrator.generators import open_language_model
from orchestrator.settings import load
from tests.served import Served

pytestmark = [
    pytest.mark.litellm,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of litellm's use of pydantic
]


class TestLiteLLM(Served, LanguageModelContract):
    kind = "litellm"


MADE_UP = {
    "302": "litellm follows redirects",
    "no end": "litellm makes up the end of an answer",
    "wrong content type": "litellm reads events whatever they are called",
}


def but(hows):
    """The same failures, those of which litellm makes something else marked."""
    return [
        pytest.param(how, marks=pytest.mark.xfail(strict=True, reason=MADE_UP[how]))
        if how in MADE_UP
        else how
        for how in hows
    ]


class TestLiteLLMFails(Served, LanguageModelFailures):
    kind = "litellm"

    @pytest.mark.parametrize("how", but(NO_COMPLETION))
    async def test_what_is_no_completion_is_unavailable(self, model, go_wrong, how):
        await super().test_what_is_no_completion_is_unavailable(model, go_wrong, how)

    @pytest.mark.parametrize("how", but(BROKEN_OFF))
    async def test_what_was_said_before_is_there(self, model, go_wrong, how):
        await super().test_what_was_said_before_is_there(model, go_wrong, how)

    @pytest.mark.xfail(strict=True, reason="litellm counts by a tokeniser of its own then")
    async def test_a_cost_that_is_not_told_is_counted(self, model, go_wrong):
        await super().test_a_cost_that_is_not_told_is_counted(model, go_wrong)


async def test_a_window_that_nobody_knows_must_be_chosen():
    with pytest.raises(Misconfigured, match="say it as `window`"):
        await opened(model="openai/nobody-knows-it")


async def test_a_window_that_litellm_knows_need_not_be_chosen():
    assert (await opened(model="gpt-4o")).window == 128_000


async def opened(**chosen):
    settings = load(profile="mock", generator={"kind": "litellm", **chosen})
    async with AsyncExitStack() as stack:
        return await open_language_model(settings.generator, stack)


def test_importing_litellm_reaches_no_other_machine_and_prints_nothing():
    code = (
        "import socket\n"
        "def refuse(*_): raise SystemExit('it connects')\n"
        "socket.socket.connect = socket.create_connection = refuse\n"
        "import adapters.generator.litellm\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")
