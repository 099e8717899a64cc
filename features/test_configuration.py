"""Steps of choosing: backends by settings, and settings that stop the start."""

from __future__ import annotations

import os
from collections.abc import Mapping

import pytest
from click.testing import Result
from pytest_bdd import parsers, scenarios, then, when
from typer.testing import CliRunner

from features.world import Deploy, World
from orchestrator.cli.main import app

scenarios("configuration.feature")


def rag_config(profile: str, variables: Mapping[str, str]) -> Result:
    with pytest.MonkeyPatch.context() as patch:
        for name in [one for one in os.environ if one.upper().startswith("RAG_")]:
            patch.delenv(name)
        return CliRunner().invoke(app, ["config"], env={"RAG_PROFILE": profile, **variables})


@when(parsers.parse('the deployment is restarted with "{variable}" set to "{value}"'))
def restart(world: World, deploy: Deploy, variable: str, value: str) -> None:
    world.service = deploy({variable: value})


@when(
    parsers.parse('the settings are read with "{variable}" set to "{value}"'),
    target_fixture="outcome",
)
def read_with(profile: str, variable: str, value: str) -> Result:
    return rag_config(profile, {variable: value})


@when("the settings are read with these variables", target_fixture="outcome")
def read_with_these(profile: str, datatable: list[list[str]]) -> Result:
    return rag_config(profile, dict(datatable[1:]))


@then(parsers.re(r'the start is refused, saying "(?P<sentence>.*)"'))
def start_refused(outcome: Result, sentence: str) -> None:
    assert outcome.exit_code == 2
    assert outcome.stdout == ""
    assert len(outcome.stderr.splitlines()) == 1
    assert outcome.stderr.startswith("error: ")
    assert sentence in outcome.stderr


@then(parsers.parse('they show "{text}"'))
def show(outcome: Result, text: str) -> None:
    assert outcome.exit_code == 0, outcome.output
    assert text in outcome.stdout


@then(parsers.parse('they do not show "{text}"'))
def do_not_show(outcome: Result, text: str) -> None:
    assert text not in outcome.output
