"""Who may see which chunk of a workspace: a projection of the log without texts or vectors."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from orchestrator.domain.filters import And, Condition, Filter, Metadata, Not
from orchestrator.domain.identity import Scope
from orchestrator.indexing.columns import Column, Mask
from orchestrator.ports.arrays import Ids, Room
from orchestrator.ports.catalog import Delta, Rights, Run
from orchestrator.ports.indexes import Selection

Who: TypeAlias = tuple[frozenset[str], str]
"""Groups, and filters as written out: `1` and `True` are equal, and not the same."""
Granted: TypeAlias = tuple[Rights | None, ...]
"""The rights of each document, by its place; none once it is deleted."""

Key = TypeVar("Key")
Value = TypeVar("Value")

NEVER: Final = np.iinfo(np.int64).max
REMEMBERED: Final = 256
REMEMBERED_BYTES: Final = 64_000_000
"""At most so much memory is kept for selections, but for the newest."""
COLUMNS: Final = 32
"""Fields of metadata that filters asked for lately."""
NEARBY: Final = 64


@dataclass(frozen=True, eq=False)
class _Rights:
    """What documents allow, and the columns of it that were asked for."""

    granted: Granted = ()
    groups: Column = field(default_factory=Column)
    fields: OrderedDict[str, Column] = field(default_factory=OrderedDict)
    allowed: OrderedDict[Who, Mask] = field(default_factory=OrderedDict)

    def changed(self, rights: dict[int, Rights | None]) -> _Rights:
        """The rights of some documents are others now."""
        granted = list(self.granted) + [None] * (max(rights) + 1 - len(self.granted))
        for place, one in rights.items():
            granted[place] = one
        return _Rights(
            tuple(granted),
            self.groups.changed({place: _groups(one) for place, one in rights.items()}),
            OrderedDict(
                (name, column.changed({p: _value(one, name) for p, one in rights.items()}))
                for name, column in list(self.fields.items())
            ),
        )

    def allow(self, scope: Scope, who: Who) -> Mask:
        """For each document, whether the scope may see it, and asks for it."""
        known = self.allowed.get(who)
        if known is not None:
            return known
        groups = scope.principal.groups
        mask = self.groups.where(repr(sorted(groups)), lambda acl: not groups.isdisjoint(acl))
        if scope.filters is not None:
            mask = mask & self._holds(scope.filters)
        _remember(self.allowed, who, mask, most=REMEMBERED)
        return mask

    def _holds(self, wanted: Filter) -> Mask:
        match wanted:
            case Condition():
                return self._column(wanted.field).where(
                    repr(wanted), lambda value: wanted.matches({wanted.field: value})
                )
            case Not():
                return ~self._holds(wanted.operand)
        masks = np.stack([self._holds(one) for one in wanted.operands])
        joined = np.logical_and if isinstance(wanted, And) else np.logical_or
        mask: Mask = joined.reduce(masks)
        return mask

    def _column(self, name: str) -> Column:
        column = self.fields.get(name)
        if column is None:
            column = Column(_value(one, name) for one in self.granted)
            _remember(self.fields, name, column, most=COLUMNS)
        return column


@dataclass(frozen=True, eq=False)
class _State:
    """One consistent view: never changed, only replaced, so that threads may read it."""

    revision: int = 0
    ids: Ids = field(default_factory=lambda: np.empty(0, np.int64))
    documents: npt.NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    added: Ids = field(default_factory=lambda: np.empty(0, np.int64))
    removed: Ids = field(default_factory=lambda: np.empty(0, np.int64))
    rights: _Rights = field(default_factory=_Rights)
    selections: OrderedDict[tuple[Who, int], Selection] = field(default_factory=OrderedDict)

    def of(self, live: Mask) -> _State:
        """The view without some chunks, and without selections."""
        return replace(
            self,
            ids=self.ids[live],
            documents=self.documents[live],
            added=self.added[live],
            removed=self.removed[live],
            selections=OrderedDict(),
        )

    def still(self, first: int, last: int) -> OrderedDict[tuple[Who, int], Selection]:
        """The selections at some revisions."""
        kept = ((key, one) for key, one in list(self.selections.items()) if first <= key[1] <= last)
        return OrderedDict(kept)


class Roster:
    """`orchestrator.ports.indexes.Visibility` for one generation of one workspace."""

    def __init__(self, generation: int) -> None:
        self._generation = generation
        self._state = _State()
        self._ids, self._added, self._removed = Room[Ids](), Room[Ids](), Room[Ids]()
        self._documents = Room[npt.NDArray[np.int32]]()
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
        """Move to the delta's revision; the ids of chunks that were deleted by it.

        What was selected at earlier revisions holds as long as no rights change.
        """
        known = len(self._places)
        kept = self._state.still(0, self._state.revision) if self._only_more(delta) else {}
        state = replace(
            self._state,
            revision=delta.revision,
            rights=self._granted(delta.documents),
            selections=OrderedDict(kept),
        )
        touched = [self._places[one.document_id] for one in delta.documents]
        before = [place for place in touched if place < known]
        deleted: Ids = np.empty(0, np.int64)
        if before:
            listed = np.concatenate([deleted, *(run.ids for run in delta.runs)])
            dead = np.isin(state.documents, before) & ~np.isin(state.ids, listed)
            deleted = state.ids[dead]
            if len(deleted):
                state = state.of(~dead)
        runs = [
            run
            for run in delta.runs
            if run.generation == self._generation
            and (run.removed is None or run.removed > self._forgotten)
        ]
        self._state = self._merged(state, runs)
        return deleted

    def forget(self, revision: int) -> None:
        """Drop chunks that were superseded at or before the revision: nobody reads there now."""
        self._forgotten = max(self._forgotten, revision)
        live = self._state.removed > revision
        if not live.all():
            kept = self._state.still(revision, self._state.revision)
            self._state = replace(self._state.of(live), selections=kept)

    def select(self, scope: Scope) -> Selection:
        """The chunks the scope may see at its revision, with the rights of now."""
        state = self._state
        who = (scope.principal.groups, repr(scope.filters))
        found = state.selections.get((who, scope.revision))
        if found is not None:
            return found
        seen = (state.added <= scope.revision) & (state.removed > scope.revision)
        if len(state.ids):
            seen &= state.rights.allow(scope, who)[state.documents]
        selection = Selection(state.ids if seen.all() else state.ids[seen])
        most = max(1, REMEMBERED_BYTES // (selection.ids.nbytes + 1))
        return _remember(
            state.selections, (who, scope.revision), selection, most=min(REMEMBERED, most)
        )

    def groups_of(self, chunk_id: int) -> frozenset[str] | None:
        """The groups that may see a chunk; None where it is gone."""
        state = self._state
        at = int(state.ids.searchsorted(chunk_id))
        if at == len(state.ids) or state.ids[at] != chunk_id:
            return None
        right = state.rights.granted[state.documents[at]]
        return right.acl if right else None

    def sees(self, chunk_id: int, scope: Scope) -> bool:
        """Whether the scope may see one chunk."""
        state = self._state
        at = int(state.ids.searchsorted(chunk_id))
        if at == len(state.ids) or state.ids[at] != chunk_id:
            return False
        right = state.rights.granted[state.documents[at]]
        return (
            right is not None
            and bool(state.added[at] <= scope.revision < state.removed[at])
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

    def _only_more(self, delta: Delta) -> bool:
        """Whether every document that was known allows what it did."""
        for now in delta.documents:
            place = self._places.get(now.document_id)
            if place is not None and not _alike(self._state.rights.granted[place], now):
                return False
        return True

    def _granted(self, documents: Sequence[Rights]) -> _Rights:
        if not documents:
            return self._state.rights
        rights: dict[int, Rights | None] = {}
        for document in documents:
            place = self._places.setdefault(document.document_id, len(self._places))
            rights[place] = None if document.deleted else document
        return self._state.rights.changed(rights)

    def _merged(self, state: _State, runs: Sequence[Run]) -> _State:
        if not runs:
            return state
        sizes = [len(run.ids) for run in runs]
        ids = np.concatenate([run.ids for run in runs])
        order = np.argsort(ids)
        ids = ids[order]
        places = np.repeat([self._places[run.document_id] for run in runs], sizes)[order]
        added = np.repeat([run.added for run in runs], sizes)[order]
        ends = [NEVER if run.removed is None else run.removed for run in runs]
        removed = np.repeat(ends, sizes)[order]
        at = np.searchsorted(state.ids, ids)
        new = at == len(state.ids)
        new[~new] = state.ids[at[~new]] != ids[~new]
        before = state.removed
        if not new.all():
            before = before.copy()
            before[at[~new]] = removed[~new]
        return replace(
            state,
            ids=self._ids.extended(state.ids, ids[new]),
            documents=self._documents.extended(state.documents, places[new].astype(np.int32)),
            added=self._added.extended(state.added, added[new]),
            removed=self._removed.extended(before, removed[new]),
        )


def _alike(before: Rights | None, now: Rights) -> bool:
    """Whether nothing that filters or groups could tell apart has changed."""
    if before is None:
        return now.deleted
    same = before.acl == now.acl and repr(before.metadata) == repr(now.metadata)
    return same and not now.deleted


def _groups(right: Rights | None) -> tuple[str, ...]:
    return tuple(sorted(right.acl)) if right else ()


def _value(right: Rights | None, name: str) -> Metadata | object:
    return right.metadata.get(name) if right else None


def _remember(memory: OrderedDict[Key, Value], key: Key, value: Value, *, most: int) -> Value:
    memory[key] = value
    while len(memory) > most:
        memory.popitem(last=False)
    return value
