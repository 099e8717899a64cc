"""What is counted of searches: in memory while a request runs, and in the catalog afterwards."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final

import structlog

from orchestrator.domain.analytics import LONGEST, Counted, Kind, Outcome, Policy, spent, step_of
from orchestrator.domain.answers import Usage
from orchestrator.domain.characters import kept
from orchestrator.domain.errors import NotFound, RagError
from orchestrator.domain.understanding import Understood
from orchestrator.ports.catalog import Analytics, Workspaces
from orchestrator.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)

EVERY_S: Final = 5.0
SWEEP_S: Final = 3_600.0
MOST: Final = 50_000
"""So many different counts are held in memory; while the catalog is away, further ones are lost."""


class Recorder:
    """Counts every search of this process; `run` adds the counts to those of all others."""

    def __init__(
        self,
        analytics: Analytics,
        workspaces: Workspaces,
        policy: Policy,
        metrics: Metrics,
    ) -> None:
        self._analytics = analytics
        self._workspaces = workspaces
        self._policy = policy
        self._metrics = metrics
        self._counts: Counter[tuple[str, date, Kind, str]] = Counter()
        self._first: dict[str, datetime] = {}
        self._swept = -SWEEP_S

    @property
    def weak_cosine(self) -> float:
        """What meaning alone found is weak below it."""
        return self._policy.weak_cosine

    def searched(
        self,
        workspace: str,
        text: str,
        outcome: Outcome,
        timings: Mapping[str, float],
        *,
        notes: Iterable[str] = (),
        understood: Understood | None = None,
        usage: Iterable[Usage] = (),
    ) -> None:
        """Count one search of a workspace: its outcome, stages and cost, what is noted of it."""
        self._metrics.searches.labels(outcome).inc()
        now = datetime.now(UTC)
        day = now.date()
        self._first.setdefault(workspace, now)
        self._count(workspace, day, "outcome", outcome)
        for note in notes:
            self._count(workspace, day, "note", note)
        for stage, milliseconds in timings.items():
            self._count(workspace, day, "stage", f"{stage}:{step_of(milliseconds)}")
        for used in usage:
            for name, number in spent(used).items():
                self._count(workspace, day, "usage", name, number)
        corrections = understood.corrections if understood else ()
        if corrections:
            self._count(workspace, day, "note", "corrected")
        if self._policy.questions and outcome != "found":
            self._count(workspace, day, outcome, " ".join(text.casefold().split())[:LONGEST])
            for one in corrections:  # what they were read as, not every reader may see
                self._count(workspace, day, "misread", one.word.casefold()[:LONGEST])

    async def run(self) -> None:
        """Write every few seconds, for ever; and once more when told to stop."""
        try:
            while True:
                await asyncio.sleep(EVERY_S)
                await self._round()
        finally:
            await self._round()

    async def flush(self) -> None:
        """Add what was counted to the catalog; where that is not done, it is counted still.

        Counts of a workspace that is gone, or was made anew under its name, are dropped.
        """
        counts, first = self._counts, self._first
        if not counts:
            return
        self._counts, self._first = Counter(), {}
        try:
            uids = {name: await self._uid(name, since) for name, since in first.items()}
            await self._analytics.add(
                {
                    Counted(uid, day, kind, text): number
                    for (name, day, kind, text), number in counts.items()
                    if (uid := uids[name])
                },
                texts=self._policy.max_questions,
            )
        except BaseException:  # a cancellation, too
            self._counts, self._first = counts + self._counts, {**self._first, **first}
            raise

    async def sweep(self) -> None:
        """Erase what is older than the retention."""
        today = datetime.now(UTC).date()
        await self._analytics.forget(today - timedelta(days=self._policy.retention_days))

    async def _round(self) -> None:
        try:
            await self.flush()
            if time.monotonic() - self._swept > SWEEP_S:
                await self.sweep()
                self._swept = time.monotonic()
        except RagError as error:
            log.warning("analytics_failed", error=error.detail)

    async def _uid(self, name: str, since: datetime) -> str | None:
        try:
            workspace = await self._workspaces.get(name)
        except NotFound:
            return None
        return workspace.uid if workspace.created_at <= since else None

    def _count(self, workspace: str, day: date, kind: Kind, name: str, number: int = 1) -> None:
        key = (workspace, day, kind, name)
        if key in self._counts or (len(self._counts) < MOST and kept(name)):
            self._counts[key] += number
