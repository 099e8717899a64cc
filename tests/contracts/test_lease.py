"""A lease has one holder, and is free again when that one is gone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.lease import FileLease
from orchestrator.contracts.lease import LeaseContract

HOLDER = """
import sys, time
from pathlib import Path
from adapters.lease import FileLease
print(FileLease(Path(sys.argv[1])).acquire(), flush=True)
time.sleep(60)
"""


class TestFileLease(LeaseContract):
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "data" / "lease"

    @pytest.fixture
    def candidate(self, path: Path) -> Callable[[], FileLease]:
        return lambda: FileLease(path)

    def test_a_killed_process_holds_it_no_longer(self, lease, path):
        command = [sys.executable, "-c", HOLDER, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
            held = holder.stdout.readline()
            refused = lease.acquire()
            holder.kill()

        assert (held, refused) == ("True\n", False)
        assert lease.acquire()
