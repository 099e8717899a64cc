"""The folders of indexes: erased is only what has gone from the disk."""

from __future__ import annotations

import asyncio
import os

import pytest

from adapters.folders import IndexFolders


@pytest.mark.parametrize("second", ["prune", "drop"])
async def test_what_another_call_is_still_erasing_does_not_count_as_erased(tmp_path, second):
    folder = tmp_path / "uid" / "g1"
    folder.mkdir(parents=True)
    for number in range(2_000):
        (folder / str(number)).touch()
    folders = IndexFolders(tmp_path)

    async def left_after(step):
        await getattr(folders, step)("uid")
        return sum(len(files) for _, _, files in os.walk(tmp_path))

    assert await asyncio.gather(left_after("prune"), left_after(second)) == [0, 0]
