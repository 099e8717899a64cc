"""A generator, and a rewriter, over any language model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Final, Literal

from orchestrator.answering.delimiting import delimited, fresh_boundary, passage_block
from orchestrator.answering.prompts import Prompt, Prompts
from orchestrator.answering.refusing import RefusalWatch
from orchestrator.answering.rewriting import ModelRewriter
from orchestrator.domain.answers import FinishReason, Outcome, Query, Token
from orchestrator.domain.errors import Exhausted, Misconfigured, TimedOut, Unavailable
from orchestrator.domain.passages import Passage
from orchestrator.ports.language import Completion, Finish, LanguageModel, Message

MESSAGE_TOKENS: Final = 8
"""What a chat template adds to each message, and to the answer, at most."""
BETWEEN_TOKENS: Final = 2
"""What stands between two passages."""
UNCOUNTED: Final = (Unavailable, Exhausted, TimedOut, Misconfigured, TimeoutError)
"""Where another generator may still answer, packing must not be what fails."""
BYTES: Final = 2
"""Hardly a text has more tokens than half its bytes: so many are taken where none are counted."""
_DEGRADED: Final[Mapping[FinishReason, tuple[str, ...]]] = {
    "stop": (),
    "length": ("answer_cut_short",),
    "content_filter": ("answer_filtered",),
}


class ModelGenerator:
    """`Generator`, `Rewriter`, `Conversant` and `Measured` of `orchestrator.ports`, over a model.

    Passages reach the model between delimiters that they cannot forge. Without passages it
    is not asked. An answer has at most `max_tokens`. Where counting takes
    longer than `count_s`, or fails, tokens are guessed.
    """

    def __init__(
        self,
        model: LanguageModel,
        prompts: Prompts,
        *,
        max_tokens: int = 512,
        temperature: float = 0.0,
        boundary: Callable[[], str] = fresh_boundary,
        count_s: float = 2.0,
    ) -> None:
        self._model = model
        self._prompts = prompts
        self._count_s = count_s
        self._max_tokens = max_tokens
        self._temperature = temperature
        self._boundary = boundary
        self._rewriter = ModelRewriter(model, prompts, boundary=boundary)

    async def generate(
        self, query: Query, passages: Sequence[Passage]
    ) -> AsyncGenerator[Token | Outcome]:
        """What the model says; where it refuses, its prompt's sentence, word for word.

        Raises:
            Unavailable: when the model does not answer, or says nothing.
        """
        prompt = self._prompt(query)
        if not passages:
            yield Token(prompt.refusal)
            yield Outcome(answerable=False, prompt=str(prompt))
            return
        watch, spoken, finish = RefusalWatch(prompt.refusal), False, None
        async with aclosing(self._model.stream(self._asked(prompt, query, passages))) as pieces:
            async for piece in pieces:
                if isinstance(piece, Finish):
                    finish = piece
                elif shown := watch.admit(piece):
                    spoken = True
                    yield Token(shown)
        if rest := watch.finish():
            spoken = True
            yield Token(rest)
        if finish is None or (not spoken and finish.reason == "stop"):
            raise Unavailable(f"model '{self._model.name}'", "it said nothing")
        if not spoken:
            yield Token(prompt.refusal)
        yield Outcome(
            answerable=spoken and not watch.refused,
            usage=finish.usage,
            degraded=_DEGRADED[finish.reason],
            finish_reason=finish.reason,
            prompt=str(prompt),
        )

    async def room(self, query: Query) -> int:
        """What the window leaves; at most what the workspace wants."""
        messages = self._messages(self._prompt(query), query, ())
        taken = sum(await self._count([one.text for one in messages]))
        template = MESSAGE_TOKENS * (len(messages) + 1)
        left = self._model.window - self._max_tokens - taken - template
        return min(left, query.prompting.context or left)

    async def sizes(self, passages: Sequence[Passage]) -> Sequence[int]:
        """Counted in the very form that the model reads."""
        boundary = self._boundary()
        blocks = [passage_block(number, one, boundary) for number, one in enumerate(passages, 1)]
        return [count + BETWEEN_TOKENS for count in await self._count(blocks)]

    async def paraphrases(self, query: Query, *, count: int) -> Sequence[str]:
        """The model's other wordings."""
        return await self._rewriter.paraphrases(query, count=count)

    async def imagined(self, query: Query) -> str:
        """What the model makes up."""
        return await self._rewriter.imagined(query)

    async def standalone(self, query: Query, history: str) -> str:
        """The model's own words for the question."""
        return await self._rewriter.standalone(query, history)

    async def summary(self, query: Query, history: str) -> str:
        """The model's summary."""
        return await self._rewriter.summary(query, history)

    async def lengths(self, texts: Sequence[str]) -> Sequence[int]:
        """By the model's own tokeniser where it answers."""
        return await self._count(texts)

    def _prompt(self, query: Query) -> Prompt:
        return self._prompts.chosen(query.prompting, query.text)

    def _asked(self, prompt: Prompt, query: Query, passages: Sequence[Passage]) -> Completion:
        return Completion(
            self._messages(prompt, query, passages),
            max_tokens=self._max_tokens,
            temperature=self._temperature,
        )

    def _messages(
        self, prompt: Prompt, query: Query, passages: Sequence[Passage]
    ) -> tuple[Message, ...]:
        boundary = self._boundary()
        blocks = [passage_block(number, one, boundary) for number, one in enumerate(passages, 1)]
        return prompt.messages(
            boundary=boundary,
            passages="\n\n".join(ordered(blocks, query.prompting.order)),
            question=delimited("question", query.text, boundary),
        )

    async def _count(self, texts: Sequence[str]) -> Sequence[int]:
        try:
            async with asyncio.timeout(self._count_s):
                return await self._model.count(texts)
        except UNCOUNTED:  # it will be told by whoever is asked for the answer
            return [len(text.encode()) // BYTES + 1 for text in texts]


def ordered(blocks: Sequence[str], order: Literal["edges", "ranked"]) -> Sequence[str]:
    """Blocks, best first, as they are shown: with `edges`, the best is first and the next last.

    What stands in the middle of a long text is read least: Liu et al., "Lost in the middle", TACL
    2024.
    """
    if order == "ranked":
        return blocks
    return [*blocks[::2], *reversed(blocks[1::2])]
