"""Small values that the suites are fed with: passages, questions, answers, uploads."""

from __future__ import annotations

from io import BytesIO

from orchestrator.domain.answers import Answer, Meta, Packing, Query, Source, Spent, Usage
from orchestrator.domain.documents import Chunk, Upload
from orchestrator.domain.filters import Metadata
from orchestrator.domain.grounding import Grounded, Sentence
from orchestrator.domain.identity import ANONYMOUS, EVERYONE, Principal, Scope
from orchestrator.domain.passages import Passage, StageScore

REFUNDS = "Refunds are paid within 7 days of purchase."
ANYONE = Scope("default")


def chunk(text: str = REFUNDS, *, chunk_id: int = 1, title: str = "Refund policy") -> Chunk:
    """A chunk that is the whole of its document."""
    return Chunk(
        id=chunk_id,
        document_id=f"document-{chunk_id}",
        source_id=f"policies/{chunk_id}.md",
        version=1,
        title=title,
        text=text,
        start=0,
        end=len(text),
    )


def passage(
    text: str = REFUNDS, *, chunk_id: int = 1, title: str = "Refund policy", score: float = 0.5
) -> Passage:
    """A passage that dense retrieval found first."""
    return Passage(
        chunk(text, chunk_id=chunk_id, title=title), score, {"dense": StageScore(score, 1)}
    )


def question(
    text: str = "When are refunds paid?", *, scope: Scope = ANYONE, top_k: int = 5
) -> Query:
    """A question of an anonymous caller."""
    return Query(text, scope, top_k)


def member(*groups: str) -> Principal:
    """A caller who is in these groups only; in none, the anonymous caller."""
    return Principal("member", frozenset(groups)) if groups else ANONYMOUS


def answer(text: str = f"{REFUNDS} [1]") -> Answer:
    """An answer in which no field has its default value."""
    source = Source(
        doc_id="document-1",
        chunk_id="1",
        source_id="policies/1.md",
        title="Rückgabe – 返金",
        snippet=REFUNDS,
        score=0.91,
        page=3,
        section="Refunds > Delays",
        start=120,
        end=310,
        cited=True,
        scores={"dense": StageScore(0.62, 1), "keyword": StageScore(7.5, 2)},
    )
    meta = Meta(
        cache_hit=True,
        latency_ms=4.25,
        trace_id="0af7651916cd43dd8448eb211c80319c",
        timings_ms={"retrieve": 3.5},
        degraded=("dense_retrieval",),
        retriever="hybrid",
        reranker="none",
        generator="extractive",
        usage=Usage(prompt_tokens=12, completion_tokens=9, model="small", cost=0.25),
        spent=(
            Spent("rewrite", Usage(30, 8, "tiny")),
            Spent("answer", Usage(12, 9, "small", 0.25)),
        ),
        revision=7,
        config_version=2,
        prompt="answer/v1.en",
        packing=Packing(1, 240, 3000, ("2",), ("3",), ("1",), ("4", "5")),
        grounding=Grounded(
            policy="remove",
            verifier="embedding",
            threshold=0.6,
            score=0.9,
            sentences=(
                Sentence(0, 47, (1,), 0.9, supported=True),
                Sentence(48, 53, (), None, True),
            ),
            withheld=1,
        ),
        confidence=0.87,
    )
    return Answer(text, answerable=True, sources=(source,), meta=meta)


def upload(
    content: bytes = REFUNDS.encode(),
    *,
    source_id: str = "policies/refunds.txt",
    title: str | None = "Refund policy",
    metadata: Metadata | None = None,
    acl: frozenset[str] = frozenset({EVERYONE}),
) -> Upload:
    """A text file that everyone may see."""
    return Upload(source_id, BytesIO(content), source_id, title, metadata or {}, acl)
