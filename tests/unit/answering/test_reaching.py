"""What comes with a hit: more of its document, and what stands around it, within the scope."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.answering.reaching import DEEPER, ReachingRetriever
from orchestrator.domain.passages import Passage, Retrieval, StageScore
from orchestrator.domain.workspaces import Reach
from tests.builders import Ledger, chunk, question


class Inner:
    def __init__(self, *passages):
        self.passages, self.limits = passages, []

    async def retrieve(self, _query, *, limit):
        self.limits.append(limit)
        return Retrieval(self.passages[:limit], ("dense_retrieval",))


def passage(chunk_id, score, document="document-1"):
    found = replace(chunk(chunk_id=chunk_id), document_id=document)
    return Passage(found, score, {"dense": StageScore(score, 1)})


def reaching(inner, ledger=None, **reach):
    async def read(candidates, scope):
        assert all(ledger.roster.sees(one.chunk_id, scope) for one in candidates)
        return [Passage(chunk(chunk_id=c.chunk_id), c.score, c.stages) for c in candidates]

    around = ledger.roster.around if ledger else None
    return ReachingRetriever(inner, Reach(**reach), around, read)


def ids(found):
    return [one.chunk.id for one in found.passages]


async def test_only_the_best_documents_are_looked_into_and_further_down():
    inner = Inner(
        passage(1, 0.9, "a"), passage(2, 0.8, "b"), passage(3, 0.7, "c"), passage(4, 0.6, "a")
    )

    found = await reaching(inner, documents=2).retrieve(question(), limit=3)

    assert inner.limits == [3 * DEEPER]
    assert ids(found) == [1, 2, 4]
    assert found.passages[2].stages["document"] == StageScore(0.9, 1)
    assert found.degraded == ("dense_retrieval",)


async def test_a_hit_is_followed_by_its_neighbours_none_of_them_twice():
    ledger = Ledger()
    ledger.publish(5)
    inner = Inner(passage(2, 0.9), passage(3, 0.8))

    found = await reaching(inner, ledger, neighbours=1).retrieve(
        question(scope=ledger.scope()), limit=9
    )

    assert ids(found) == [2, 1, 3, 4]
    assert [one.score for one in found.passages] == [0.9, 0.9, 0.8, 0.8]
    assert found.passages[1].stages == {"neighbour": StageScore(0.9, 1)}
    assert found.passages[3].stages == {"neighbour": StageScore(0.8, 2)}


async def test_neighbours_count_as_passages():
    ledger = Ledger()
    ledger.publish(5)

    found = await reaching(Inner(passage(3, 0.9), passage(1, 0.8)), ledger, neighbours=1).retrieve(
        question(scope=ledger.scope()), limit=3
    )

    assert ids(found) == [3, 2, 4]


def test_neighbours_are_of_the_same_document_and_version_in_their_order():
    ledger = Ledger()
    old = ledger.publish(3)
    ledger.supersede(old)
    ledger.publish(2)

    around = ledger.roster.around

    assert around(2, ledger.scope(revision=1), 2) == [1, 3]
    assert around(2, ledger.scope(), 2) == []
    assert around(4, ledger.scope(), 2) == [5]
    assert around(99, ledger.scope(), 2) == []


def test_there_are_no_neighbours_that_the_scope_may_not_see():
    ledger = Ledger()
    ledger.publish(3, acl={"board"})

    assert ledger.roster.around(2, ledger.scope(), 2) == []
    assert ledger.roster.around(2, ledger.scope("board"), 2) == [1, 3]

    ledger.delete(2)

    assert ledger.roster.around(2, ledger.scope("board"), 2) == []
