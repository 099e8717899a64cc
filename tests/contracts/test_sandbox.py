"""Parsing in processes: the promises of all parsers, and what a hostile file does not achieve."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.parser import sandbox
from adapters.parser.cell import Cell
from adapters.parser.frames import STEP_S, Order
from adapters.parser.limits import Limits
from adapters.parser.sandbox import TRIES, ParserSandbox, open_sandbox
from orchestrator.contracts.parser import ParsersContract
from orchestrator.domain.documents import QA_MEDIA_TYPE
from orchestrator.domain.errors import Misconfigured, Unavailable, Unsupported
from orchestrator.ports.parser import Isolation

ORDER = Order(os.getpid(), 300_000_000, 64, 5, 100_000)
LIMITS = Limits(
    cpu_s=30,
    wall_s=30.0,
    total_s=60.0,
    max_text_chars=100_000,
    recycle_after=100,
    recycle_bytes=1 << 30,
)
EVIL = "tests.contracts.evil:Evil"
DENIED = {f"errno {errno.EPERM}", f"errno {errno.EACCES}"}


@asynccontextmanager
async def opened(registry=None, *, processes=1, minimum=Isolation.FULL, memory=None, **limits):
    order = replace(ORDER, registry=registry or ORDER.registry)
    order = replace(order, memory_bytes=memory or order.memory_bytes)
    chosen = replace(LIMITS, **limits)
    async with open_sandbox(order, chosen, processes=processes, minimum=minimum) as pool:
        yield pool


@pytest.fixture
async def evil():
    async with opened(EVIL) as pool:
        yield pool


@pytest.fixture
def told(tmp_path):
    """Have a parser do something."""

    async def tell(pool, words):
        file = tmp_path / f"{abs(hash(words))}.txt"
        file.write_text(words)
        return (await pool.parse(file, "text/plain")).text

    return tell


def pids(pool):
    return [cell.pid for cell in pool._idle]


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def until(condition, seconds=60.0):
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends
        await asyncio.sleep(0.01)


class TestParserSandbox(ParsersContract):
    @pytest.fixture
    async def parsers(self):
        async with opened() as pool:
            yield pool


async def test_pairs_are_read_in_a_process_too(tmp_path):
    file = tmp_path / "qa.json"
    file.write_text('[{"question": "Are herons admitted?", "answer": "On a lead."}]')

    async with opened() as pool:
        parsed = await pool.parse(file, QA_MEDIA_TYPE)

    assert parsed.text == "Are herons admitted?\n\nOn a lead."
    assert [one.text for one in parsed.headings] == ["Are herons admitted?"]


async def test_on_this_kernel_everything_is_given_up(evil):
    assert await evil.isolation() is Isolation.FULL


@pytest.mark.parametrize(
    "words",
    [
        "write {folder}/new.txt",
        "append {folder}/there.txt",
        "write {folder}/there.txt",
        "remove {folder}/there.txt",
        "look {folder}/there.txt",
        "look /etc/passwd",
        "look /proc/self/environ",
        "look {root}/pyproject.toml",
        "folder {folder}",
        "folder /",
        "listen",
        "pair",
        "fork",
        "spawn",
        "execute",
        "kill {pid}",
        "unlimit",
    ],
)
async def test_what_a_parser_does_not_need_is_denied(evil, told, tmp_path, words):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "there.txt").write_text("yours")
    root = Path(__file__).parents[2]

    said = await told(evil, words.format(folder=folder, root=root, pid=os.getpid()))

    assert said in DENIED
    assert [path.name for path in folder.iterdir()] == ["there.txt"]
    assert (folder / "there.txt").read_text() == "yours"


async def test_nothing_of_the_servers_is_inherited(evil, told, monkeypatch):
    monkeypatch.setenv("RAG_CACHE__PASSWORD", "open-sesame")

    assert await told(evil, "environment") == "['LC_ALL', 'PYTHONPATH']"
    assert await told(evil, "descriptors") == "[]"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("thread hello", "hello"),
        ("encoding cp037", "b'Q'"),
        ("kind page.html", "text/html"),
        ("garbage hello", "hello"),
        ("half", "half of a ? character"),
    ],
)
async def test_what_a_parser_may_need_is_there(evil, told, words, said):
    assert await told(evil, words) == said


@pytest.mark.parametrize(
    ("words", "limits", "code", "reason"),
    [
        ("loop", {"cpu_s": 1}, "too_slow", "more than 1 s of processor time"),
        ("loop", {"wall_s": 0.5}, "too_slow", "more than 0.5 s"),
        ("sleep", {"wall_s": 0.5}, "too_slow", "more than 0.5 s"),
        ("allocate", {}, "too_much_memory", "too much memory"),
        ("long 100001", {}, "too_much_text", "more than 100000 characters"),
        ("exit 3", {}, "parser_crashed", "status 3"),
        ("segfault", {}, "parser_crashed", "SIGSEGV"),
        ("abort", {}, "parser_crashed", "SIGABRT"),
        ("starve 200", {}, "too_much_memory", "too much memory"),
        ("recurse", {}, "parser_crashed", "RecursionError"),
        ("sleep", {"total_s": 0.5}, "too_slow", "more than 0.5 s"),
        ("loop", {"total_s": 1.0, "wall_s": 0.5}, "too_slow", "more than 0.5 s"),
        ("pages 100 0.3", {"total_s": 1.0}, "too_slow", r"more than 1 s, and came to \d of 100"),
        ("pages 2 0.9", {"wall_s": 0.5}, "too_slow", "more than 0.5 s"),
        ("work 100 0.3", {"total_s": 1.0, "cpu_s": 1}, "too_slow", "more than 1 s"),
        ("tell [1,2];[1,2]", {}, "parser_crashed", "progress that is none"),
        ("tell [2,1]", {}, "parser_crashed", "progress that is none"),
        ("tell [0,9]", {}, "parser_crashed", "progress that is none"),
        ("tell [1,9];[2,8]", {}, "parser_crashed", "progress that is none"),
        ("tell [-1,9]", {}, "parser_crashed", "no progress"),
        ('tell {"done":1}', {}, "parser_crashed", "no progress"),
        (f"tell [1,{'9' * 90}]", {}, "parser_crashed", "too much of its progress"),
        ("kinds 2", {}, "parser_crashed", "what it was not asked"),
        ("flood", {}, "parser_crashed", "progress without end"),
        ("babble", {}, "parser_crashed", "what it was not asked"),
        ("foretell hello", {}, "parser_crashed", "what it was not asked"),
    ],
)
async def test_what_goes_wrong_ends_that_document_alone(told, words, limits, code, reason):
    async with opened(EVIL, **limits) as pool:
        await told(pool, "echo before")
        began = time.monotonic()

        with pytest.raises(Unsupported, match=reason) as raised:
            await told(pool, words)
        took = time.monotonic() - began
        after = await told(pool, "echo after")

    assert (raised.value.code, after) == (code, "after")
    assert took < 60


@pytest.mark.parametrize(
    ("words", "limits"), [("pages 8 0.3", {"wall_s": 2.0}), ("work 12 0.2", {"cpu_s": 1})]
)
async def test_a_long_document_may_go_on_as_long_as_it_gets_on(told, words, limits):
    async with opened(EVIL, **limits) as pool:
        for tries_left in range(4, -1, -1):
            try:
                found = await told(pool, words)
                break
            except Unsupported:  # as it should be, where the machine has paused
                if not tries_left:
                    raise

    assert found == "read"


async def test_progress_is_told_a_few_times_a_second_and_at_the_end(evil, tmp_path):
    file = tmp_path / "file"
    file.write_text("pages 200 0.005")
    steps = []
    await evil.isolation()
    began = time.monotonic()

    await evil.parse(file, "text/plain", progress=lambda *step: steps.append(step))
    took = time.monotonic() - began

    assert steps == sorted(set(steps))
    assert steps[-1] == (200, 200)
    assert 3 <= len(steps) <= 2 + took / STEP_S


@pytest.mark.parametrize("lie", ["heading", "order", "page", "nul", "title"])
async def test_an_answer_is_not_believed_unseen(told, lie):
    async with opened("tests.contracts.evil:Liar") as pool:
        with pytest.raises(Unsupported, match="answered") as raised:
            await told(pool, lie)

    assert raised.value.code == "parser_crashed"


async def test_an_answer_without_end_is_not_read_to_its_end(told):
    async with opened(EVIL, max_text_chars=-(15 << 20) // 4) as pool:  # a limit of 1 MB
        pool._order = replace(ORDER, registry=EVIL, max_text_chars=1 << 30)

        with pytest.raises(Unsupported) as raised:
            await told(pool, "long 2000000")

    assert raised.value.code == "too_much_text"


async def test_other_documents_are_not_affected(told):
    async with opened(EVIL, processes=2) as pool:
        words = ["echo 1", "segfault", "echo 2", "exit 0", "echo 3", "allocate", "echo 4"]

        found = await asyncio.gather(*(told(pool, one) for one in words), return_exceptions=True)

    assert [one for one in found if isinstance(one, str)] == ["1", "2", "3", "4"]
    assert [one.code for one in found if isinstance(one, Unsupported)] == [
        "parser_crashed",
        "parser_crashed",
        "too_much_memory",
    ]


async def test_one_that_dies_between_documents_fails_none(evil, told):
    await told(evil, "echo 1")
    (pid,) = pids(evil)
    os.kill(pid, signal.SIGKILL)
    await until(lambda: not alive(pid))

    assert await told(evil, "echo 2") == "2"


async def test_a_document_over_which_one_was_killed_is_read_by_another(evil, told, monkeypatch):
    asked = cells_that_are_asked(monkeypatch)
    for _ in range(5):  # it may have been read before the kill
        asked.clear()
        reading = asyncio.create_task(told(evil, "slow 0.5"))
        await until(lambda: asked)
        await asyncio.sleep(0.2)

        os.kill(asked[0].pid, signal.SIGKILL)

        assert await reading == "slow 0.5"
        if len(asked) == 2:
            break
        await until(lambda: not alive(asked[0].pid))
    assert len(asked) == 2


async def test_one_over_which_every_process_is_killed_is_to_blame(evil, told, monkeypatch):
    asked = cells_that_are_asked(monkeypatch)
    reading = asyncio.create_task(told(evil, "slow 60"))
    for number in range(TRIES):
        await until(lambda number=number: len(asked) > number)
        await asyncio.sleep(0.1)
        os.kill(asked[number].pid, signal.SIGKILL)

    with pytest.raises(Unsupported) as raised:
        await reading

    assert raised.value.code == "too_much_memory"
    assert await told(evil, "echo 2") == "2"


def cells_that_are_asked(monkeypatch):
    asked = []
    ask = Cell._ask

    def asking(self, *given):
        asked.append(self)
        return ask(self, *given)

    monkeypatch.setattr(Cell, "_ask", asking)
    return asked


async def test_one_that_has_read_so_many_documents_is_replaced(told):
    async with opened(EVIL, recycle_after=2) as pool:
        seen = []
        for number in range(4):
            await told(pool, f"echo {number}")
            await until(lambda: all(task.done() for task in pool._starting))
            pool._idle += [task.result() for task in pool._starting]
            pool._starting.clear()
            seen += pids(pool)

    assert len(set(seen)) == 3


async def test_one_that_has_grown_is_replaced(told):
    async with opened(EVIL, recycle_bytes=1) as pool:
        await told(pool, "echo 1")

        assert pids(pool) == []


async def test_cancelling_kills_the_work(evil, told):
    await evil.isolation()
    (pid,) = pids(evil)
    parsing = asyncio.create_task(told(evil, "loop"))
    await asyncio.sleep(0.2)

    parsing.cancel()
    await asyncio.gather(parsing, return_exceptions=True)

    assert parsing.cancelled()
    assert not alive(pid)
    assert await told(evil, "echo after") == "after"


async def test_closing_leaves_no_process(told):
    async with opened(EVIL, processes=3) as pool:
        pool.warm()
        await told(pool, "echo 1")
        await until(lambda: all(task.done() for task in pool._starting))
        running = [*pids(pool), *(task.result().pid for task in pool._starting)]
        assert all(map(alive, running))

    assert len(running) == 3
    assert not any(map(alive, running))


async def test_closing_at_once_leaves_no_process():
    async with opened(EVIL, processes=3) as pool:
        pool.warm()
        await asyncio.sleep(0.02)
    await until(lambda: not _children())

    assert _children() == []


def _children():
    path = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    words = (Path(f"/proc/{one}/cmdline") for one in path.read_text().split())
    return [one for one in words if b"adapters.parser.child" in one.read_bytes()]


PARENT = """
import asyncio, os, sys
from pathlib import Path
from adapters.parser.limits import Limits
from adapters.parser.frames import Order
from adapters.parser.sandbox import open_sandbox
from orchestrator.ports.parser import Isolation

async def main():
    order = Order(os.getpid(), 300_000_000, 64, 5, 1000, "tests.contracts.evil:Evil")
    limits = Limits(60, 60.0, 60.0, 1000, 100, 1 << 30)
    async with open_sandbox(order, limits, processes=2, minimum=Isolation.LIMITS) as pool:
        await asyncio.gather(pool.isolation(), pool.isolation())
        print(*(cell.pid for cell in pool._idle), flush=True)
        await pool.parse(Path(sys.argv[1]), "text/plain")

asyncio.run(main())
"""


def test_none_outlives_a_parent_that_is_killed(tmp_path):
    file = tmp_path / "file"
    file.write_text("loop")
    root = Path(__file__).parents[2]
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, file], cwd=root, stdout=subprocess.PIPE, text=True
    )
    with parent:
        running = [int(pid) for pid in parent.stdout.readline().split()]
        assert all(map(alive, running))

        parent.kill()

    assert len(running) == 2
    asyncio.run(until(lambda: not any(map(alive, running))))


async def test_parsers_that_cannot_be_loaded_are_unavailable_with_the_reason(told):
    async with opened("tests.contracts.evil:Missing") as pool:
        await pool.ping()

        with pytest.raises(Unavailable, match="no module named 'something'"):
            await told(pool, "echo 1")
        with pytest.raises(Unavailable, match="no module named 'something'"):
            await pool.ping()


async def test_without_an_interpreter_nothing_can_be_parsed(told, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    async with opened(EVIL) as pool:
        with pytest.raises(Unavailable, match="No such file"):
            await told(pool, "echo 1")


async def test_a_file_that_is_gone_is_unavailable(evil, tmp_path):
    with pytest.raises(Unavailable, match="No such file"):
        await evil.parse(tmp_path / "gone", "text/plain")


async def test_a_kernel_that_offers_too_little_refuses_the_start(monkeypatch):
    monkeypatch.setattr(sandbox, "reachable", lambda: Isolation.LIMITS)

    with pytest.raises(Misconfigured) as raised:
        async with opened(minimum=Isolation.PARTIAL):
            pass

    assert "parsing.minimum_isolation is 'partial'" in raised.value.detail


async def test_a_process_that_reached_too_little_is_not_used(told, monkeypatch):
    pool = ParserSandbox(replace(ORDER, registry=EVIL), LIMITS, processes=1, minimum=Isolation.FULL)
    started = sandbox.start

    async def lesser(order):
        cell = await started(order)
        cell.isolation = Isolation.PARTIAL
        return cell

    monkeypatch.setattr(sandbox, "start", lesser)
    with pytest.raises(Unavailable, match="minimum_isolation is 'full'"):
        await told(pool, "echo 1")
    await pool.close()
