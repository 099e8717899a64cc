"""`rag ingest`: every file is accounted for, and a failed one does not stop the others."""

from __future__ import annotations

import os

import pytest

from orchestrator.cli import handing
from tests.unit.cli.conftest import one_json, told

pytestmark = pytest.mark.usefixtures("empty")

REFUNDS = "# Refund policy\n\nRefunds are paid within 7 days of purchase.\n"
BINARY = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(200)


@pytest.fixture
def folder(tmp_path):
    """A good file, a binary by the name of a text, an unknown kind, and files not to look at."""
    root = tmp_path / "documents"
    for name, content in {
        "policies/refunds.md": REFUNDS.encode(),
        "policies/picture.md": BINARY,
        "notes.txt": b"The canteen serves lunch from noon to two.",
        "table.ods": b"PK\x03\x04",
        ".git/config.txt": b"[core]",
        "empty.txt": b"",
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def table(result):
    """Documents by outcome, as the table says."""
    rows = [line.split() for line in result.stdout.splitlines()[1:6]]
    return {row[0]: int(row[1]) for row in rows}


def test_a_mixed_folder_is_summed_up_file_by_file(rag, folder):
    result = rag("ingest", folder)

    lines = result.stdout.splitlines()
    assert result.exit_code == 1
    assert table(result) == {"indexed": 2, "unchanged": 0, "failed": 2, "skipped": 1, "total": 5}
    assert len(lines) == 9
    assert "failed: empty.txt: 'empty.txt' is empty" in lines[6]
    assert "failed: policies/picture.md: 'picture.md' is not read" in lines[7]
    assert "image/png" in lines[7]
    assert lines[8] == "  skipped: table.ods: no parser reads '.ods' files"


def test_a_name_that_is_not_utf_8_fails_its_file_alone(rag, tmp_path):
    folder = tmp_path / "documents"
    folder.mkdir()
    for name in (b"caf\xe9.txt", b"caf\xe9.x\xff", b"notes.txt"):
        (folder / os.fsdecode(name)).write_bytes(b"Lunch is at noon.")

    result = rag("ingest", folder)

    assert result.exit_code == 1
    assert table(result) == {"indexed": 1, "unchanged": 0, "failed": 1, "skipped": 1, "total": 3}
    assert result.stdout.splitlines()[6:] == [
        "  failed: caf\\xe9.txt: its name is not UTF-8",
        "  skipped: caf\\xe9.x\\xff: no parser reads '.x\\xff' files",
    ]


def test_a_mixed_folder_as_json_is_one_document(rag, folder):
    result = rag("ingest", folder, "--json")

    summary = one_json(result)
    assert result.exit_code == 1
    assert (summary["indexed"], summary["unchanged"]) == (2, 0)
    assert summary["failed"].keys() == {"policies/picture.md", "empty.txt"}
    assert summary["skipped"].keys() == {"table.ods"}
    assert summary["seconds"] > 0


def test_what_was_ingested_answers(rag, folder):
    rag("ingest", folder)

    answer = one_json(rag("ask", "When are refunds paid?", "--json"))

    assert "7 days" in answer["answer"]
    assert answer["sources"][0]["source_id"] == "policies/refunds.md"
    assert answer["sources"][0]["title"] == "Refund policy"


def test_a_document_that_turns_out_to_hold_no_text_is_named(rag, tmp_path):
    (tmp_path / "blank.html").write_text("<html><body><img src='a.png'></body></html>")

    blank = tmp_path / "blank.html"
    summary = one_json(rag("ingest", blank, "--json"))

    assert summary["failed"] == {str(blank): "the document holds no text"}


def test_a_folder_without_fault_is_exit_status_0(rag, folder):
    result = rag("ingest", folder / "policies" / "refunds.md", folder / "notes.txt")

    assert result.exit_code == 0
    assert table(result) == {"indexed": 2, "unchanged": 0, "failed": 0, "skipped": 0, "total": 2}


def test_what_is_there_already_is_not_done_twice(rag, folder):
    rag("ingest", folder, "--json")
    (folder / "notes.txt").write_text("The canteen is closed.")

    summary = one_json(rag("ingest", folder, "--json"))

    assert (summary["indexed"], summary["unchanged"]) == (1, 1)


def found(rag, *words):
    return {one["source_id"] for one in one_json(rag("search", *words, "--json"))["hits"]}


@pytest.fixture
def twins(tmp_path, monkeypatch):
    """Two folders with a file of the same name in each; the process stands above them."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.md").write_text(f"Refunds are paid by {folder}.")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_files_of_the_same_name_are_two_documents(rag, twins):
    assert one_json(rag("ingest", "a/x.md", "b/x.md", "--json"))["indexed"] == 2
    assert found(rag, "refunds paid") == {"a/x.md", "b/x.md"}


def test_a_files_source_id_does_not_depend_on_what_else_is_ingested(rag, twins):
    rag("ingest", "a/x.md", "b/x.md")

    again = one_json(rag("ingest", "./b/../a/x.md", "--json"))

    assert (again["indexed"], again["unchanged"]) == (0, 1)


def test_a_file_that_is_given_twice_is_done_once(rag, twins):
    assert one_json(rag("ingest", "a", "./a", "--json"))["indexed"] == 1


def test_a_file_that_would_replace_another_is_refused_before_any_is_ingested(rag, twins):
    result = rag("ingest", "a", "b", "--json")

    assert result.exit_code == 2
    assert told(result).startswith("error: 'a/x.md' and 'b/x.md' would both be 'x.md': ")
    assert rag("search", "refunds").exit_code != 0


def test_a_file_by_its_own_name_is_read_whatever_its_ending(rag, tmp_path):
    (tmp_path / "README").write_text("Refunds are paid within 7 days.")

    assert one_json(rag("ingest", tmp_path / "README", "--json"))["indexed"] == 1


def test_a_workspace_is_made_for_what_is_ingested(rag, folder):
    rag("ingest", folder / "notes.txt", "-w", "canteen", "--json")

    assert found(rag, "lunch", "-w", "canteen") == {str(folder / "notes.txt")}
    assert found(rag, "lunch") == set()


def test_a_workspace_by_a_name_that_is_none_is_told(rag, folder):
    result = rag("ingest", folder, "-w", "No Name", "--json")

    assert result.exit_code == 2
    assert "is not a name" in told(result)


def test_a_path_that_is_not_there_is_wrong_usage(rag, tmp_path):
    result = rag("ingest", tmp_path / "nothing")

    assert result.exit_code == 2
    assert "does not exist" in " ".join(result.stderr.split())


def test_an_empty_folder_is_no_failure(rag, tmp_path):
    (tmp_path / "none").mkdir()

    result = rag("ingest", tmp_path / "none")

    assert result.exit_code == 0
    assert table(result)["total"] == 0


def test_links_that_lead_nowhere_or_to_folders_are_told(rag, folder):
    (folder / "broken.txt").symlink_to("/nowhere/at/all")
    (folder / "linked").symlink_to(folder / "policies")

    summary = one_json(rag("ingest", folder, "--json"))

    assert summary["indexed"] == 2
    assert summary["skipped"] == {
        "broken.txt": "it is no file",
        "linked/": "a link to a folder is not followed",
        "table.ods": "no parser reads '.ods' files",
    }


@pytest.mark.parametrize("bound", ["queue", "followed"])
def test_a_full_queue_is_waited_for_and_nothing_is_dropped(rag, tmp_path, monkeypatch, bound):
    if bound == "queue":
        monkeypatch.setenv("RAG_QUEUE__MAX_JOBS", "1")
    else:
        monkeypatch.setattr(handing, "FOLLOWED", 2)
    (tmp_path / "many").mkdir()
    for number in range(20):
        (tmp_path / "many" / f"{number}.txt").write_text(f"Refunds of {number} EUR are paid.")

    summary = one_json(rag("ingest", tmp_path / "many", "--json"))

    assert (summary["indexed"], summary["failed"]) == (20, {})


def test_what_failed_before_is_tried_once_more(rag, tmp_path, monkeypatch):
    path = tmp_path / "notes.txt"
    path.write_text("The canteen serves lunch from noon to two. " * 50)
    monkeypatch.setenv("RAG_PARSING__MAX_TEXT_CHARS", "10")
    before = one_json(rag("ingest", path, "--json"))
    monkeypatch.delenv("RAG_PARSING__MAX_TEXT_CHARS")

    after = one_json(rag("ingest", path, "--json"))

    assert before["failed"].keys() == {str(path)}
    assert (after["indexed"], after["failed"]) == (1, {})


def test_what_looks_like_markup_or_an_emoji_is_printed_as_it_stands(rag, tmp_path, monkeypatch):
    monkeypatch.setenv("RAG_GENERATOR__KIND", "extractive")
    said = "Refunds :smile: are [bold]paid[/bold] within 7 days \\[red]."
    (tmp_path / "r.txt").write_text(said)
    monkeypatch.chdir(tmp_path)
    rag("ingest", "r.txt")

    lines = rag("ask", "When are refunds paid?").stdout.splitlines()

    assert lines[0] == f"{said} [1]"
    assert lines[3] == f"    {said}"


def test_a_title_that_looks_like_markup_is_printed_as_it_stands(rag, tmp_path):
    (tmp_path / "r.md").write_text("# :smile: [red]Fees[/]\n\nRefunds are paid in 7 days.")
    rag("ingest", tmp_path / "r.md")

    assert rag("search", "refunds").stdout.startswith("[1] :smile: [red]Fees[/] ")


def test_a_file_with_brackets_in_its_name_is_named_whole(rag, tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "[red]x[bold].md").write_bytes(BINARY)

    result = rag("ingest", tmp_path / "d")

    assert "failed: [red]x[bold].md: '[red]x[bold].md' is not read" in result.stdout
