"""Why a passage is there."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.answering.explaining import LONGEST, asked_words, explained, reasons
from orchestrator.domain.passages import Passage, Retrieval, Share, StageScore
from orchestrator.domain.understanding import Correction, Understood
from orchestrator.domain.workspaces import Fusion
from tests.builders import chunk

FUSED = Retrieval((), fusion=Fusion())
UNDERSTOOD = Understood(
    "lookup",
    "names something",
    "signature rules",
    corrections=(Correction("signatrue", "signature"),),
    synonyms=("sign off",),
)


def hit(shares=None, **stages):
    return Passage(chunk(), 0.5, {n: StageScore(*one) for n, one in stages.items()}, shares or {})


def test_each_stage_has_a_sentence():
    found = hit(dense=(0.7123, 3), keyword=(8.314, 1), reranker=(0.98, 2))

    assert reasons(found, ["'refunds'"], FUSED) == [
        "dense: number 3, with cosine 0.712",
        "keyword: number 1, with BM25 8.314, by 'refunds'",
        "reranker: number 2, with score 0.980",
    ]


def test_what_reached_for_a_passage_is_told():
    stages = {"document": (0.9, 2), "neighbour": (0.9, 1), "part 2": (0.4, 3)}

    assert reasons(hit(**stages), [], FUSED) == [
        "document: its document is number 2 of all",
        "neighbour: stands beside the hit that was number 1 before",
        "part 2: number 3 where that is searched for, with 0.400",
    ]


def test_the_sides_of_a_fusion_are_told_apart():
    shares = {"dense": Share(0.45, 1.41, True), "keyword": Share(0.55, -1, False)}

    told = reasons(hit(shares, dense=(0.5, 1)), [], FUSED)

    assert told[1] == (
        "fusion (weighted): dense gives 0.45 × 1.41, keyword gives 0.55 × -1.00, "
        "where it is not found"
    )


def test_corrected_words_and_synonyms_are_marked():
    assert asked_words("signatrue rules", UNDERSTOOD) == {
        "signature": "'signature' (read for 'signatrue')",
        "rules": "'rules'",
        "sign": "'sign' (of the synonym 'sign off')",
        "off": "'off' (of the synonym 'sign off')",
    }


async def test_words_are_looked_for_in_the_passages_that_are_shown_and_in_no_other():
    asked = []

    async def words_of(words, chunk_ids):
        asked.append((words, chunk_ids))
        return {chunk_ids[0]: ["sign"]}

    one = replace(hit(keyword=(1, 1)), chunk=chunk(chunk_id=7))
    found = Retrieval((one,), understood=UNDERSTOOD)

    why = await explained(found, [one], "signatrue rules", words_of)

    assert asked == [(["signature", "rules", "sign", "off"], [7])]
    assert why == {7: ["keyword: number 1, with BM25 1.000, by 'sign' (of the synonym 'sign off')"]}


async def test_of_a_long_question_the_first_words_are_looked_for():
    async def words_of(words, _chunk_ids):
        assert len(words) == LONGEST
        return {}

    text = " ".join(f"w{n}" for n in range(1_000))
    await explained(Retrieval((hit(),)), [hit()], text, words_of)
