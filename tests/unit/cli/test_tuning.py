"""`rag tune`: it shows evidence, applies what gains beyond chance, and can be undone."""

from __future__ import annotations

import json

import pytest

from tests.unit.cli.conftest import one_json, told
from tests.unit.evaluation import parts

pytestmark = pytest.mark.usefixtures("empty")


@pytest.fixture
def by_meaning(monkeypatch):
    """Workspaces begin with a fusion that hardly hears the words."""
    monkeypatch.setenv("RAG_WORKSPACE__FUSION__DENSE", "1")
    monkeypatch.setenv("RAG_WORKSPACE__FUSION__KEYWORD", "0")
    monkeypatch.setenv("RAG_RERANKER__KIND", "none")


@pytest.fixture
def labelled(rag, tmp_path, by_meaning):
    """Questions of what is indexed in the default workspace."""
    path = parts.write(tmp_path)
    rag("ingest", tmp_path / "docs")
    return path


def versions(rag):
    (workspace,) = one_json(rag("workspaces", "--json"))
    return workspace["config_version"]


def test_what_is_better_is_shown_and_not_applied_unasked(rag, labelled):
    result = rag("tune", "default", "--questions", labelled)

    assert result.exit_code == 0, result.output
    assert "20 questions" in result.stdout
    assert "(current)" in result.stdout
    assert "chosen: fusion." in result.stdout
    assert "--apply makes this the next version" in result.stdout
    assert versions(rag) == 1


def test_the_evidence_is_one_json_document(rag, labelled):
    found = one_json(rag("tune", "default", "--questions", labelled, "--json"))

    assert (found["questions"], found["version"], found["applied"]) == (20, 1, None)
    assert found["current"]["changes"] == {}
    assert found["trials"][0]["ndcg@10"] > found["current"]["ndcg@10"]
    assert found["gain"]["low"] > 0
    assert found["gain"]["p"] < 0.05
    assert found["stays"] is False
    assert found["chosen"]["fusion"]["keyword"] > 0
    assert sum(one["folds"] for one in found["trials"]) == 5


def test_a_choice_is_applied_and_can_be_rolled_back(rag, labelled):
    before = one_json(rag("search", "ZX1000", "--json"))["hits"][0]["score"]

    applied = rag("tune", "default", "--questions", labelled, "--apply")
    tuned = versions(rag)
    again = one_json(rag("tune", "default", "--questions", labelled, "--json"))
    undone = rag("workspaces", "rollback", "default", "1")

    assert "applied as version 2" in applied.stdout
    assert "rag workspaces rollback default 1" in applied.stdout
    assert tuned == 2
    assert again["stays"] is True
    assert undone.stdout == (
        "workspace 'default' has the configuration of version 1 again, as version 3\n"
    )
    assert versions(rag) == 3
    assert one_json(rag("search", "ZX1000", "--json"))["hits"][0]["score"] == before


def test_where_nothing_is_better_the_configuration_stays(rag, labelled, tmp_path):
    easy = tmp_path / "easy.jsonl"
    words = ("the spare part", "where is it", "behind the box", "in the cellar", "kept where")
    easy.write_text(
        "".join(
            json.dumps({"question": one, "relevant": list(parts.documents())}) + "\n"
            for one in words
        )
    )

    result = rag("tune", "default", "--questions", easy, "--apply")

    assert result.exit_code == 0, result.output
    assert "version 1 stays" in result.stdout
    assert versions(rag) == 1


def test_documents_may_be_named_by_their_ids(rag, labelled, tmp_path):
    hits = one_json(rag("search", "ZX1000", "--top-k", 100, "--json"))["hits"]
    ids = {one["source_id"]: one["doc_id"] for one in hits}
    named = tmp_path / "named.jsonl"
    entries = [json.loads(line) for line in labelled.read_text().splitlines()]
    named.write_text(
        "".join(
            json.dumps({**one, "relevant": {ids[one["relevant"][0]]: 2}}) + "\n" for one in entries
        )
    )

    by_source, by_id = (
        one_json(rag("tune", "default", "--questions", path, "--json"))
        for path in (labelled, named)
    )

    assert by_id["trials"] == by_source["trials"]


def test_documents_that_nothing_finds_are_told(rag, labelled):
    with labelled.open("a") as file:
        file.write('{"question": "Where is ZX1000?", "relevant": ["part-1000.txt"]}\n')

    result = rag("tune", "default", "--questions", labelled, "--json")

    assert "1 documents named as relevant came among the first ten in no" in result.stderr
    assert "part-1000.txt" in result.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nowhere"], "there is no workspace 'nowhere'"),
        (["default", "--folds", "20"], "19 questions are too few for 20 folds"),
    ],
)
def test_what_cannot_be_tuned_is_told(rag, labelled, words, sentence):
    labelled.write_text("".join(labelled.read_text().splitlines(keepends=True)[:19]))

    result = rag("tune", *words, "--questions", labelled, "--json")

    assert result.exit_code == 2
    assert sentence in told(result)
