"""The memory of a process counts those that it started."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

from orchestrator.evaluation.memory import Memory, _family, watched

MB = 1 << 20
HOLD = f"import sys; held = bytearray({200 * MB}); print('held', flush=True); sys.stdin.read()"


def holding(code=HOLD):
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    return process


def let_go(process):
    process.communicate()


def test_what_a_child_holds_counts_even_after_it_ended():
    alone = Memory()
    alone.look()

    memory, child = Memory(), holding()
    memory.look()
    let_go(child)

    assert memory._seen > alone._seen + 150 * MB  # this process may have had more before


def test_a_childs_child_is_of_the_family():
    inner = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HOLD!r}])"

    child = holding(inner)
    family = list(_family(os.getpid()))
    let_go(child)

    assert family[0] == os.getpid()
    assert family[family.index(child.pid) :][1:]


def test_it_is_never_less_than_the_kernels_count_of_this_process():
    assert Memory().peak_mb == resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def test_it_is_watched_while_the_block_runs():
    alone = Memory()
    alone.look()
    with watched() as memory:
        child = holding()
        let_go_later = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.5)"])
        let_go_later.wait()
        let_go(child)

    assert memory._seen > alone._seen + 150 * MB
    assert memory.peak_mb >= memory._seen / MB
