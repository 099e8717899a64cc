"""`rag workspaces`, `rag config`, `rag check` and `rag doctor`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import yaml
from rich.table import Table

from orchestrator.answering.prompts import prompts
from orchestrator.cli.console import OPERATOR, Exit, out, print_json
from orchestrator.domain.errors import RagError
from orchestrator.domain.identity import DEFAULT_WORKSPACE
from orchestrator.http.schemas import IndexView, Rollback, WorkspaceView
from orchestrator.http.workspaces import rollback
from orchestrator.settings import STAGES, Settings, load
from orchestrator.telemetry import logs
from orchestrator.wiring import open_application


async def list_workspaces(json: bool) -> None:
    """Print every workspace."""
    logs.set_up("warning", json=False)
    async with open_application(load(), writes=False) as application:
        found = await application.catalog.workspaces.list()
    if json:
        print_json([WorkspaceView.of(one).model_dump(mode="json") for one in found])
        return
    table = Table("workspace", "revision", "configuration", "created")
    for one in found:
        table.add_row(
            one.name,
            str(one.revision),
            f"version {one.config_version}",
            f"{one.created_at:%Y-%m-%d}",
        )
    out.print(table)


async def create_workspace(name: str) -> None:
    """Create one with the deployment's default configuration."""
    logs.set_up("warning", json=False)
    settings = load()
    async with open_application(settings, writes=False) as application:
        await application.ingestion.create_workspace(name, settings.workspace)
    out.print(f"created workspace '{name}'")


async def delete_workspace(name: str) -> None:
    """Delete one."""
    logs.set_up("warning", json=False)
    async with open_application(load(), writes=True) as application:
        await application.withdrawals.workspace(name)
    out.print(f"deleted workspace '{name}'")


async def roll_back(name: str, version: int) -> None:
    """Make an earlier version of a workspace's configuration the next one."""
    logs.set_up("warning", json=False)
    async with open_application(load(), writes=False) as application:
        now = await rollback(application, name, Rollback(version=version), OPERATOR)
    out.print(
        f"workspace '{name}' has the configuration of version {version} again, "
        f"as version {now.config_version}"
    )


def show_config(json: bool) -> None:
    """Print the tree."""
    shown = load().model_dump(mode="json")
    if json:
        print_json(shown)
    else:
        out.print(yaml.safe_dump(shown, sort_keys=False).rstrip())


async def doctor(json: bool) -> Exit:
    """Open the deployment, answer one search, and report on every part."""
    logs.set_up("error", json=False)
    settings = load()
    states = {"profile": settings.profile, "data_dir": str(settings.data_dir.resolve())}
    try:
        async with open_application(settings, writes=False) as application:
            states |= _kinds(settings)
            report = await application.health.report()
            await application.library.pin(DEFAULT_WORKSPACE)
            states |= {f"{name} answers": state for name, state in report.states.items()}
            states["index"] = "up"
            isolation = await application.parsers.isolation()
            states["prompts"] = ", ".join(str(one) for one in prompts())
            states["parser isolation"] = f"{isolation}: {isolation.sentence}"
            ready = report.ready and not report.down
    except RagError as error:
        states["error"], ready = error.detail, False
    if json:
        print_json({"healthy": ready, "checks": states})
    else:
        table = Table("check", "state")
        for name, state in states.items():
            table.add_row(name, state)
        out.print(table)
    return Exit.OK if ready else Exit.FAILED


async def check(workspace: str | None, json: bool) -> Exit:
    """Hold every index of one workspace, or of all, against the catalog and its checksums.

    What was found damaged when it was opened has been made anew since, and is told all the same.
    """
    logs.set_up("warning", json=False)
    damage = logs.keep("index_corrupt")
    found = []
    async with open_application(load(), writes=True) as application:
        names = [one.name for one in await application.catalog.workspaces.list()]
        if workspace is not None:
            names = [(await application.catalog.workspaces.get(workspace)).name]
        for name in names:
            damage.clear()
            audits = await application.library.audit(name)
            for index, audit in audits.items():
                mended = [_mended(one) for one in damage if index.startswith(_KIND[one["index"]])]
                audit_ = replace(audit, faults=(*mended, *audit.faults))
                found.append(IndexView.of(name, index, audit_))
            uid = (await application.catalog.workspaces.get(name)).uid
            await application.library.close_workspace(uid)
    if json:
        print_json([one.model_dump() for one in found])
    else:
        table = Table("workspace", "index", "held", "missing", "surplus", "damage")
        for one in found:
            counts = (one.held, one.missing, one.surplus)
            told = "; ".join(one.faults) or "none"
            table.add_row(one.workspace, one.index, *(f"{n:,}" for n in counts), told)
        out.print(table)
    return Exit.OK if all(one.agrees for one in found) else Exit.FAILED


_KIND: Final = {"faiss": "vectors", "tantivy": "keywords"}


def _mended(event: Mapping[str, Any]) -> str:
    what = event.get("reason") or f"{event.get('lost')} vectors are not what was written"
    return f"{what} (found when opened, and made anew)"


def _kinds(settings: Settings) -> dict[str, str]:
    kinds = {
        stage if name == "default" else f"{stage} '{name}'": chosen.kind
        for stage in STAGES
        for name, chosen in settings.named(stage).items()
    }
    return kinds | {"scanner": settings.scanner.kind}
