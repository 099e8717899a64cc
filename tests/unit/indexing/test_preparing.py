"""A round of the preparer goes on with the next workspace where one cannot be helped."""

from __future__ import annotations

import pytest

from orchestrator.domain.errors import NotFound, Unavailable
from orchestrator.domain.reindexing import Models, Reindexing, State
from orchestrator.domain.workspaces import WorkspaceConfig
from orchestrator.indexing.preparing import Preparer
from tests.unit.fakes import NOW, Watcher

FOOTING = WorkspaceConfig().footing


def ended(workspace):
    return Reindexing(
        f"of {workspace}",
        workspace,
        State.CANCELLED,
        FOOTING,
        FOOTING,
        Models("a", "b"),
        False,
        0.0,
        NOW,
        ended_at=NOW,
    )


class Ended:
    """Ended re-indexings, of which two workspaces still keep something open."""

    def __init__(self):
        self.due = [ended("one"), ended("two")]
        self.left = []
        self.noted = []
        self.error = None

    @property
    def reindexings(self):
        return self

    async def open(self):
        return []

    async def unerased(self, *, seconds):
        return self.due

    async def erase(self, one):
        return 0

    async def erased(self, one):
        self.noted.append(one.workspace)

    def preparing(self):
        return {"one": "first", "two": "second"}

    def is_retiring(self, uid):
        return False

    async def let_go(self, name, roles_of):
        self.left.append(name)
        if self.error and name == "first":
            raise self.error


class Store:
    """Cannot prune what it is told it cannot."""

    down = ""

    async def prune(self, workspace):
        if workspace == self.down:
            raise Unavailable("the store", "no answer")


@pytest.fixture
def stage():
    return Ended()


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def watcher():
    return Watcher()


@pytest.fixture
def preparer(stage, store, watcher):
    return Preparer(stage, stage, lambda _: frozenset(), [store], watcher, persists=lambda: True)


async def test_a_store_that_is_down_for_one_workspace_leaves_the_others_cleared(
    stage, store, watcher, preparer
):
    store.down = "one"

    await preparer.round()

    assert stage.left == ["first", "second"]
    assert stage.noted == ["two"]
    assert {name for name, _ in watcher.stumbles} == {"one"}


@pytest.mark.parametrize(("error", "told"), [(NotFound("gone"), 0), (OSError("full"), 1)])
async def test_what_cannot_be_closed_of_one_workspace_leaves_the_others_cleared(
    stage, watcher, preparer, error, told
):
    stage.error = error

    await preparer.round()

    assert stage.left == ["first", "second"]
    assert stage.noted == ["one", "two"]
    assert len(watcher.stumbles) == told
