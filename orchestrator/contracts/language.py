"""The promises of a `LanguageModel`."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

import pytest

from orchestrator.domain.errors import Exhausted, Misconfigured, RagError, TooLarge, Unavailable
from orchestrator.ports.language import Completion, Finish, LanguageModel, Message

SECRET: Final = "hunter2"  # noqa: S105  # made up
"""A key that no error may quote."""
ASKED: Final = (
    Message("system", "Answer in one sentence."),
    Message("user", "When are refunds paid? Please think of everything that matters."),
)
LONG_S: Final = 300.0
COLOURS: Final = {
    "type": "object",
    "properties": {"colour": {"enum": ["red", "green"]}},
    "required": ["colour"],
    "additionalProperties": False,
}


BROKEN_OFF: Final = ("cut", "malformed chunk", "error in the stream", "no end")
NO_COMPLETION: Final = (
    *BROKEN_OFF,
    "500",
    "503",
    "302",
    "gone",
    "cut before",
    "reset",
    "strange chunk",
    "no events",
    "wrong content type",
)


@dataclass(frozen=True, slots=True)
class Said:
    """All that a model said."""

    pieces: Sequence[str]
    finish: Finish

    @property
    def text(self) -> str:
        """Its text."""
        return "".join(self.pieces)


def completion(*messages: Message, max_tokens: int = 24, **further: Any) -> Completion:
    """What a model is asked for in these suites."""
    return Completion(messages or ASKED, max_tokens=max_tokens, **further)


async def said(model: LanguageModel, asked: Completion | None = None) -> Said:
    """All that the model says; its last word is the only one."""
    pieces: list[Any] = []
    async with asyncio.timeout(LONG_S), aclosing(model.stream(asked or completion())) as told:
        pieces.extend([piece async for piece in told])
    *texts, finish = pieces
    assert isinstance(finish, Finish)
    assert all(isinstance(text, str) and text for text in texts)
    return Said(texts, finish)


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(LONG_S):
        while not await true():  # noqa: ASYNC110  # the condition is another process's
            await asyncio.sleep(0.02)


class LanguageModelContract:
    """Needs the fixture `model`, which talks for seconds where it may say more than 100 tokens.

    `busy` tells how many answers its server works at; `unknown` is a model that it does not have,
    and `absent` one of a server that there is not.
    """

    async def test_pieces_come_and_then_one_last_word(self, model: LanguageModel) -> None:
        told = await said(model)

        assert told.text.strip()
        assert told.finish.reason in {"stop", "length"}

    async def test_the_cost_is_told(self, model: LanguageModel) -> None:
        told = await said(model)

        assert told.finish.usage.prompt_tokens > 5
        assert told.finish.usage.completion_tokens > 0

    async def test_a_longer_prompt_costs_more(self, model: LanguageModel) -> None:
        longer = (*ASKED, Message("assistant", "Within 7 days."), Message("user", "And travel?"))

        first, second = await said(model), await said(model, completion(*longer))

        assert second.finish.usage.prompt_tokens > first.finish.usage.prompt_tokens

    async def test_what_is_cut_off_says_so(self, model: LanguageModel) -> None:
        told = await said(model, completion(max_tokens=3))

        assert told.finish.reason == "length"
        assert len(told.pieces) <= 3

    async def test_answers_at_the_same_time_do_not_mix(self, model: LanguageModel) -> None:
        alone = await said(model)

        together = await asyncio.gather(*(said(model) for _ in range(8)))

        assert {one.text for one in together} == {alone.text}

    async def test_an_answer_ends_before_a_stop_word(self, model: LanguageModel) -> None:
        whole = (await said(model)).text
        stop = whole[len(whole) // 2 :][:3]

        told = await said(model, completion(stop=(stop,)))

        assert told.text.rstrip() == whole.split(stop)[0].rstrip()
        assert told.finish.reason == "stop"

    async def test_json_is_as_the_schema_wants_it(self, model: LanguageModel) -> None:
        told = await said(model, completion(schema=COLOURS, max_tokens=60))

        assert json.loads(told.text) in ({"colour": "red"}, {"colour": "green"})

    async def test_closing_ends_the_request_at_the_server(
        self, model: LanguageModel, busy: Callable[[], Awaitable[int]]
    ) -> None:
        async def working() -> bool:
            return await busy() == 1

        async def idle() -> bool:
            return await busy() == 0

        asked = completion(max_tokens=200)
        async with aclosing(model.stream(asked)) as told:
            assert isinstance(await anext(told), str)
            await until(working)
        await until(idle)

        assert (await said(model)).text

    async def test_a_reader_that_is_cancelled_ends_the_request_too(
        self, model: LanguageModel, busy: Callable[[], Awaitable[int]]
    ) -> None:
        async def working() -> bool:
            return await busy() == 4

        async def idle() -> bool:
            return await busy() == 0

        asked = completion(max_tokens=200)
        readers = [asyncio.create_task(said(model, asked)) for _ in range(4)]
        await until(working)
        for reader in readers:
            reader.cancel()
        await until(idle)

        ended = await asyncio.gather(*readers, return_exceptions=True)
        assert [type(one) for one in ended] == [asyncio.CancelledError] * 4

    async def test_a_reader_may_take_its_time(self, model: LanguageModel) -> None:
        told = []
        async with aclosing(model.stream(completion())) as pieces:
            async for piece in pieces:
                told.append(piece)
                await asyncio.sleep(0.01)

        assert isinstance(told[-1], Finish)

    async def test_more_text_has_more_tokens_and_none_has_none(self, model: LanguageModel) -> None:
        text = "Refunds are paid within 7 days of purchase."

        none, some, more = await model.count(["", text, f"{text} {text}"])

        assert none == 0
        assert 5 <= some < more
        assert list(await model.count([])) == []

    async def test_a_prompt_beyond_the_window_is_too_large(self, model: LanguageModel) -> None:
        beyond = Message("user", "word " * (2 * model.window))

        with pytest.raises(TooLarge) as caught:
            await said(model, completion(beyond))

        assert "word word" not in caught.value.detail

    async def test_a_model_that_there_is_not_is_told(self, unknown: LanguageModel) -> None:
        with pytest.raises(Misconfigured):
            await said(unknown)

    async def test_a_server_that_there_is_not_is_unavailable(self, absent: LanguageModel) -> None:
        with pytest.raises(Unavailable):
            await said(absent)

    async def test_it_says_what_it_is(self, model: LanguageModel) -> None:
        await said(model)

        assert model.name
        assert model.window > 64


class LanguageModelFailures:
    """Needs `model`, with the key `SECRET`, and `impatient`, which waits for half a second.

    `go_wrong(how)` makes their server fail in the way that is named, from now on.
    """

    @pytest.mark.parametrize("how", NO_COMPLETION)
    async def test_what_is_no_completion_is_unavailable(
        self, model: LanguageModel, go_wrong: Callable[[str], None], how: str
    ) -> None:
        go_wrong(how)

        error, _ = await self.failed(model)

        assert isinstance(error, Unavailable)

    @pytest.mark.parametrize("how", BROKEN_OFF)
    async def test_what_was_said_before_is_there(
        self, model: LanguageModel, go_wrong: Callable[[str], None], how: str
    ) -> None:
        go_wrong(how)

        _, told = await self.failed(model)

        assert "".join(told).startswith("You said: When")

    @pytest.mark.parametrize("how", ["mute", "silent", "silent but for comments"])
    async def test_a_server_that_never_begins_is_unavailable(
        self, impatient: LanguageModel, go_wrong: Callable[[str], None], how: str
    ) -> None:
        go_wrong(how)

        error, told = await self.failed(impatient)

        assert isinstance(error, Unavailable)
        assert told == []

    @pytest.mark.parametrize("how", ["hang", "hang but for comments"])
    async def test_a_server_that_does_not_go_on_is_unavailable(
        self, impatient: LanguageModel, go_wrong: Callable[[str], None], how: str
    ) -> None:
        go_wrong(how)

        error, _ = await self.failed(impatient)

        assert isinstance(error, Unavailable)

    async def test_a_first_token_may_come_late(
        self, model: LanguageModel, go_wrong: Callable[[str], None]
    ) -> None:
        go_wrong("slow first token")

        assert (await said(model)).text.startswith("You said: When")

    @pytest.mark.parametrize(
        ("how", "wait"), [("429", (1, 60)), ("429 for 7 s", (7, 7)), ("429 until", (20, 31))]
    )
    async def test_a_server_with_too_much_to_do_is_exhausted(
        self,
        model: LanguageModel,
        go_wrong: Callable[[str], None],
        how: str,
        wait: tuple[float, float],
    ) -> None:
        go_wrong(how)

        error, _ = await self.failed(model)

        assert isinstance(error, Exhausted)
        assert error.retry_after is not None
        assert wait[0] <= error.retry_after <= wait[1]

    async def test_how_long_to_wait_for_a_server_is_told(
        self, model: LanguageModel, go_wrong: Callable[[str], None]
    ) -> None:
        go_wrong("503 for 7 s")

        error, _ = await self.failed(model)

        assert isinstance(error, Unavailable)
        assert error.retry_after == 7

    @pytest.mark.parametrize("how", ["401", "403", "404", "400"])
    async def test_what_only_an_operator_can_change_is_told(
        self, model: LanguageModel, go_wrong: Callable[[str], None], how: str
    ) -> None:
        go_wrong(how)

        error, _ = await self.failed(model)

        assert isinstance(error, Misconfigured)

    async def test_events_without_a_choice_say_nothing(
        self, model: LanguageModel, go_wrong: Callable[[str], None]
    ) -> None:
        before = await said(model)
        go_wrong("empty choices")

        after = await said(model)

        assert (after.text, after.finish) == (before.text, before.finish)

    async def test_a_cost_that_is_not_told_is_counted(
        self, model: LanguageModel, go_wrong: Callable[[str], None]
    ) -> None:
        go_wrong("no usage")

        told = await said(model)

        *read, written = await model.count([*(one.text for one in ASKED), told.text])
        assert told.finish.usage.prompt_tokens == sum(read)
        assert told.finish.usage.completion_tokens == written

    async def test_a_server_that_recovers_is_used_again(
        self, model: LanguageModel, go_wrong: Callable[[str], None]
    ) -> None:
        go_wrong("cut")
        error, _ = await self.failed(model)
        go_wrong("not at all")

        assert isinstance(error, Unavailable)
        assert (await said(model)).finish.reason == "stop"

    async def failed(self, model: LanguageModel) -> tuple[RagError, Sequence[str]]:
        """How the model fails, with what it said before; it quotes no key and no text."""
        told: list[str] = []
        with pytest.raises(RagError) as caught:
            async with asyncio.timeout(LONG_S):
                await collect(model.stream(completion()), told)
        assert SECRET not in caught.value.detail
        assert "refunds" not in caught.value.detail
        return caught.value, told


async def collect(pieces: AsyncIterator[str | Finish], told: list[str]) -> None:
    """Keep every piece as it comes."""
    async for piece in pieces:
        assert isinstance(piece, str)
        told.append(piece)
