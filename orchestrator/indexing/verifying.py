"""Whether an index that was filled beside those in use holds what it should, and finds it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import numpy as np

from orchestrator.domain.identity import Principal, Scope
from orchestrator.indexing.projection import Projection
from orchestrator.indexing.shelf import Shelf
from orchestrator.ports.arrays import Ids

SAMPLE: Final = 20
LIMIT: Final = 10
MISSED: Final = 0.1
"""Of the sample, so much need not find itself: approximate indexes may miss one now and then."""
TIE: Final = 0.8
"""Where the last hit comes so close to the first, many are alike: then any of them may be found."""


async def fault_of(shelf: Shelf, roles: Collection[str]) -> str | None:
    """What is wrong with these projections, as a sentence; None where nothing is."""
    for role in sorted(roles):
        projection = shelf.projections[role]
        if wrong := await _fault(shelf, role, projection):
            return wrong
    return None


async def _fault(shelf: Shelf, role: str, projection: Projection[Any, Any]) -> str | None:
    held, wanted = await projection.held(), shelf.roster.ids
    lacking = np.setdiff1d(wanted, held, assume_unique=True)
    if projection.revision == shelf.roster.revision:
        lacking = await _still_there(shelf, lacking)
        if len(lacking):
            return f"{role} lacks {len(lacking)} of {len(wanted)} chunks"
    missed, tried = [], 0
    async for ids, contents in projection.source(_sample(held)):
        for chunk_id, content in zip(ids.tolist(), contents, strict=True):
            if (scope := _scope_of(shelf, chunk_id)) is None:
                continue
            tried += 1
            hits = await projection.search(content, scope=scope, limit=LIMIT)
            there = any(hit.chunk_id == chunk_id for hit in hits)
            tied = len(hits) == LIMIT and hits[-1].score >= TIE * hits[0].score
            if not there and not tied:
                missed.append(chunk_id)
    lost = len(await _still_there(shelf, np.array(missed, np.int64)))
    if tried and lost / tried > MISSED:
        return f"{role} does not find {lost} of {tried} chunks by what they hold"
    return None


async def _still_there(shelf: Shelf, ids: Ids) -> Ids:
    """Those of the ids that no deletion took meanwhile."""
    if len(ids):
        await shelf.refresh()
    return np.intersect1d(ids, shelf.roster.ids)


def _sample(held: Ids) -> Ids:
    """Some ids, spread evenly."""
    spread: Ids = held[np.linspace(0, len(held) - 1, min(SAMPLE, len(held))).astype(int)]
    return spread


def _scope_of(shelf: Shelf, chunk_id: int) -> Scope | None:
    """Who may see the chunk; None where it was deleted or superseded meanwhile."""
    groups = shelf.roster.groups_of(chunk_id)
    if groups is None:
        return None
    principal = Principal("verification", groups)
    scope = Scope(shelf.workspace.name, principal, revision=shelf.roster.revision)
    return scope if shelf.roster.sees(chunk_id, scope) else None
