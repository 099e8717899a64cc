"""Columns of metadata say of every document what the condition itself says of its value."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.filters import OPERATORS, Condition
from orchestrator.indexing import columns
from orchestrator.indexing.columns import Column

SCALARS = st.sampled_from([0, 1, 1.0, 2, -3.5, True, False, "", "1", "legal", "le", "True"])
VALUES = st.one_of(st.none(), SCALARS, st.lists(SCALARS, max_size=3))


def conditions():
    def made(op):
        operand = {"in": st.lists(SCALARS, min_size=1, max_size=3).map(tuple)}
        operand["prefix"] = st.sampled_from(["", "l", "leg"])
        operand["exists"] = st.booleans()
        return operand.get(op, SCALARS).map(lambda value: Condition("field", op, value))

    return st.sampled_from(OPERATORS).flatmap(made)


@given(
    st.lists(VALUES, max_size=8),
    st.lists(st.dictionaries(st.integers(0, 7), VALUES, max_size=3), max_size=4),
    st.lists(conditions(), min_size=1, max_size=6),
)
def test_a_column_agrees_with_the_condition_through_every_change(values, changes, wanted):
    column, now = Column(values), list(values)
    for change in [{}, *changes]:
        for place in sorted(change):
            now += [None] * (place + 1 - len(now))
        whole = {**dict.fromkeys(range(len(column), len(now))), **change}  # without gap
        now = [whole.get(place, value) for place, value in enumerate(now)]
        column = column.changed(whole)
        for condition in wanted:
            mask = column.where(
                repr(condition),
                lambda value, condition=condition: condition.matches({"field": value}),
            )
            assert mask.tolist() == [condition.matches({"field": value}) for value in now]


def test_a_condition_is_decided_once_for_each_value():
    column, asked = Column(["a", "b", "a", "a"]), []

    for _ in range(2):
        mask = column.where("is a", lambda value: asked.append(value) or value == "a")
    later = column.changed({1: "a", 4: "c"})

    assert mask.tolist() == [True, False, True, True]
    assert later.where("is a", lambda v: asked.append(v) or v == "a").tolist() == [True] * 4 + [
        False
    ]
    assert asked == ["a", "b", "c"]
    assert column.where("is a", lambda value: value == "a").tolist() == [True, False, True, True]


def test_values_that_no_document_has_any_more_are_let_go(monkeypatch):
    monkeypatch.setattr(columns, "SPARE", 10)
    column = Column(["first", "second"])

    for number in range(500):
        column = column.changed({0: f"value {number}"})

    assert len(column._values) <= 16
    assert column.where("last", lambda value: value == "value 499").tolist() == [True, False]


def test_only_so_many_conditions_are_remembered():
    column = Column(range(10))

    for number in range(200):
        column.where(f"is {number}", lambda value, number=number: value == number)

    assert len(column._decided) <= 64
    assert column.where("is 3", lambda value: value == 3).tolist() == [n == 3 for n in range(10)]
