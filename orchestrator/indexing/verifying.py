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
TIE: Final = 1e-4


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
    if len(lacking) and projection.revision == shelf.roster.revision:
        return f"{role} lacks {len(lacking)} of {len(wanted)} chunks"
    missed, tried = 0, 0
    async for ids, contents in projection.source(_sample(held)):
        for chunk_id, content in zip(ids.tolist(), contents, strict=True):
            if (scope := _scope_of(shelf, chunk_id)) is None:
                continue
            tried += 1
            hits = await projection.search(content, scope=scope, limit=LIMIT)
            at = [hit.score for hit in hits if hit.chunk_id == chunk_id]
            tied = len(hits) == LIMIT and hits[0].score - hits[-1].score < TIE
            missed += not at and not tied
    if tried and missed / tried > MISSED:
        return f"{role} does not find {missed} of {tried} chunks by what they hold"
    return None


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
