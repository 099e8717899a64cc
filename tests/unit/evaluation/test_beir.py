"""Collections in BEIR form, and what is said of one that is not."""

from __future__ import annotations

import json

import pytest

from orchestrator.domain.errors import Rejected
from orchestrator.evaluation.beir import entries, load, load_questions
from tests.unit.evaluation.collections import CORPUS, QRELS, write


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "tiny")


@pytest.fixture
def several(folder):
    """Judgements of a question that nothing answers, and of one that there is not."""
    (folder / "qrels" / "dev.tsv").write_text(f"{QRELS}q3\trefunds\t0\nq9\ttravel\t1\n")
    return folder


def test_questions_that_cannot_be_measured_are_named(several):
    collection = load(several, "dev")

    assert collection.left_out == ["q3", "q9"]
    assert collection.questions.keys() == collection.judgements.keys() == {"q1", "q2"}


def test_questions_can_be_read_without_documents(folder):
    (folder / "corpus.jsonl").unlink()

    assert load_questions(folder).questions.keys() == {"q1", "q2"}


def test_a_document_that_comes_twice_is_named(folder):
    put(folder, "corpus.jsonl", *CORPUS, CORPUS[1])

    uploads = load(folder).uploads()

    with pytest.raises(Rejected, match="holds 'travel' twice"):
        list(uploads)


def put(folder, name, *entries):
    (folder / name).write_text("".join(f"{json.dumps(one)}\n" for one in entries))


def test_judgements_are_read_by_question(folder):
    assert load(folder).judgements == {"q1": {"refunds": 1}, "q2": {"travel": 2}}


def test_only_judged_questions_are_kept(folder):
    assert load(folder).questions == {
        "q1": "When are refunds paid?",
        "q2": "What are hotels reimbursed up to?",
    }


def test_documents_are_uploads_under_their_own_ids(folder):
    uploads = list(load(folder).uploads())

    assert [one.source_id for one in uploads] == [entry["_id"] for entry in CORPUS]
    assert [one.filename for one in uploads] == ["refunds.txt", "travel.txt", "remote.txt"]
    assert [one.title for one in uploads] == ["Refund policy", "Travel policy", None]
    assert uploads[0].content.read() == b"Refunds are paid within 7 days."


def test_a_document_without_text_is_its_title(folder):
    put(folder, "corpus.jsonl", {"_id": "d1", "title": "Only a title", "text": " "})

    (upload,) = load(folder).uploads()

    assert upload.content.read() == b"Only a title"


def test_numbers_may_be_ids(folder):
    put(folder, "queries.jsonl", {"_id": 7, "text": "When?"})
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n7\t12\t1\n")

    collection = load(folder)

    assert (collection.questions, collection.judgements) == ({"7": "When?"}, {"7": {"12": 1}})


@pytest.mark.parametrize("name", ["qrels/test.tsv", "queries.jsonl", "corpus.jsonl"])
def test_a_file_that_is_missing_is_named(folder, name):
    (folder / name).unlink()

    with pytest.raises(Rejected, match=name.rpartition("/")[2]):
        load(folder)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("", 1),
        ("q1\trefunds\t1\nq2\ttravel\t2\n", 1),
        (f"{QRELS}q1\trefunds\thigh\n", 5),
        (f"{QRELS}q1\trefunds\tinf\n", 5),
        (f"{QRELS}\n\nq1\n", 7),
        (f"{QRELS}q1\trefunds\t1\tx\n", 5),
        (f"{QRELS}q1\t\xff\t1\n", 5),
    ],
    ids=["nothing", "no header", "no number", "no grade", "short", "long", "not UTF-8"],
)
def test_judgements_that_cannot_be_read_name_their_file_and_line(folder, content, line):
    (folder / "qrels" / "test.tsv").write_text(content, encoding="latin-1")

    with pytest.raises(Rejected, match=rf"test\.tsv', line {line}, "):
        load(folder)


@pytest.mark.parametrize("judged", ["", "q1\trefunds\t0\nq2\ttravel\t-1\n", "q9\trefunds\t1\n"])
def test_a_collection_without_a_question_that_is_answered_is_refused(folder, judged):
    (folder / "qrels" / "test.tsv").write_text(QRELS.partition("\n")[0] + "\n" + judged)

    with pytest.raises(Rejected, match=r"test\.tsv' judges no document relevant"):
        load(folder)


def test_columns_may_stand_in_another_order_beside_others(folder):
    (folder / "qrels" / "test.tsv").write_text(
        "score\tnote\tcorpus-id\tquery-id\n1\tso\trefunds\tq1\n"
    )

    assert load(folder).judgements == {"q1": {"refunds": 1}}


@pytest.mark.parametrize("entry", [{"_id": "q2"}, {"text": "When?"}, ["q2", "When?"], "q2"])
def test_a_question_that_lacks_a_field_names_its_file_and_line(folder, entry):
    put(folder, "queries.jsonl", {"_id": "q1", "text": "When?"}, entry)

    with pytest.raises(Rejected, match=r"queries\.jsonl', line 2, lacks one of _id, text"):
        load(folder)


def test_a_document_that_lacks_a_field_names_its_file_and_line(folder):
    put(folder, "corpus.jsonl", *CORPUS, {"_id": "d4"})

    uploads = load(folder).uploads()

    with pytest.raises(Rejected, match=r"corpus\.jsonl', line 4, lacks one of"):
        list(uploads)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b'{"_id": "q1", "text": \n', "is not JSON"), (b"\xff\n", "is not UTF-8")],
)
def test_questions_that_cannot_be_read_name_their_file_and_line(folder, content, reason):
    good = (folder / "queries.jsonl").read_bytes()
    (folder / "queries.jsonl").write_bytes(good + b"\n" + content)

    with pytest.raises(Rejected, match=rf"queries\.jsonl', line 5, {reason}"):
        load(folder)


def test_half_a_character_is_refused_with_its_line(tmp_path):
    path = tmp_path / "queries.jsonl"
    path.write_text('{"_id": "1", "text": "whole"}\n{"_id": "2", "text": "\\ud800"}\n')

    with pytest.raises(Rejected, match="line 2, must not hold"):
        list(entries(path, "_id", "text"))
