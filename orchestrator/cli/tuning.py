"""`rag tune`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from rich.box import SIMPLE
from rich.table import Table

from orchestrator.cli.comparing import interval
from orchestrator.cli.console import OPERATOR, err, out, print_json
from orchestrator.cli.evaluating import shown, some
from orchestrator.domain.workspaces import Workspace
from orchestrator.evaluation.candidates import candidates, changes
from orchestrator.evaluation.labelled import Labelled, load_labelled
from orchestrator.evaluation.replaying import Replay, asking_replay
from orchestrator.evaluation.significance import as_json
from orchestrator.http.schemas import Configure
from orchestrator.http.workspaces import configure
from orchestrator.settings import load
from orchestrator.settings.extras import extra
from orchestrator.telemetry import logs
from orchestrator.wiring import Application, open_application

with extra("eval"):
    from orchestrator.evaluation.tuning import Evidence, Trial, try_all, weigh

SHOWN: Final = 10
"""So many of the best are shown."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one call asks for, beside the workspace."""

    questions: Path
    split: str
    folds: int
    seed: int
    apply: bool
    json: bool


async def tune(name: str, wanted: Wanted) -> None:
    """Try the grid on a workspace, show the evidence, and apply the choice if that is wanted."""
    logs.set_up("warning", json=False)
    labelled = load_labelled(wanted.questions, wanted.split)
    async with open_application(load(), writes=False) as application:
        workspace, evidence = await _weighed(application, name, labelled, wanted)
        applied: int | None = None
        if wanted.apply and not evidence.stays:
            body = Configure(config=evidence.chosen, expected_version=workspace.config_version)
            applied = (await configure(application, name, body, OPERATOR)).config_version
    if wanted.json:
        print_json(_as_json(workspace, labelled, evidence, applied))
    else:
        _show(workspace, labelled, evidence)
        _conclude(workspace, evidence, applied)


async def _weighed(
    application: Application, name: str, labelled: Labelled, wanted: Wanted
) -> tuple[Workspace, Evidence]:
    """The workspace, and what came of trying the grid on it."""
    assembly = application.assembly.remembering()
    moment = await application.library.pin(name)
    rerankers = sorted(application.settings.named("reranker"))
    configs = candidates(moment.workspace.config, rerankers)
    replay = Replay(application.library, moment)
    asking = asking_replay(replay, assembly.pipeline, assembly.retriever)
    with shown("trying", quiet=wanted.json) as told:
        tried = await try_all(configs, labelled, replay, asking, told)
    if tried.unfound:
        err.print(
            f"{len(tried.unfound)} documents named as relevant came among the first ten in no "
            "configuration, as a wrong id would, or one that not everyone may see: "
            f"{some(tried.unfound)}"
        )
    evidence = weigh(configs, tried.scores, folds=wanted.folds, seed=wanted.seed)
    return moment.workspace, evidence


def _show(workspace: Workspace, labelled: Labelled, evidence: Evidence) -> None:
    table = Table("nDCG@10", "chosen in folds", "settings that differ", box=SIMPLE)
    best = evidence.trials[:SHOWN]
    for one in [*best, *([] if evidence.current in best else [evidence.current])]:
        differs = changes(workspace.config, one.config)
        table.add_row(f"{one.mean:.4f}", str(one.folds), said(differs) or "(current)")
    questions = f"{len(labelled.questions)} questions"
    if labelled.left_out:
        questions += f" ({labelled.left_out} without a document that answers are left out)"
    out.print(f"{len(evidence.trials)} configurations, {questions}")
    out.print(table)
    out.print(f"choosing gains {interval(evidence.gain)} nDCG@10 on questions that took no part")
    out.print(f"p = {evidence.gain.p:.4f}; the interval is that of 95 %")


def _conclude(workspace: Workspace, evidence: Evidence, applied: int | None) -> None:
    name, version = workspace.name, workspace.config_version
    if evidence.stays:
        best = evidence.best.config == workspace.config
        reason = "nothing simpler is better" if best else "the gain may be chance"
        out.print(f"version {version} stays: {reason}")
        return
    out.print(f"chosen: {said(changes(workspace.config, evidence.chosen))}")
    if applied is None:
        out.print("--apply makes this the next version of the configuration")
        return
    out.print(f"applied as version {applied}; back to the one before:")
    out.print(f"  rag workspaces rollback {name} {version}")
    out.print(f'  POST /v1/workspaces/{name}/rollback {{"version": {version}}}')


def said(settings: Mapping[str, Any]) -> str:
    """Settings as `--set` takes them."""
    return " ".join(f"{name}={value}" for name, value in settings.items())


def _as_json(
    workspace: Workspace, labelled: Labelled, evidence: Evidence, applied: int | None
) -> dict[str, Any]:
    def trial(one: Trial) -> dict[str, Any]:
        differs = changes(workspace.config, one.config)
        return {"ndcg@10": round(one.mean, 6), "folds": one.folds, "changes": differs}

    return {
        "workspace": workspace.name,
        "version": workspace.config_version,
        "questions": len(labelled.questions),
        "left_out": labelled.left_out,
        "current": trial(evidence.current),
        "trials": [trial(one) for one in evidence.trials],
        "gain": as_json(evidence.gain),
        "stays": evidence.stays,
        "chosen": asdict(evidence.chosen),
        "applied": applied,
    }
