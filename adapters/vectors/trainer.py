"""Training in another process, from the side of the one that answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Final

from adapters.vectors.training import Order, Outcome

ROOT: Final = Path(__file__).resolve().parents[2]


async def carried_out(order: Order) -> Outcome:
    """Let another process do it; it ends when this one does, or when this is cancelled.

    Raises:
        RuntimeError: when it failed.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        "adapters.vectors.training",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=_environment(),
        start_new_session=True,
    )
    assert process.stdin
    assert process.stdout
    assert process.stderr
    try:
        process.stdin.write(json.dumps(asdict(order)).encode() + b"\n")
        told, complaint = await asyncio.gather(process.stdout.read(), process.stderr.read())
        if await process.wait():
            raise RuntimeError(complaint.decode(errors="replace")[-500:])
        return Outcome(**json.loads(told))
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _environment() -> dict[str, str]:
    """This process's own; the packages are those of this process, wherever it was started."""
    further = os.environ.get("PYTHONPATH")
    paths = [str(ROOT), *([further] if further else [])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
