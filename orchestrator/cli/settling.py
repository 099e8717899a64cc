"""`rag workspaces show`, `set` and `history`, and `rag report`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml
from rich.table import Table

from orchestrator.cli.console import OPERATOR, out, print_json
from orchestrator.cli.overriding import overrides
from orchestrator.domain.errors import Rejected
from orchestrator.http import workspaces
from orchestrator.http.schemas import ChangeView, CountView, SearchChange, SearchReport
from orchestrator.settings import load
from orchestrator.settings.changing import SEARCH
from orchestrator.settings.explain import did_you_mean
from orchestrator.telemetry import logs
from orchestrator.wiring import open_application


async def show(name: str, json: bool) -> None:
    """Print a workspace's search settings."""
    logs.set_up("warning", json=False)
    async with open_application(load(), writes=False) as application:
        found = (await workspaces.search_settings(application, name)).model_dump(mode="json")
    if json:
        print_json(found)
        return
    out.print(f"version {found['config_version']}", style="dim")
    out.print(yaml.safe_dump(found["settings"], sort_keys=False).rstrip())


async def change(name: str, assigned: Sequence[str]) -> None:
    """Change some of them."""
    patch = overrides(None, assigned)
    for stray in patch.keys() - set(SEARCH):
        raise Rejected(f"'{stray}' is no search setting{did_you_mean(stray, SEARCH)}")
    logs.set_up("warning", json=False)
    async with open_application(load(), writes=False) as application:
        body = SearchChange.model_construct(_fields_set=set(patch), **patch)
        now = await workspaces.change_search_settings(application, name, body, OPERATOR)
    out.print(f"workspace '{name}' has configuration version {now.config_version}")


async def show_history(name: str, json: bool) -> None:
    """Print the versions of its configuration, newest first."""
    logs.set_up("warning", json=False)
    async with open_application(load(), writes=False) as application:
        found = await workspaces.history(application, name)
    if json:
        print_json([one.model_dump(mode="json") for one in found])
        return
    table = Table("version", "at", "by", "changed")
    for one in found:
        what = "\n".join(map(_change, one.changed))
        table.add_row(str(one.version), f"{one.at:%Y-%m-%d %H:%M}", one.by or "", what)
    out.print(table)


async def report(name: str, days: int, json: bool) -> None:
    """Print what was searched for, and how it went."""
    logs.set_up("warning", json=False)
    async with open_application(load(), writes=False) as application:
        found = await workspaces.search_report(application, name, days)
    if json:
        print_json(found.model_dump(mode="json"))
    else:
        _show_report(found)


def _show_report(found: SearchReport) -> None:
    outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in found.outcomes.items())
    out.print(f"{found.searches:,} searches since {found.since}: {outcomes}")
    out.print(
        f"{found.degraded:.1%} without a dependency, {found.cached:.1%} from the cache, "
        f"{found.corrected:.1%} with a word corrected"
    )
    table = Table("stage", "p50 ms", "p95 ms", "requests")
    for stage, one in found.stages.items():
        table.add_row(stage, f"{one.p50_ms:g}", f"{one.p95_ms:g}", f"{one.count:,}")
    out.print(table)
    if found.usage:
        table = Table("model", "tokens read", "written", "cost")
        for spent in found.usage:
            cost = "" if spent.cost is None else f"{spent.cost:,.2f}"
            read, written = f"{spent.prompt_tokens:,}", f"{spent.completion_tokens:,}"
            table.add_row(spent.model, read, written, cost)
        out.print(table)
    _show_texts("no results", found.none)
    _show_texts("weak results", found.weak)
    _show_texts("read as other words", found.corrections)
    if not found.questions_recorded:
        out.print("questions are not recorded: see analytics.questions", style="dim")


def _show_texts(title: str, texts: Sequence[CountView]) -> None:
    if texts:
        table = Table(title, "times")
        for one in texts:
            table.add_row(one.text, str(one.count))
        out.print(table)


def _change(one: ChangeView) -> str:
    return f"{one.field}: {_shown(one.before)} → {_shown(one.after)}"


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)
