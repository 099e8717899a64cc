"""Who may see which chunk of a workspace: a projection of the log without texts or vectors."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from orchestrator.domain.identity import Scope
from orchestrator.ports.arrays import Ids
from orchestrator.ports.catalog import Delta, Rights, Row
from orchestrator.ports.indexes import Selection

Mask: TypeAlias = npt.NDArray[np.bool_]
Who: TypeAlias = tuple[frozenset[str], str]
"""Groups, and filters as written out: `1` and `True` are equal, and not the same."""

Key = TypeVar("Key")
Value = TypeVar("Value")

NEVER: Final = np.iinfo(np.int64).max
REMEMBERED: Final = 256
NEARBY: Final = 64


@dataclass(frozen=True, eq=False)
class _State:
    """One consistent view: never changed, only replaced, so that threads may read it."""

    revision: int = 0
    ids: Ids = field(default_factory=lambda: np.empty(0, np.int64))
    documents: npt.NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    added: Ids = field(default_factory=lambda: np.empty(0, np.int64))
    removed: Ids = field(default_factory=lambda: np.empty(0, np.int64))
    rights: tuple[Rights | None, ...] = ()
    selections: OrderedDict[tuple[Who, int], Selection] = field(default_factory=OrderedDict)
    allowed: OrderedDict[Who, Mask] = field(default_factory=OrderedDict)


class Roster:
    """`orchestrator.ports.indexes.Visibility` for one generation of one workspace."""

    def __init__(self, generation: int) -> None:
        self._generation = generation
        self._state = _State()
        self._places: dict[str, int] = {}
        self._forgotten = 0

    @property
    def revision(self) -> int:
        """The revision up to which the log has been applied."""
        return self._state.revision

    @property
    def ids(self) -> Ids:
        """Every chunk that an index must hold, ascending; superseded ones until forgotten."""
        return self._state.ids

    def apply(self, delta: Delta) -> Ids:
        """Move to the delta's revision; the ids of chunks that were deleted by it."""
        rights = self._granted(delta.documents)
        state = self._merged(
            [
                row
                for row in delta.rows
                if row.generation == self._generation
                and (row.removed is None or row.removed > self._forgotten)
            ]
        )
        touched = [self._places[document.document_id] for document in delta.documents]
        listed = np.array([row.chunk_id for row in delta.rows], np.int64)
        dead = np.isin(state.documents, touched) & ~np.isin(state.ids, listed)
        self._state = _keep(state, ~dead, delta.revision, rights)
        deleted: Ids = state.ids[dead]
        return deleted

    def forget(self, revision: int) -> None:
        """Drop chunks that were superseded at or before the revision: nobody reads there now."""
        state = self._state
        self._forgotten = max(self._forgotten, revision)
        live = state.removed > revision
        if not live.all():
            self._state = _keep(state, live, state.revision, state.rights)

    def select(self, scope: Scope) -> Selection:
        """The chunks the scope may see at its revision, with the rights of now."""
        state = self._state
        who = (scope.principal.groups, repr(scope.filters))
        found = state.selections.get((who, scope.revision))
        if found is not None:
            return found
        seen = (state.added <= scope.revision) & (state.removed > scope.revision)
        if len(state.ids):
            allowed = state.allowed.get(who)
            if allowed is None:
                allowed = _remember(state.allowed, who, _allowed(state, scope))
            seen &= allowed[state.documents]
        return _remember(state.selections, (who, scope.revision), Selection(state.ids[seen]))

    def sees(self, chunk_id: int, scope: Scope) -> bool:
        """Whether the scope may see one chunk."""
        state = self._state
        at = int(state.ids.searchsorted(chunk_id))
        if at == len(state.ids) or state.ids[at] != chunk_id:
            return False
        right = state.rights[state.documents[at]]
        return (
            right is not None
            and state.added[at] <= scope.revision < state.removed[at]
            and not right.acl.isdisjoint(scope.principal.groups)
            and (scope.filters is None or scope.filters.matches(right.metadata))
        )

    def around(self, chunk_id: int, scope: Scope, count: int) -> Sequence[int]:
        """Up to `count` chunks before and after one, of its document, that the scope may see.

        Chunks of one version are numbered in order, and looked for nearby: others may have been
        published in between.
        """
        state = self._state
        at = int(state.ids.searchsorted(chunk_id))
        if not self.sees(chunk_id, scope):
            return []
        near = slice(max(0, at - NEARBY), at + NEARBY + 1)
        same = (
            (state.documents[near] == state.documents[at])
            & (state.added[near] <= scope.revision)
            & (state.removed[near] > scope.revision)
        )
        found: list[int] = state.ids[near][same].tolist()
        place = found.index(chunk_id)
        return found[max(0, place - count) : place] + found[place + 1 : place + 1 + count]

    def _granted(self, documents: Sequence[Rights]) -> tuple[Rights | None, ...]:
        if not documents:
            return self._state.rights
        rights = list(self._state.rights)
        for document in documents:
            place = self._places.setdefault(document.document_id, len(rights))
            if place == len(rights):
                rights.append(None)
            rights[place] = None if document.deleted else document
        return tuple(rights)

    def _merged(self, rows: Sequence[Row]) -> _State:
        state = self._state
        if not rows:
            return state
        ids = np.array([row.chunk_id for row in rows], np.int64)
        removed = np.array(
            [NEVER if row.removed is None else row.removed for row in rows], np.int64
        )
        new = ~np.isin(ids, state.ids)
        before = state.removed.copy()
        before[np.searchsorted(state.ids, ids[~new])] = removed[~new]
        fresh = [row for row, is_new in zip(rows, new, strict=True) if is_new]
        return _State(
            ids=np.concatenate([state.ids, ids[new]]),
            documents=np.concatenate(
                [state.documents, np.array([self._places[r.document_id] for r in fresh], np.int32)]
            ),
            added=np.concatenate([state.added, np.array([r.added for r in fresh], np.int64)]),
            removed=np.concatenate([before, removed[new]]),
        )


def _keep(state: _State, live: Mask, revision: int, rights: tuple[Rights | None, ...]) -> _State:
    if live.all():
        return _State(revision, state.ids, state.documents, state.added, state.removed, rights)
    return _State(
        revision,
        state.ids[live],
        state.documents[live],
        state.added[live],
        state.removed[live],
        rights,
    )


def _allowed(state: _State, scope: Scope) -> Mask:
    groups, filters = scope.principal.groups, scope.filters
    return np.fromiter(
        (
            right is not None
            and not right.acl.isdisjoint(groups)
            and (filters is None or filters.matches(right.metadata))
            for right in state.rights
        ),
        bool,
        len(state.rights),
    )


def _remember(memory: OrderedDict[Key, Value], key: Key, value: Value) -> Value:
    memory[key] = value
    while len(memory) > REMEMBERED:
        memory.popitem(last=False)
    return value
