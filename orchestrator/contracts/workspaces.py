"""The promises of a catalog's `Workspaces`."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from orchestrator.contracts.clerk import Clerk
from orchestrator.domain.errors import Conflict, NotFound
from orchestrator.domain.workspaces import Chunking, Fusion, WorkspaceConfig
from orchestrator.ports.catalog import Catalog

PLAIN = WorkspaceConfig()
TUNED = WorkspaceConfig(
    cache="none",
    reranker="close",
    generator="cheap",
    fusion=Fusion(method="rrf", dense=0.25, keyword=0.75, k=10),
    chunking=Chunking(strategy="semantic", tokens=128, overlap=16),
    depth=50,
    generation=3,
)
REFUSED = [
    replace(PLAIN, chunking=Chunking(tokens=64)),
    replace(PLAIN, chunking=Chunking(strategy="sentence")),
    replace(PLAIN, embedder="other"),
]


class WorkspacesContract:
    """Needs the fixtures `catalog`, empty, and `clerk`, of a workspace in it that has none."""

    async def test_a_new_workspace_is_at_revision_0_and_its_first_configuration(
        self, catalog: Catalog
    ) -> None:
        made = await catalog.workspaces.create("legal", TUNED)

        assert (made.name, made.revision, made.config_version) == ("legal", 0, 1)
        assert made.config == TUNED

    async def test_a_workspace_is_read_as_it_was_made(self, catalog: Catalog) -> None:
        made = await catalog.workspaces.create("legal", TUNED)

        assert await catalog.workspaces.get("legal") == made
        assert await catalog.workspaces.by_uid(made.uid) == made

    async def test_the_revisions_are_those_of_every_live_workspace(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        made = await catalog.workspaces.create("legal", PLAIN)
        gone = await catalog.workspaces.create("gone", PLAIN)
        await catalog.deletions.workspace("gone")
        before = await catalog.workspaces.revisions()
        await clerk.keep("Refunds are paid.")

        after = await catalog.workspaces.revisions()

        assert gone.uid not in before
        assert (before[made.uid], after[made.uid]) == (0, 0)
        assert (before[clerk.uid], after[clerk.uid]) == (0, await clerk.revision())

    async def test_a_name_that_is_taken_is_a_conflict(self, catalog: Catalog) -> None:
        made = await catalog.workspaces.create("legal", PLAIN)

        with pytest.raises(Conflict):
            await catalog.workspaces.create("legal", TUNED)
        assert await catalog.workspaces.get("legal") == made

    async def test_of_two_who_create_a_name_at_once_one_does(
        self, catalog: Catalog, another: Catalog
    ) -> None:
        results = await asyncio.gather(
            *(one.workspaces.create("legal", PLAIN) for one in (catalog, another) * 3),
            return_exceptions=True,
        )

        refused = [one for one in results if isinstance(one, BaseException)]
        assert [type(error) for error in refused] == [Conflict] * 5

    async def test_an_unknown_workspace_is_not_found(self, catalog: Catalog) -> None:
        for reading in (
            catalog.workspaces.get("legal"),
            catalog.workspaces.by_uid("0" * 32),
            catalog.workspaces.configurations("legal"),
            catalog.workspaces.history("legal"),
            catalog.workspaces.configure("legal", PLAIN, expected=1),
        ):
            with pytest.raises(NotFound):
                await reading

    async def test_workspaces_are_listed_by_name(self, catalog: Catalog) -> None:
        for name in ("sales", "legal", "people"):
            await catalog.workspaces.create(name, PLAIN)

        listed = await catalog.workspaces.list()

        assert [one.name for one in listed] == ["legal", "people", "sales"]

    async def test_a_configuration_makes_the_next_version(self, catalog: Catalog) -> None:
        made = await catalog.workspaces.create("legal", PLAIN)

        changed = await catalog.workspaces.configure("legal", TUNED, expected=1)

        assert changed == replace(made, config=TUNED, config_version=2)
        assert await catalog.workspaces.get("legal") == changed

    async def test_every_version_of_a_configuration_is_remembered(self, catalog: Catalog) -> None:
        await catalog.workspaces.create("legal", PLAIN)
        await catalog.workspaces.configure("legal", TUNED, expected=1)
        await catalog.workspaces.configure("legal", PLAIN, expected=2)

        versions = await catalog.workspaces.configurations("legal")

        assert list(versions.items()) == [(1, PLAIN), (2, TUNED), (3, PLAIN)]

    async def test_history_tells_who_made_which_version_and_when(self, catalog: Catalog) -> None:
        began = datetime.now(UTC)
        await catalog.workspaces.create("legal", PLAIN)
        await catalog.workspaces.configure("legal", TUNED, expected=1, by="ada")

        second, first = await catalog.workspaces.history("legal")

        assert (second.number, second.config, second.by) == (2, TUNED, "ada")
        assert (first.number, first.config, first.by) == (1, PLAIN, None)
        assert began <= first.at <= second.at <= datetime.now(UTC)

    @pytest.mark.parametrize("expected", [0, 1, 3])
    async def test_who_read_another_version_does_not_overwrite_it(
        self, catalog: Catalog, expected: int
    ) -> None:
        await catalog.workspaces.create("legal", PLAIN)
        now = await catalog.workspaces.configure("legal", TUNED, expected=1)

        with pytest.raises(Conflict):
            await catalog.workspaces.configure("legal", PLAIN, expected=expected)
        assert await catalog.workspaces.get("legal") == now

    async def test_of_two_who_configure_at_once_one_does(
        self, catalog: Catalog, another: Catalog
    ) -> None:
        await catalog.workspaces.create("legal", PLAIN)

        results = await asyncio.gather(
            catalog.workspaces.configure("legal", TUNED, expected=1),
            another.workspaces.configure("legal", replace(PLAIN, depth=7), expected=1),
            return_exceptions=True,
        )

        assert sorted(type(one).__name__ for one in results) == ["Conflict", "Workspace"]

    @pytest.mark.parametrize("config", REFUSED)
    async def test_an_empty_workspace_may_change_how_it_is_indexed(
        self, catalog: Catalog, config: WorkspaceConfig
    ) -> None:
        await catalog.workspaces.create("legal", PLAIN)

        changed = await catalog.workspaces.configure("legal", config, expected=1)

        assert changed.config == config

    @pytest.mark.parametrize("config", REFUSED)
    async def test_a_workspace_with_chunks_may_not_change_how_it_is_indexed(
        self, catalog: Catalog, clerk: Clerk, config: WorkspaceConfig
    ) -> None:
        await clerk.keep("Refunds are paid.")

        with pytest.raises(Conflict):
            await catalog.workspaces.configure(clerk.name, config, expected=1)
        assert (await catalog.workspaces.get(clerk.name)).config == PLAIN

    @pytest.mark.parametrize("config", REFUSED)
    async def test_a_workspace_with_a_document_on_its_way_may_not_either(
        self, catalog: Catalog, clerk: Clerk, config: WorkspaceConfig
    ) -> None:
        await clerk.hand_in()

        with pytest.raises(Conflict):
            await catalog.workspaces.configure(clerk.name, config, expected=1)

    async def test_a_workspace_whose_documents_are_deleted_may_again(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        document = await clerk.keep("Refunds are paid.")
        await catalog.deletions.document(document.id)

        changed = await catalog.workspaces.configure(clerk.name, REFUSED[0], expected=1)

        assert changed.config == REFUSED[0]

    async def test_a_workspace_with_chunks_may_change_how_it_answers(
        self, catalog: Catalog, clerk: Clerk
    ) -> None:
        await clerk.keep("Refunds are paid.")
        config = replace(TUNED, chunking=PLAIN.chunking, generation=PLAIN.generation)

        changed = await catalog.workspaces.configure(clerk.name, config, expected=1)

        assert (changed.config, changed.revision) == (config, 1)

    async def test_a_name_may_be_used_again_and_a_uid_never_is(self, catalog: Catalog) -> None:
        first = await catalog.workspaces.create("legal", TUNED)
        await catalog.deletions.workspace("legal")

        second = await catalog.workspaces.create("legal", PLAIN)

        assert second.uid != first.uid
        assert (second.revision, second.config_version) == (0, 1)
        assert await catalog.workspaces.get("legal") == second
        assert await catalog.workspaces.configurations("legal") == {1: PLAIN}
