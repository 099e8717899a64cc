"""`rag workspaces show`, `set` and `history`, and `rag report`."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.catalog.sql import SqlCatalog
from adapters.catalog.sqlite import open_sqlite
from orchestrator.domain.analytics import Counted
from tests.unit.cli.conftest import one_json, told

pytestmark = pytest.mark.usefixtures("empty")


def test_what_is_set_is_shown_and_told_by_the_history(rag):
    done = rag("workspaces", "set", "default", "fusion.method=rrf", "depth=50")
    shown = one_json(rag("workspaces", "show", "default", "--json"))
    history = one_json(rag("workspaces", "history", "default", "--json"))

    assert (done.exit_code, done.stdout) == (
        0,
        "workspace 'default' has configuration version 2\n",
    )
    assert shown["config_version"] == 2
    assert (shown["settings"]["fusion"]["method"], shown["settings"]["depth"]) == ("rrf", 50)
    assert [(one["version"], one["by"]) for one in history] == [(2, "command line"), (1, None)]
    assert history[0]["changed"] == [
        {"field": "fusion.method", "before": "weighted", "after": "rrf"},
        {"field": "depth", "before": 100, "after": 50},
    ]


def test_null_is_the_default_on_the_command_line_too(rag):
    rag("workspaces", "set", "default", "depth=50")

    rag("workspaces", "set", "default", "depth=null")

    assert one_json(rag("workspaces", "show", "default", "--json"))["settings"]["depth"] == 100


def test_settings_and_history_are_shown_to_people(rag):
    rag("workspaces", "set", "default", "reranking.skip_margin=0.5")

    assert "skip_margin: 0.5" in rag("workspaces", "show", "default").stdout
    assert "reranking.skip_margin: none → 0.5" in rag("workspaces", "history", "default").stdout


@pytest.mark.parametrize(
    ("assigned", "sentence"),
    [
        ("fusion.method", "'fusion.method' is not of the form fusion.method=rrf"),
        ("fushion.method=rrf", "'fushion' is no search setting: did you mean 'fusion'?"),
        ("fusion.method=guess", "fusion.method: Input should be 'rrf' or 'weighted'"),
        ("embedder=other", "'embedder' is no search setting"),
        ("reranker=nobody", "there is no reranker named 'nobody'"),
        ("depth=0", "depth is 1 to 1000 candidates a side"),
    ],
)
def test_what_cannot_be_set_is_refused_in_a_sentence(rag, assigned, sentence):
    refused = rag("workspaces", "set", "default", assigned)

    assert refused.exit_code == 2
    assert sentence in told(refused)
    assert one_json(rag("workspaces", "show", "default", "--json"))["config_version"] == 1


async def count(data_dir: Path) -> None:
    today = datetime.now(UTC).date()
    async with open_sqlite(data_dir / "catalog.db") as database:
        catalog = SqlCatalog(database)
        uid = (await catalog.workspaces.get("default")).uid
        counts = {
            Counted(uid, today, "outcome", "found"): 3,
            Counted(uid, today, "outcome", "none"): 1,
            Counted(uid, today, "note", "cached"): 1,
            Counted(uid, today, "stage", "retrieve:20"): 4,
            Counted(uid, today, "usage", "prompt:small"): 12_000,
            Counted(uid, today, "usage", "completion:small"): 3_000,
            Counted(uid, today, "usage", "cost:small"): 150_000,
            Counted(uid, today, "none", "where is the xylophone?"): 1,
        }
        await catalog.analytics.add(counts, texts=9)


def test_a_report_shows_what_servers_counted(rag, data_dir):
    rag("workspaces")
    asyncio.run(count(data_dir))

    shown = rag("report", "default")
    found = one_json(rag("report", "default", "--json"))

    assert "4 searches since" in shown.stdout
    assert "3 found, 0 weak, 1 none" in shown.stdout
    assert "25.0% from the cache" in shown.stdout
    assert "where is the xylophone?" in shown.stdout
    assert all(one in shown.stdout for one in ("small", "12,000", "3,000", "1.50"))
    assert found["stages"]["retrieve"]["count"] == 4
    (spent,) = found["usage"]
    assert spent == {
        "prompt_tokens": 12_000,
        "completion_tokens": 3_000,
        "model": "small",
        "cost": 1.5,
    }
    assert found["none"] == [{"text": "where is the xylophone?", "count": 1}]


def test_a_report_of_nothing_says_that_no_words_are_kept(rag):
    shown = rag("report", "default")

    assert shown.exit_code == 0
    assert "0 searches since" in shown.stdout
    assert "questions are not recorded" in shown.stdout
