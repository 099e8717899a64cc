"""Queues hand each job to one worker at a time, and lose none."""

from __future__ import annotations

import asyncio
import sys
from contextlib import closing
from pathlib import Path

import pytest

from adapters.presence import Presence
from adapters.queue.local import LocalQueue
from orchestrator.contracts.claims import LONG_S
from orchestrator.contracts.queue import QueueContract
from orchestrator.domain.errors import Unavailable

CLAIMANT = """
import asyncio, sys
from pathlib import Path
from adapters.catalog.sqlite import open_sqlite
from adapters.presence import Presence
from adapters.queue.local import LocalQueue

async def claim(path):
    async with open_sqlite(path) as database:
        queue = LocalQueue(database, Presence(path.parent / "workers"))
        print(len(await queue.claim("another", limit=1, seconds=600)), flush=True)
        await asyncio.sleep(60)

asyncio.run(claim(Path(sys.argv[1])))
"""


class TestLocalQueue(QueueContract):
    async def test_jobs_come_oldest_first(self, queue, clerk):
        ids = await clerk.hand_in_many(5)

        first = await queue.claim("a", limit=2, seconds=LONG_S)
        second = await queue.claim("a", limit=2, seconds=LONG_S)

        assert [job.document_id for job in [*first, *second]] == ids[:4]

    async def test_what_a_killed_process_held_can_be_claimed_at_once_and_not_before(
        self, queue, clerk, path
    ):
        document = (await clerk.hand_in()).document
        claimant = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CLAIMANT, str(path), stdout=asyncio.subprocess.PIPE
        )
        claimed = await claimant.stdout.readline()
        before = await queue.claim("b", limit=1, seconds=LONG_S)
        claimant.kill()
        await claimant.wait()

        jobs = await queue.claim("b", limit=1, seconds=LONG_S)

        assert (claimed, before) == (b"1\n", [])
        assert [job.document_id for job in jobs] == [document.id]

    async def test_what_a_worker_of_a_closed_queue_held_can_be_claimed_at_once(
        self, queue, clerk, database, tmp_path
    ):
        await clerk.hand_in()
        with closing(Presence(tmp_path / "workers")) as presence:
            await LocalQueue(database, presence).claim("a", limit=1, seconds=LONG_S)
            before = await queue.claim("b", limit=1, seconds=LONG_S)

        jobs = await queue.claim("b", limit=1, seconds=LONG_S)

        assert (before, len(jobs)) == ([], 1)


def test_who_has_departed_is_known_until_forgotten(tmp_path: Path):
    with closing(Presence(tmp_path)) as mine, closing(Presence(tmp_path)) as other:
        mine.enter("a")
        other.enter("b")
        living = mine.departed() + other.departed()
        other.close()

        assert (living, mine.departed()) == ([], ["b"])

        mine.forget("b")

        assert mine.departed() == []


def test_a_folder_that_cannot_be_written_is_unavailable(tmp_path: Path):
    (tmp_path / "workers").write_text("a file")

    with pytest.raises(Unavailable, match="the queue"):
        Presence(tmp_path / "workers").enter("a")
