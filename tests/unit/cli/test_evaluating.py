"""`rag eval`: figures of a collection, a file for each question, and two runs compared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.cli.conftest import one_json, told
from tests.unit.evaluation.collections import CORPUS, QRELS, write

pytestmark = pytest.mark.usefixtures("empty")

QUALITY = {"ndcg@10", "recall@10", "recall@100", "mrr@10", "map"}
FIGURES = QUALITY | {"p50_ms", "p95_ms", "p99_ms", "docs_per_s", "peak_mb"}
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def tiny(tmp_path):
    return write(tmp_path / "tiny")


def put(folder, name, *entries):
    (folder / name).write_text("".join(f"{json.dumps(one)}\n" for one in entries))


def test_an_evaluation_prints_every_figure(rag, tiny, data_dir):
    before = (data_dir / "catalog.db").read_bytes()

    result = rag("eval", tiny, "--json")

    figures = one_json(result)
    assert result.exit_code == 0, result.output
    assert figures.keys() == FIGURES
    assert {figures[name] for name in QUALITY} == {1.0}
    assert 0 < figures["p50_ms"] <= figures["p95_ms"] <= figures["p99_ms"]
    assert figures["docs_per_s"] > 0
    assert figures["peak_mb"] > 10
    assert (data_dir / "catalog.db").read_bytes() == before


def test_an_evaluation_for_people_is_a_table(rag, tiny):
    result = rag("eval", tiny)

    assert result.exit_code == 0, result.output
    assert all(name in result.stdout for name in FIGURES)
    assert "tiny" in result.stdout


def test_an_evaluation_of_what_is_no_collection_is_told(rag, tmp_path):
    result = rag("eval", tmp_path, "--json")

    assert result.exit_code == 2
    assert "test.tsv" in told(result)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [(" ", "'d1.txt' is empty"), ("<html></html>", "failed: the document holds no text")],
)
def test_a_collection_of_which_nothing_can_be_ingested_is_told(rag, tiny, text, sentence):
    put(tiny, "corpus.jsonl", {"_id": "d1", "text": text})

    result = rag("eval", tiny, "--json")

    assert result.exit_code == 2
    assert sentence in told(result)


def test_documents_that_fail_are_counted_and_named_and_the_rest_is_measured(rag, tiny):
    put(tiny, "corpus.jsonl", *CORPUS[:2], {"_id": "bad", "text": " "})

    result = rag("eval", tiny, "--json")

    assert result.exit_code == 1
    assert one_json(result)["ndcg@10"] == 1.0
    assert "1 documents failed, and cannot be found: bad (" in result.stderr


def test_questions_that_cannot_be_measured_are_said(rag, tiny):
    (tiny / "qrels" / "test.tsv").write_text(f"{QRELS}q3\trefunds\t0\n")

    result = rag("eval", tiny, "--json")

    assert result.exit_code == 0
    assert "1 judged questions are left out" in result.stderr
    assert result.stderr.rstrip().endswith(": q3")


def test_grades_count(rag, tiny):
    """q1 finds refunds first, then travel: gains 1 and 3, where 3 and 1 would be ideal."""
    (tiny / "qrels" / "test.tsv").write_text(
        "query-id\tcorpus-id\tscore\nq1\trefunds\t1\nq1\ttravel\t3\nq1\tremote\t0\n"
    )

    figures = one_json(rag("eval", tiny, "--json"))

    assert figures["ndcg@10"] < 1.0
    assert figures["recall@10"] == 1.0


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_questions_results_are_written(rag, tiny, tmp_path):
    rag("eval", tiny, "--per-query", tmp_path / "run.jsonl")

    one, two = lines(tmp_path / "run.jsonl")
    assert one.keys() == QUALITY | {"question", "latency_ms", "ranking"}
    assert (one["question"], two["question"]) == ("q1", "q2")
    assert (one["ranking"][0], two["ranking"][0]) == ("refunds", "travel")
    assert one["latency_ms"] > 0


def test_a_collection_that_is_kept_is_asked_again_with_other_settings(rag, tiny, tmp_path):
    kept, runs = tmp_path / "kept", (tmp_path / "a.jsonl", tmp_path / "b.jsonl")

    first = one_json(rag("eval", tiny, "--keep", kept, "--per-query", runs[0], "--json"))
    chosen = ["--set", "depth=1", "--set", "fusion.dense=0"]
    again = one_json(rag("eval", tiny, "--keep", kept, "--per-query", runs[1], "--json", *chosen))

    assert again["docs_per_s"] == first["docs_per_s"]  # that of the run that indexed
    assert [one["ranking"][0] for one in lines(runs[1])] == ["refunds", "travel"]


def test_a_kept_collection_goes_on_where_it_was_interrupted(rag, tiny, tmp_path):
    kept = tmp_path / "kept"
    rag("eval", tiny, "--keep", kept)
    note = json.loads((kept / "evaluation.json").read_text())
    (kept / "evaluation.json").write_text(json.dumps({**note, "indexed": None}))

    result = rag("eval", tiny, "--keep", kept, "--json")

    assert one_json(result)["ndcg@10"] == 1.0
    assert json.loads((kept / "evaluation.json").read_text())["indexed"]["documents"] == 3


@pytest.mark.parametrize("change", ["documents", "chunking", "stranger"])
def test_a_folder_of_something_else_is_refused(rag, tiny, tmp_path, change):
    kept, chosen = tmp_path / "kept", []
    if change == "stranger":
        write(kept)
    else:
        rag("eval", tiny, "--keep", kept)
    if change == "documents":
        put(tiny, "corpus.jsonl", *CORPUS[:2])
    if change == "chunking":
        chosen = ["--set", "chunking.tokens=100"]

    result = rag("eval", tiny, "--keep", kept, *chosen)

    assert result.exit_code == 2
    assert "name an empty" in told(result)


def test_a_configuration_may_come_from_a_file(rag, tiny, tmp_path):
    (tmp_path / "c.json").write_text('{"fusion": {"method": "rrf"}, "depth": 0}')

    result = rag("eval", tiny, "--config", tmp_path / "c.json")
    amended = rag("eval", tiny, "--config", tmp_path / "c.json", "--set", "depth=5", "--json")

    assert "depth is 1 to 1000" in told(result)
    assert one_json(amended)["ndcg@10"] == 1.0


@pytest.mark.parametrize(
    ("assigned", "sentence"),
    [
        ("fusion.method", "'fusion.method' is not of the form fusion.method=rrf"),
        ("fusion.method=rff", "workspace.fusion.method: Input should be 'rrf' or 'weighted'"),
        ("fuson.method=rrf", "unknown option 'fuson'"),
        ("reranker=closer", "there is no reranker named 'closer'"),
    ],
)
def test_a_setting_that_is_none_is_told(rag, tiny, assigned, sentence):
    result = rag("eval", tiny, "--set", assigned)

    assert result.exit_code == 2
    assert sentence in told(result)


@pytest.mark.parametrize("content", ["[]", "{", None])
def test_a_configuration_that_cannot_be_read_is_told(rag, tiny, tmp_path, content):
    if content:
        (tmp_path / "c.json").write_text(content)

    result = rag("eval", tiny, "--config", tmp_path / "c.json")

    assert result.exit_code == 2
    assert "c.json' " in told(result)


def test_recall_against_latency_is_drawn(rag, tiny, tmp_path):
    result = rag("eval", tiny, "--plot", tmp_path / "p.png")

    assert result.exit_code == 0, result.output
    assert (tmp_path / "p.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize("option", ["--plot", "--per-query"])
def test_a_file_that_could_not_be_written_is_told_before_the_work(rag, tiny, tmp_path, option):
    (tiny / "corpus.jsonl").write_text("not looked at")

    result = rag("eval", tiny, option, tmp_path / "nowhere" / "file")

    assert result.exit_code == 2
    assert "nowhere/file' cannot be written" in told(result)


def run_of(path, *values):
    put(path.parent, path.name, *(
        {"question": f"q{number}", "map": value, "latency_ms": 2.0, "ranking": ["a"]}
        for number, value in enumerate(values)
    ))  # fmt: skip
    return path


def test_two_runs_are_compared(rag, tmp_path):
    a = run_of(tmp_path / "a.jsonl", *[0.25] * 20)
    b = run_of(tmp_path / "b.jsonl", *[0.75] * 20)

    found = one_json(rag("eval", "--compare", a, b, "--json"))
    table = rag("eval", "--compare", a, b).stdout

    assert found["map"] == {
        "a": 0.25, "b": 0.75, "mean": 0.5, "low": 0.5, "high": 0.5, "p": 0.0001,
        "wins": 20, "ties": 0, "losses": 0,
    }  # fmt: skip
    assert found["latency_ms"]["p"] == 1.0
    assert "+0.5000 (+0.5000 to +0.5000)" in table


def test_runs_of_other_questions_are_not_compared(rag, tmp_path):
    a, b = run_of(tmp_path / "a.jsonl", 1, 1), run_of(tmp_path / "b.jsonl", 1)

    result = rag("eval", "--compare", a, b)

    assert result.exit_code == 2
    assert "not of the same questions: 1 are only in one of them, such as 'q1'" in told(result)


@pytest.mark.parametrize("words", [[], ["folder", "--compare", "a", "b"]])
def test_either_a_folder_or_two_files_are_given(rag, tmp_path, words):
    words = [tmp_path if word == "folder" else word for word in words]

    result = rag("eval", *words)

    assert result.exit_code == 2
    assert "give a folder to measure, or --compare two files" in result.stderr


WITHOUT = """
import sys
sys.modules[sys.argv.pop(1)] = None  # as where it is not installed
from orchestrator.cli.main import main
main()
"""


@pytest.mark.parametrize(
    ("library", "words"),
    [
        ("ir_measures", ["eval", "tiny"]),
        ("matplotlib", ["eval", "tiny", "--plot", "p.png"]),
        ("ir_measures", ["tune", "default", "--questions", "tiny"]),
    ],
)
@pytest.mark.usefixtures("rag")
def test_a_library_that_is_missing_says_what_to_install(tiny, library, words):
    root = Path(__file__).parents[3]

    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT, library, *words],
        cwd=tiny.parent, env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip

    assert ended.returncode == 2
    assert ended.stderr.startswith(f"error: {library}")
    assert ended.stderr.endswith("is not installed: pip install 'rag-orchestrator[eval]'\n")
