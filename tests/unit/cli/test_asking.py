"""`rag ask`, `rag search` and what every command has in common."""

from __future__ import annotations

import re

import pytest

from orchestrator import __version__
from orchestrator.cli import main
from orchestrator.cli.asking import _show as show
from orchestrator.domain.answers import NOT_FOUND, Answer, Meta
from orchestrator.domain.grounding import Grounded, Sentence
from tests.unit.cli.conftest import one_json, told

QUESTION = "How fast are refunds paid?"
REFUNDS = "Refunds are paid within 7 days of purchase. [1]"
UNKNOWN = "Who founded the observatory in Samarkand?"


def test_the_version_is_printed(rag):
    result = rag("--version")

    assert (result.exit_code, result.stdout) == (0, f"rag-orchestrator {__version__}\n")


def test_the_program_is_that_command(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["rag", "--version"])

    with pytest.raises(SystemExit) as ended:
        main()

    assert (ended.value.code, capsys.readouterr().out) == (0, f"rag-orchestrator {__version__}\n")


def test_help_says_what_an_exit_status_means(rag):
    text = " ".join(rag("--help").stdout.split())

    assert "3 the documents do not answer" in text
    for command in ("ask", "search", "ingest", "eval", "doctor", "config", "serve", "workspaces"):
        assert command in text


@pytest.mark.parametrize(
    "words",
    [["nonsense"], ["ask"], ["ask", QUESTION, "--top-k", "0"], ["search", "a", "--top-k", "101"]],
)
def test_wrong_usage_is_told(rag, words):
    result = rag(*words)

    assert result.exit_code == 2
    assert "Usage" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["ask", "caf\udce9"],
        ["search", "caf\udce9"],
        ["search", QUESTION, "-w", "caf\udce9"],
        ["workspaces", "delete", "caf\udce9", "--yes"],
    ],
)
def test_words_that_are_not_utf_8_are_wrong_usage(rag, words):
    result = rag(*words)

    assert result.exit_code == 2
    assert "not UTF-8" in result.stderr


def test_an_answer_is_printed_with_what_it_cites(rag):
    result = rag("ask", QUESTION)

    lines = result.stdout.splitlines()
    assert (result.exit_code, lines[0]) == (0, REFUNDS)
    assert re.match(r"\[1\] Refund policy policies/refunds \(\d\.\d{3}: ", lines[2])
    assert "Refunds are paid within 7 days of purchase." in lines[3]
    assert "[2]" not in result.stdout


def test_what_is_not_supported_is_told(capsys):
    good, bad = f"{REFUNDS}", "The chairman pays. [1]"
    grounding = Grounded(
        "remove",
        "lexical",
        0.5,
        score=0.5,
        sentences=(
            Sentence(0, len(good), (1,), 1.0, supported=True),
            Sentence(len(good) + 1, len(f"{good} {bad}"), (1,), 0.0, supported=False),
        ),
        withheld=2,
    )

    show(Answer(f"{good} {bad}", answerable=True, sources=(), meta=Meta(grounding=grounding)))

    assert capsys.readouterr().out.strip().splitlines() == [
        f"not supported by what it cites: {bad}",
        "sentences withheld: 2",
    ]


def test_an_answer_as_json_is_one_document(rag):
    result = rag("ask", QUESTION, "--json")

    answer = one_json(result)
    assert result.exit_code == 0
    assert (answer["answer"], answer["answerable"]) == (REFUNDS, True)
    assert (answer["sources"][0]["source_id"], answer["sources"][0]["cited"]) == (
        "policies/refunds",
        True,
    )
    assert answer["meta"]["generator"] == "mock"


def test_a_question_that_the_documents_do_not_answer_is_exit_status_3(rag):
    plain, as_json = rag("ask", UNKNOWN), rag("ask", UNKNOWN, "--json")

    assert (plain.exit_code, as_json.exit_code) == (3, 3)
    assert plain.stdout.splitlines()[0] == NOT_FOUND
    assert one_json(as_json)["answerable"] is False


def test_fewer_passages_may_be_asked_for(rag):
    assert len(one_json(rag("ask", "policy payment days", "--top-k", 1, "--json"))["sources"]) <= 1


@pytest.mark.parametrize("command", ["ask", "search"])
def test_an_unknown_workspace_is_told_in_one_line(rag, command):
    result = rag(command, "paid", "-w", "nowhere")

    assert result.exit_code == 2
    assert told(result) == "error: there is no workspace 'nowhere'"


@pytest.mark.parametrize("command", ["ask", "search"])
@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("  ", "the question is empty"),
        ("a" * 4001, "the question is 4,001 characters long: at most 4,000 are allowed"),
    ],
)
def test_what_is_no_question_is_told(rag, command, question, sentence):
    result = rag(command, question)

    assert (result.exit_code, told(result)) == (2, f"error: {sentence}")


def test_a_question_may_be_as_long_as_the_limit(rag):
    assert rag("ask", f" {'a' * 4000} ").exit_code == 3


def test_what_was_degraded_is_told(rag, monkeypatch):
    monkeypatch.setenv("RAG_CACHE__KIND", "redis")
    monkeypatch.setenv("RAG_CACHE__URL", "redis://127.0.0.1:1/0")

    result = rag("ask", QUESTION)

    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "answered without: cache"


@pytest.mark.parametrize("mode", [(), ("--mode", "dense"), ("--mode", "keyword")])
def test_a_search_shows_passages_with_every_stages_score(rag, mode):
    result = rag("search", "refunds paid", *mode)

    lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert lines[0].startswith("[1] Refund policy policies/refunds (")
    assert re.search(r"(mock|dense|keyword) -?\d+\.\d{3} #1", lines[0])


def test_a_search_as_json_is_one_document(rag):
    result = rag("search", "refunds paid", "--mode", "hybrid", "--json")

    found = one_json(result)
    assert found["hits"][0]["source_id"] == "policies/refunds"
    assert found["hits"][0]["scores"]["dense"]["rank"] == 1
    assert found["meta"]["degraded"] == []
    assert found["meta"]["timings_ms"].keys() >= {"retrieve"}


def test_a_search_that_finds_nothing_is_exit_status_3(rag):
    result = rag("search", "observatory Samarkand", "--json")

    assert (result.exit_code, one_json(result)["hits"]) == (3, [])


def test_an_unknown_mode_is_told(rag):
    result = rag("search", "paid", "--mode", "psychic")

    assert result.exit_code == 2
    assert told(result) == "error: unknown mode 'psychic': there are hybrid, dense, keyword"


def test_a_mistake_in_the_settings_is_told_in_one_line(rag, monkeypatch):
    monkeypatch.setenv("RAG_GENERATOR__KIND", "extractiv")

    result = rag("ask", QUESTION)

    assert result.exit_code == 2
    assert told(result) == "error: unknown generator 'extractiv': did you mean 'extractive'?"


def test_what_is_told_keeps_its_brackets(rag, monkeypatch):
    monkeypatch.setenv("RAG_GENERATOR__KIND", "[red]/[/]")

    assert "'[red]/[/]'" in told(rag("ask", QUESTION))


def test_a_catalog_that_does_not_answer_is_exit_status_4(rag, data_dir):
    (data_dir / "catalog.db").write_bytes(b"this is no database " * 500)

    result = rag("ask", QUESTION)

    assert result.exit_code == 4
    assert told(result).startswith("error: catalog is unavailable: ")


def test_a_corpus_that_cannot_be_read_is_told(rag, monkeypatch, tmp_path):
    (tmp_path / "corpus.json").write_text('[{"source_id": "a"}]')
    monkeypatch.setenv("RAG_RETRIEVER__CORPUS", str(tmp_path / "corpus.json"))

    result = rag("ask", QUESTION)

    assert result.exit_code == 2
    assert "corpus cannot be read" in result.stderr


def test_another_generator_is_chosen_by_configuration_alone(rag, monkeypatch):
    monkeypatch.setenv("RAG_GENERATOR__KIND", "extractive")

    answer = one_json(rag("ask", QUESTION, "--json"))

    assert answer["meta"]["generator"] == "extractive"


def test_an_embedder_that_the_generator_names_must_be_there(rag, monkeypatch):
    monkeypatch.setenv("RAG_GENERATOR__KIND", "extractive")
    monkeypatch.setenv("RAG_GENERATOR__EMBEDDER", "defualt")

    result = rag("ask", QUESTION)

    assert result.exit_code == 2
    assert "names embedder 'defualt': did you mean 'default'?" in told(result)


@pytest.fixture
def two_models(monkeypatch):
    monkeypatch.setenv("RAG_GENERATORS__QUOTING__KIND", "extractive")
    monkeypatch.setenv("RAG_WORKSPACE__MODELS__ALLOWED", '["quoting"]')


@pytest.mark.parametrize(
    ("words", "model", "kind"),
    [
        ([], "default", "mock"),
        (["--model", "default"], "default", "mock"),
        (["--model", "quoting"], "quoting", "extractive"),
    ],
)
def test_the_answer_is_made_by_the_model_that_is_asked_for(rag, two_models, words, model, kind):
    meta = one_json(rag("ask", QUESTION, "--json", *words))["meta"]

    assert (meta["model"], meta["generator"]) == (model, kind)


def test_a_model_that_is_not_allowed_is_told(rag, two_models):
    result = rag("ask", QUESTION, "--model", "huge")

    assert result.exit_code == 2
    assert "workspace 'default' has no model 'huge': there are 'default', 'quoting'" in told(result)


def test_a_model_that_is_not_there_cannot_be_allowed(rag, monkeypatch):
    monkeypatch.setenv("RAG_WORKSPACE__MODELS__ALLOWED", '["quotign"]')

    result = rag("ask", QUESTION)

    assert result.exit_code == 2
    assert "there is no generator named 'quotign'" in told(result)
