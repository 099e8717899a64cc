"""A scripted model server as a process of its own, and clients that read streams or leave them."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import sys
import time
from typing import Any

import httpx

from tests.builders import free_port
from tests.live.processes import Served, wait_for

PATIENT = {"FIRST_TOKEN_S": "300", "IDLE_S": "300", "PARALLEL": "1000", "BREAKER_OPEN_S": "0.2"}


class ModelServer:
    """A scripted model server that can be killed, and started again at the same place."""

    def __init__(self) -> None:
        self.port = free_port()
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=120)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def options(self) -> dict[str, str]:
        """Settings of a service that asks it, and has patience."""
        chosen = {"KIND": "openai", "MODEL": "tiny", "BASE_URL": f"http://127.0.0.1:{self.port}/v1"}
        named = {f"RAG_GENERATOR__{name}": text for name, text in {**PATIENT, **chosen}.items()}
        return {**named, "RAG_CACHE__KIND": "none", "RAG_HTTP__TIMEOUT_S": "200"}

    def start(self) -> None:
        """Start, and wait until it answers."""
        command = [sys.executable, "-m", "tests.completions", "--port", str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)

        def answers() -> bool:
            try:
                return self._http.get("/health").status_code == 200
            except httpx.TransportError:
                return False

        wait_for(answers, "the model server did not start")

    def says(self, **script: Any) -> None:
        """What it says to whoever asks from now on."""
        self._http.post("/script", json=script).raise_for_status()

    def counts(self) -> dict[str, int]:
        """What it has seen."""
        counts: dict[str, int] = self._http.get("/counts").json()
        return counts

    def kill(self) -> None:
        """End it without a farewell."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """End it for good."""
        self.kill()
        self._http.close()


class Reader:
    """One client and its stream: what came of it so far, and when it ended."""

    def __init__(self) -> None:
        self._came = b""
        self.ended = 0.0
        self._task: asyncio.Task[None] | None = None

    async def ask(self, served: Served, question: str, *, reads: bool = True) -> Reader:
        """Ask, and read on; or read nothing at all."""
        plain = socket.socket()
        plain.setblocking(False)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << (16 if reads else 12))
        url = served.http.base_url
        await asyncio.get_running_loop().sock_connect(plain, (url.host, url.port))
        self._reader, self._writer = await asyncio.open_connection(sock=plain, limit=1 << 12)
        body = json.dumps({"query": question, "stream": True})
        head = "POST /v1/query HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        more = f"connection: close\r\ncontent-length: {len(body)}\r\n\r\n"
        self._writer.write((head + more + body).encode())
        if reads:
            self._task = asyncio.create_task(self._read())
        return self

    async def _read(self) -> None:
        while some := await self._reader.read(1 << 16):
            self._came += some
        self.ended = time.monotonic()
        self._writer.close()

    async def done(self) -> Reader:
        """Read to the end."""
        assert self._task
        await self._task
        return self

    def leave(self) -> None:
        """Go at once, in the middle."""
        if self._task:
            self._task.cancel()
        self._writer.transport.abort()

    @property
    def events(self) -> list[tuple[str, Any]]:
        """All events so far, by their names."""
        found = re.findall(r"event: (\w+)\ndata: (.*)\n\n", self._plain)
        return [(name, json.loads(data)) for name, data in found]

    @property
    def began(self) -> bool:
        """Whether a word of an answer was shown."""
        return b"event: token" in self._came

    @property
    def text(self) -> str:
        """What was shown."""
        return "".join(data["text"] for name, data in self.events if name == "token")

    @property
    def _plain(self) -> str:
        """The body, without the lengths of its pieces: each is one event."""
        body = self._came.partition(b"\r\n\r\n")[2].decode()
        return re.sub(r"(?:\r\n|^)[0-9a-f]+\r\n", "", body)
