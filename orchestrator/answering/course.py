"""The course of one request: what it shows of its passages, what was degraded, how long it took."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from orchestrator.answering.conversing import Followed
from orchestrator.domain.answers import Answer, Checked, Meta, Packing, Query, Source
from orchestrator.domain.context import begin_skips, begin_timings, trace_id
from orchestrator.domain.errors import Unavailable
from orchestrator.domain.passages import Passage
from orchestrator.domain.understanding import FollowUp, Understood
from orchestrator.indexing.library import Moment
from orchestrator.ports.cache import CacheKey


@dataclass(frozen=True, slots=True)
class Names:
    """What answers, for `meta`; `fingerprint` identifies all the settings behind the names.

    `generator` is a kind, and `model` its name in the settings.
    """

    retriever: str
    reranker: str
    generator: str
    model: str
    fingerprint: str


class Course:
    """Notes that a request makes on its way, and the answer that they become."""

    def __init__(self, query: Query, moment: Moment, names: Names) -> None:
        self._began = time.perf_counter()
        self._timings = begin_timings()
        self._skipped = begin_skips()
        self._degraded: list[str] = []
        self._names = names
        self._moment = moment
        self._query = query
        self.understood: Understood | None = None
        self.packing: Packing | None = None
        self._follow_up: FollowUp | None = None

    @cached_property
    def key(self) -> CacheKey:
        """What makes another request the same as this one, but for the revision."""
        scope = self._query.scope
        parts = (
            self._names.fingerprint,
            self._moment.workspace.config_version,
            self._names.model,
            self._query.text.casefold(),
            self._query.top_k,
            sorted(scope.principal.groups),
            scope.filters,
        )
        digest = hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()
        return CacheKey(self._moment.workspace.uid, digest)

    @property
    def whole(self) -> bool:
        """Whether nothing was missing: only then may the answer be remembered."""
        return not self._degraded and self._moment.current

    def follow(self, followed: Followed) -> Query:
        """Go on with the question as it was made whole: from now on, it is what was asked."""
        self._query, self._follow_up = followed.query, followed.follow_up
        self.note(followed.degraded)
        return followed.query

    def note(self, degraded: Sequence[str]) -> None:
        """Say what did not take part."""
        self._degraded.extend(degraded)

    def degrading(self, name: str) -> _Degrading:
        """Go on without the dependency when it is down, and say so."""
        return _Degrading(name, self._degraded)

    def recalled(self, answer: Answer) -> Answer:
        """A remembered answer as this request's own."""
        meta = replace(
            answer.meta,
            cache_hit=True,
            trace_id=trace_id(),
            latency_ms=self._latency(),
            timings_ms=self._timings,
            degraded=tuple(self._degraded),
        )
        return self.continuing(replace(answer, meta=meta))

    def continuing(self, answer: Answer) -> Answer:
        """The answer with what was said before it, which no other caller is told."""
        if not (self._follow_up and answer.meta.query):
            return answer
        query = replace(answer.meta.query, follow_up=self._follow_up)
        return replace(answer, meta=replace(answer.meta, query=query))

    def answer(self, text: str, checked: Checked, sources: Sequence[Source]) -> Answer:
        """The answer, with what it cites marked."""
        cited = tuple(
            replace(source, cited=True) if number in checked.cited else source
            for number, source in enumerate(sources, start=1)
        )
        meta = Meta(
            latency_ms=self._latency(),
            trace_id=trace_id(),
            timings_ms=self._timings,
            degraded=tuple(dict.fromkeys(self._degraded)),
            retriever=self._names.retriever,
            reranker=self._names.reranker,
            generator=checked.outcome.generator or self._names.generator,
            model=checked.outcome.model or self._names.model,
            finish_reason=checked.outcome.finish_reason,
            usage=checked.outcome.usage,
            skipped=tuple(self._skipped),
            revision=self._moment.revision,
            config_version=self._moment.workspace.config_version,
            query=self.understood,
            prompt=checked.outcome.prompt,
            packing=self.packing,
            grounding=checked.grounding,
            confidence=checked.confidence,
        )
        return Answer(text, checked.outcome.answerable, cited, meta)

    def _latency(self) -> float:
        return round((time.perf_counter() - self._began) * 1e3, 3)


class _Degrading:
    __slots__ = ("_name", "_notes")

    def __init__(self, name: str, notes: list[str]) -> None:
        self._name = name
        self._notes = notes

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        down = isinstance(error, Unavailable)
        if down:
            self._notes.append(self._name)
        return down


def as_source(passage: Passage) -> Source:
    """A passage as an answer shows it."""
    chunk = passage.chunk
    return Source(
        doc_id=chunk.document_id,
        chunk_id=str(chunk.id),
        source_id=chunk.source_id,
        title=chunk.title,
        snippet=chunk.text,
        score=round(passage.score, 6),
        page=chunk.page,
        section=chunk.section,
        start=chunk.start,
        end=chunk.end,
        scores=passage.stages,
    )
