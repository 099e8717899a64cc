"""The check between generator and reader: what may be said, and how well it is supported."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace

from orchestrator.answering.confidence import TOLD, Logistic, evidence, known_of
from orchestrator.answering.grounding import cited_in
from orchestrator.answering.judging import Judge
from orchestrator.answering.releasing import Flagging, Release, Releasing
from orchestrator.domain.answers import NOT_FOUND, Checked, Outcome, Query, Token
from orchestrator.domain.context import skip
from orchestrator.domain.grounding import Grounded, Sentence, mean_score
from orchestrator.domain.passages import Passage
from orchestrator.domain.workspaces import Grounding
from orchestrator.ports.generator import Generator
from orchestrator.ports.verifier import Verifier


class Check:
    """A workspace's check of its answers.

    `right` is the fitted model of "the answer is right" for what makes the answers, if there is
    one; `vectors` says whether the cosines of retrieval are those that models were fitted on.
    """

    def __init__(
        self,
        how: Grounding,
        verifier: Verifier,
        *,
        right: Logistic | None = None,
        vectors: bool = False,
    ) -> None:
        self._how = how
        self._verifier = verifier
        self._right = right
        self._vectors = vectors

    async def checked(
        self, generator: Generator, query: Query, passages: Sequence[Passage]
    ) -> AsyncGenerator[Token | Checked]:
        """What the policy lets through of an answer, in pieces, then exactly one `Checked`.

        Where what was found is too weak, the generator is not asked. Raises what it raises.
        """
        weak, known = self._how.weak, await self._known(query, passages)
        if weak is not None and evidence(known) < weak:
            skip("generator")
            yield Token(NOT_FOUND)
            yield Checked(Outcome(answerable=False), grounding=self._grounded())
            return
        judge = Judge(self._verifier, self._how.threshold, query.text, passages)
        release, told, outcome = self._release(judge, len(passages)), "", Outcome(answerable=True)
        async with aclosing(generator.generate(query, passages)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Outcome):
                    outcome = piece
                elif shown := await release.admit(piece.text):
                    told += shown
                    yield Token(shown)
                if release.ended:  # what is refused is not generated to its end
                    break
        if rest := await release.finish():
            told += rest
            yield Token(rest)
        grounded = self._grounded(tuple(await release.sentences()), release.withheld)
        outcome = replace(
            outcome,
            answerable=outcome.answerable and release.answers,
            degraded=(*outcome.degraded, *judge.degraded),
        )
        confidence = self._confidence(outcome, grounded, known)
        yield Checked(outcome, cited_in(told), grounded, confidence)

    def _release(self, judge: Judge, passages: int) -> Release:
        if self._how.policy == "flag":
            return Flagging(judge, passages)
        return Releasing(judge, passages, refuse=self._how.policy == "refuse")

    async def _known(self, query: Query, passages: Sequence[Passage]) -> dict[str, float]:
        if self._how.weak is None and (self._right is None or self._right.weights.keys() <= TOLD):
            return {}
        return await known_of(query.text, passages, vectors=self._vectors)

    def _grounded(self, sentences: tuple[Sentence, ...] = (), withheld: int = 0) -> Grounded:
        how = self._how
        score = mean_score(sentences)
        return Grounded(how.policy, how.verifier, how.threshold, score, sentences, withheld)

    def _confidence(
        self, outcome: Outcome, grounded: Grounded, known: Mapping[str, float]
    ) -> float | None:
        """How likely the answer is right, where that was measured for answers made like it."""
        if self._right is None or not outcome.answerable or outcome.degraded:
            return None
        told = {"grounding": grounded.score, "evidence": outcome.evidence}
        right = self._right.of({**known, **{k: v for k, v in told.items() if v is not None}})
        return None if right is None else round(right, 3)
