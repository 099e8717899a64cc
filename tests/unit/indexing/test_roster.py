"""The roster against a model that keeps everything and computes visibility by its definition."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.filters import And, Condition, Not
from orchestrator.domain.identity import Principal, Scope
from orchestrator.indexing.roster import Roster
from orchestrator.ports.catalog import Delta, Rights, Row
from tests.builders import Ledger

GROUPS = ("everyone", "legal", "board")
FILTERS = (None, Condition("year", "eq", 2026), Not(Condition("year", "eq", 2026)))
OTHER_GENERATION = 2


class Model:
    """Every row and every right there is, by chunk and document id; `last` is the newest chunk."""

    def __init__(self):
        self.revision = self.forgotten = self.last = 0
        self.rows, self.rights = {}, {}

    def seen(self, scope):
        return [
            row.chunk_id
            for row in self.rows.values()
            if row.generation == 1
            and row.added <= scope.revision
            and (row.removed is None or row.removed > scope.revision)
            and (right := self.rights[row.document_id]).acl & scope.principal.groups
            and (scope.filters is None or scope.filters.matches(right.metadata))
        ]

    def held(self):
        return {
            row.chunk_id
            for row in self.rows.values()
            if row.generation == 1 and (row.removed is None or row.removed > self.forgotten)
        }


class Change:
    """Applies changes to the model, and remembers which documents they touched."""

    def __init__(self, model):
        self.model = model
        self.touched = {}

    def publish(self, document, count, acl, year, generation):
        self._touch(document, Rights(document, acl, {"year": year}, deleted=False))
        for row in list(self.model.rows.values()):
            if (row.document_id, row.generation, row.removed) == (document, generation, None):
                self.model.rows[row.chunk_id] = replace(row, removed=self.model.revision)
        self.model.last += count
        for chunk_id in range(self.model.last - count + 1, self.model.last + 1):
            row = Row(chunk_id, document, generation, self.model.revision, None)
            self.model.rows[chunk_id] = row

    def grant(self, document, acl, year):
        if document in self.model.rights:
            self._touch(document, Rights(document, acl, {"year": year}, deleted=False))

    def delete(self, document):
        if document in self.model.rights:
            self._touch(document, Rights(document, frozenset(), {}, deleted=True))
            for chunk_id in [
                r.chunk_id for r in self.model.rows.values() if r.document_id == document
            ]:
                del self.model.rows[chunk_id]

    def _touch(self, document, right):
        self.model.revision += 1
        self.model.rights[document] = self.touched[document] = right

    def delta(self):
        """What the catalog's log gives: the rights, and all rows, of what was touched."""
        rows = [row for row in self.model.rows.values() if row.document_id in self.touched]
        return Delta.of(self.model.revision, rows, list(self.touched.values()))


documents = st.integers(0, 4)
acls = st.frozensets(st.sampled_from(GROUPS), min_size=1)
years = st.sampled_from([2025, 2026])
steps = st.one_of(
    st.tuples(
        st.just("publish"), documents, st.integers(0, 3), acls, years, st.sampled_from([1, 1, 1, 2])
    ),
    st.tuples(st.just("grant"), documents, acls, years),
    st.tuples(st.just("delete"), documents),
    st.tuples(st.just("tell")),
    st.tuples(st.just("forget"), st.integers(0, 12)),
)


def scopes(model):
    return [
        Scope("w", Principal("p", frozenset(groups)), filters, revision)
        for groups in (GROUPS[:1], GROUPS[1:2], GROUPS[1:], ())
        for filters in FILTERS
        for revision in range(model.forgotten, model.revision + 1)
    ]


def lives(steps):
    """Run the steps; yields model, roster and what was deleted each time the roster is told."""
    model, roster, names = Model(), Roster(1), dict(enumerate("abcde"))
    change = Change(model)
    for what, *rest in [*steps, ("tell",)]:
        if what == "tell":
            told, change = change.delta(), Change(model)
            yield model, roster, roster.apply(told).tolist()
        elif what == "forget":
            model.forgotten = max(model.forgotten, min(rest[0], roster.revision))
            roster.forget(model.forgotten)
        else:
            getattr(change, what)(names[rest[0]], *rest[1:])
            if what == "delete":  # a document's id is never used again
                names[rest[0]] += "'"


@given(st.lists(steps, max_size=18))
def test_a_scope_selects_what_the_definition_says(steps):
    for model, roster, _ in lives(steps):
        for scope in scopes(model):
            assert roster.select(scope).ids.tolist() == model.seen(scope)


@given(st.lists(steps, max_size=18))
def test_one_chunk_is_seen_when_it_is_selected(steps):
    for model, roster, _ in lives(steps):
        for scope in scopes(model)[:: max(1, len(scopes(model)) // 6)]:
            seen = {one for one in range(model.last + 3) if roster.sees(one, scope)}
            assert seen == set(model.seen(scope))


@given(st.lists(steps, max_size=18))
def test_an_index_must_hold_what_is_live_or_was_not_forgotten(steps):
    for model, roster, _ in lives(steps):
        assert roster.revision == model.revision
        assert roster.ids.tolist() == sorted(model.held())


@given(st.lists(steps, max_size=18))
def test_what_goes_without_being_forgotten_is_named_once(steps):
    before, named = set(), []
    for _, roster, gone in lives(steps):
        now = set(roster.ids.tolist())
        assert not set(gone) & now
        named += gone
        before |= now | set(gone)

    assert len(named) == len(set(named))
    assert set(named) <= before


def test_a_deletion_tells_which_chunks_were_in_the_document():
    ledger = Ledger()
    first, second = ledger.publish(2)
    (other,) = ledger.publish(1)
    gone = Rights("document-1", frozenset(), {}, deleted=True)

    taken = ledger.roster.apply(Delta.of(3, (), [gone]))

    assert taken.tolist() == [first, second]
    assert ledger.roster.ids.tolist() == [other]


def test_a_deletion_hides_a_document_at_every_revision():
    ledger = Ledger()
    (chunk_id,) = ledger.publish(1)
    before = ledger.scope()

    ledger.delete(chunk_id)

    assert ledger.roster.select(before).ids.tolist() == []
    assert not ledger.roster.sees(chunk_id, before)


def test_rights_are_those_of_now_at_every_revision():
    ledger = Ledger()
    (chunk_id,) = ledger.publish(1)
    before = ledger.scope()

    ledger.grant(chunk_id, acl={"board"})

    assert ledger.roster.select(before).ids.tolist() == []
    assert ledger.roster.select(ledger.scope("board", revision=1)).ids.tolist() == [chunk_id]


def test_a_superseded_chunk_is_seen_by_those_pinned_before_until_it_is_forgotten():
    ledger = Ledger()
    old = ledger.publish(1)
    before = ledger.scope()
    ledger.supersede(old)

    assert ledger.roster.select(before).ids.tolist() == old
    assert ledger.roster.select(ledger.scope()).ids.tolist() == []

    ledger.roster.forget(2)

    assert ledger.roster.ids.tolist() == []


def test_a_selection_is_the_same_object_while_nothing_changes():
    ledger = Ledger()
    ledger.publish(2)

    first = ledger.roster.select(ledger.scope())

    assert ledger.roster.select(ledger.scope()) is first

    ledger.publish(1)

    assert ledger.roster.select(ledger.scope()) is not first


def test_what_was_selected_stays_the_same_object_while_documents_only_come():
    ledger = Ledger()
    old = ledger.publish(2)
    before = ledger.scope()
    first = ledger.roster.select(before)

    ledger.publish(1)
    ledger.supersede(old)

    assert ledger.roster.select(before) is first

    ledger.roster.forget(1)

    assert ledger.roster.select(before) is first
    assert ledger.roster.select(ledger.scope()).ids.tolist() == [3]

    ledger.roster.forget(3)

    assert ledger.roster.select(before) is not first


@pytest.mark.parametrize("metadata", [{"year": 1}, {"year": True}, {}])
def test_nothing_selected_stays_when_a_document_allows_something_else(metadata):
    ledger = Ledger()
    (chunk_id,) = ledger.publish(1, metadata={"year": 1.0})
    before = ledger.scope()
    first = ledger.roster.select(before)

    ledger.grant(chunk_id, metadata=metadata)

    assert ledger.roster.select(before) is not first


def test_scopes_that_differ_have_selections_of_their_own():
    ledger = Ledger()
    (open_to_all,) = ledger.publish(1, metadata={"year": 2025})
    (legal,) = ledger.publish(1, acl={"legal"}, metadata={"year": 2026})
    both = ("everyone", "legal")

    def seen(*groups, filters=None):
        return ledger.roster.select(ledger.scope(*groups, filters=filters)).ids.tolist()

    assert seen(*both) == [open_to_all, legal]
    assert seen("legal") == [legal]
    assert seen(*both, filters=Condition("year", "eq", 2025)) == [open_to_all]
    assert seen(*both, filters=And((Condition("year", "gt", 2025),))) == [legal]


def test_only_so_many_selections_are_remembered():
    ledger = Ledger()
    ids = ledger.publish(1)

    for number in range(600):
        scope = ledger.scope(f"group {number}")
        assert ledger.roster.select(scope).ids.tolist() == []

    assert len(ledger.roster._state.selections) <= 256
    assert len(ledger.roster._state.rights.allowed) <= 256
    assert ledger.roster.select(ledger.scope()).ids.tolist() == ids


def test_chunks_of_another_generation_are_no_concern_of_a_roster():
    roster = Roster(1)
    rights = Rights("d", frozenset({"everyone"}), {}, deleted=False)
    rows = [Row(1, "d", 1, 1, None), Row(2, "d", OTHER_GENERATION, 1, None)]

    roster.apply(Delta.of(1, rows, [rights]))

    assert roster.ids.tolist() == [1]


@pytest.mark.parametrize("chunk_id", [-1, 0, 99])
def test_a_chunk_that_is_not_there_is_not_seen(chunk_id):
    ledger = Ledger()
    ledger.publish(3)

    assert not ledger.roster.sees(chunk_id, ledger.scope())
    assert not Ledger().roster.sees(chunk_id, ledger.scope())


def test_a_forgotten_chunk_does_not_come_back_with_its_document():
    roster = Roster(1)
    right = Rights("d", frozenset({"everyone"}), {}, deleted=False)
    rows = [Row(1, "d", 1, 1, 2), Row(2, "d", 1, 2, None)]
    roster.apply(Delta.of(1, [Row(1, "d", 1, 1, None)], [right]))
    roster.apply(Delta.of(2, rows, [right]))
    roster.forget(2)

    roster.apply(Delta.of(3, rows, [right]))

    assert roster.ids.tolist() == [2]
    assert roster.sees(2, Scope("w", revision=3))
