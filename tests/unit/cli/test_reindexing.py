"""`rag reindex` where no server runs: this process does the work."""

from __future__ import annotations

import pytest

from tests.unit.cli.conftest import one_json, told

RULES = " ".join(f"Rule {n} says that cupboard {n} is locked." for n in range(30))


@pytest.fixture
def kept(rag, tmp_path, monkeypatch):
    monkeypatch.setenv("RAG_RETRIEVER__KIND", "hybrid")
    file = tmp_path / "rules.txt"
    file.write_text(RULES)
    assert rag("ingest", file).exit_code == 0
    return rag


def test_a_workspace_is_moved_to_another_chunking_and_answers(kept):
    done = one_json(kept("reindex", "default", "--set", "chunking.tokens=32", "--json"))
    status = one_json(kept("reindex", "default", "--status", "--json"))
    found = one_json(kept("search", "cupboard 7 is locked", "--json"))

    assert (done["state"], done["behind"]) == ("switched", 0)
    assert done["after"]["chunking"] == {"strategy": "structure", "tokens": 32, "overlap": 0}
    assert status == done
    assert found["hits"]


def test_it_is_rolled_back_and_another_is_begun(kept):
    kept("reindex", "default", "--chunking", "sentence")

    back = one_json(kept("reindex", "default", "--rollback", "--json"))
    again = one_json(kept("reindex", "default", "--chunking", "recursive", "--json"))

    assert back["state"] == "rolled_back"
    assert (again["state"], again["after"]["generation"]) == ("switched", 3)


def test_it_waits_for_a_hand_where_that_is_asked_and_can_be_cancelled(kept):
    waits = kept("reindex", "default", "--set", "chunking.tokens=32", "--manual")
    switched = kept("reindex", "default", "--switch")
    confirmed = one_json(kept("reindex", "default", "--confirm", "--json"))
    again = kept("reindex", "default", "--set", "chunking.tokens=64", "--manual")
    cancelled = one_json(kept("reindex", "default", "--cancel", "--json"))

    assert "default: verified" in waits.stdout
    assert "default: switched" in switched.stdout
    assert confirmed["state"] == "confirmed"
    assert "--switch" in again.stdout
    assert cancelled["state"] == "cancelled"


def test_a_file_names_what_changes_and_detached_it_is_only_begun(kept, tmp_path):
    file = tmp_path / "wanted.yaml"
    file.write_text("chunking: {strategy: sentence, tokens: 48}\n")

    begun = one_json(kept("reindex", "default", "--config", file, "--detach", "--json"))

    assert begun["state"] == "building"
    assert begun["after"]["chunking"] == {"strategy": "sentence", "tokens": 48, "overlap": 0}
    assert (begun["documents"], begun["behind"]) == (1, 1)


@pytest.mark.parametrize(
    ("words", "words_told"),
    [
        (["--status"], "never re-indexed"),
        (["--confirm"], "not being re-indexed"),
        (["--embedder", "nowhere"], "no embedder named 'nowhere'"),
        (["--set", "tokens=3"], "chunking.tokens"),
        (["--set", "chunking.tokens=3"], "16 to 8192"),
        (["--set", "chunking.tokens=many"], "chunking.tokens"),
        (["--config", "/nowhere.yaml"], "cannot be read"),
        ([], "indexed like that already"),
    ],
)
@pytest.mark.usefixtures("empty")
def test_what_cannot_be_is_said_in_a_line(rag, words, words_told):
    refused = rag("reindex", "default", *words)

    assert refused.exit_code in (1, 2)
    assert words_told in told(refused)


@pytest.mark.usefixtures("empty")
def test_a_file_of_something_else_is_refused(rag, tmp_path):
    file = tmp_path / "wanted.yaml"
    file.write_text("depth: 7\n")

    assert "something else" in told(rag("reindex", "default", "--config", file))


@pytest.mark.usefixtures("empty")
def test_one_act_at_a_time(rag):
    assert rag("reindex", "default", "--status", "--confirm").exit_code == 2
    assert rag("reindex", "default", "--status", "--embedder", "x").exit_code == 2


def test_cancelling_what_was_switched_and_rolling_back_what_was_not_are_refused(kept):
    kept("reindex", "default", "--set", "chunking.tokens=32")
    cancelled = kept("reindex", "default", "--cancel")
    kept("reindex", "default", "--rollback")
    kept("reindex", "default", "--set", "chunking.tokens=32", "--manual")
    rolled = kept("reindex", "default", "--rollback")

    assert "--rollback" in told(cancelled)
    assert "--cancel" in told(rolled)
