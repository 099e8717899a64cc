"""Temporary folders do not outlast the processes that made them, not even killed ones."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from adapters.scratch import scratch

HOLDER = """
import sys, time
from adapters.scratch import scratch
with scratch("rag-test-") as folder:
    (folder / "index").mkdir()
    print(folder, flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def test_a_folder_is_there_until_the_block_ends():
    with scratch("rag-test-") as folder:
        assert folder.is_dir()
        assert folder.name.startswith("rag-test-")

    assert not folder.exists()


def test_that_of_a_killed_process_is_removed_by_the_next_and_that_of_a_living_one_is_not():
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True) as one:
        assert one.stdout
        folder = Path(one.stdout.readline().strip())
        with scratch("rag-test-"):
            while_it_lives = folder.is_dir()
        one.kill()

    with scratch("rag-test-"):
        after = folder.exists()

    assert (while_it_lives, after) == (True, False)


def test_what_is_not_such_a_folder_stays(tmp_path):
    other, file = tmp_path / "rag-test-other", tmp_path / "rag-test-file"
    other.mkdir()
    file.write_text("mine")

    with scratch("rag-test-"):
        assert (other.is_dir(), file.read_text()) == (True, "mine")
