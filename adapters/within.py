"""The best of a selection, from an index that is not told who may see what: which way to ask."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from orchestrator.domain.passages import Hit
from orchestrator.ports.arrays import Ids

Mask: TypeAlias = npt.NDArray[np.bool_]

DEEPER: Final = 4


@dataclass(frozen=True, slots=True, eq=False)
class Only:
    """Rank these and no others."""

    ids: Ids


@dataclass(frozen=True, slots=True, eq=False)
class Without:
    """Rank all but these."""

    ids: Ids


Bound: TypeAlias = Only | Without | None
"""What a search is confined to; None is everything."""

Search: TypeAlias = Callable[[Bound, int], Awaitable[Sequence[Hit]]]
"""The best so many within a bound, best first."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How many ids one search may name, and how many hits it may be asked for."""

    names: int
    hits: int


async def search_within(
    search: Search, held: Ids, allowed: Mask, *, limit: int, reach: Reach
) -> Sequence[Hit]:
    """The best `limit` of what is allowed among the ids held, ranked before they are cut off.

    What is allowed is named where it is little, what is hidden where that is little. Else more
    is asked for, step by step, until enough of it is allowed; and where that does not suffice,
    all that is allowed is asked for, part by part.
    """
    seen, hidden = held[allowed], held[~allowed]
    count = min(limit, len(seen), reach.hits)
    if count == 0:
        return []
    if len(hidden) and len(seen) <= reach.names:
        return await search(Only(seen), count)
    if len(hidden) <= reach.names:
        hits = await search(Without(hidden) if len(hidden) else None, count)
        if all(_among(hits, seen)):
            return hits
    elif (found := await _deepened(search, seen, held, count, reach)) is not None:
        return found
    return await _by_parts(search, seen, count, reach)


async def _deepened(
    search: Search, seen: Ids, held: Ids, count: int, reach: Reach
) -> Sequence[Hit] | None:
    """Ask for ever more of everything; None when the reach ends before enough is found.

    At first for twice what would do if what is allowed lay evenly among the rest.
    """
    depth = int(count * max(DEEPER, 2 * len(held) / len(seen)))
    while True:
        asked = min(depth, len(held), reach.hits)
        hits = await search(None, asked)
        found = [hit for hit, one in zip(hits, _among(hits, seen), strict=True) if one]
        if len(found) >= count:
            return found[:count]
        if asked < depth:
            return None
        depth *= DEEPER


async def _by_parts(search: Search, seen: Ids, count: int, reach: Reach) -> Sequence[Hit]:
    hits: list[Hit] = []
    for start in range(0, len(seen), reach.names):
        hits += await search(Only(seen[start : start + reach.names]), count)
        hits = sorted(hits, key=lambda hit: -hit.score)[:count]
    return hits


def _among(hits: Sequence[Hit], seen: Ids) -> Sequence[bool]:
    asked = np.array([hit.chunk_id for hit in hits], np.int64)
    among: list[bool] = np.isin(asked, seen, assume_unique=True).tolist()
    return among
