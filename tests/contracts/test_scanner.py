"""Virus scanners: none, and clamd as a fake of it speaks on the wire."""

from __future__ import annotations

import asyncio
import struct
from contextlib import asynccontextmanager

import pytest

from adapters.scanner.clamd import ClamdScanner
from adapters.scanner.none import NoScanner
from orchestrator.contracts.scanner import HARMFUL, ScannerContract
from orchestrator.domain.errors import Unavailable, Unsupported
from tests.builders import free_port

TIMEOUT_S = 60.0


class Clamd:
    """Speaks INSTREAM and PING; `reply` is what it says instead, `most` what it takes of a file.

    `scanned`, `pieces` and `pings` are what it was asked.
    """

    def __init__(self):
        self.scanned, self.pieces = [], []
        self.pings = 0
        self.reply = None
        self.most = 10_000_000
        self.silent = False

    async def serve(self, reader, writer):
        command = await reader.readuntil(b"\0")
        if self.silent:
            await reader.read()
        elif command == b"zPING\0":
            self.pings += 1
            writer.write((self.reply or b"PONG") + b"\0")
        elif command == b"zINSTREAM\0":
            writer.write(await self._scan(reader) + b"\0")
        writer.close()

    async def _scan(self, reader):
        content = b""
        while length := struct.unpack(">I", await reader.readexactly(4))[0]:
            self.pieces.append(length)
            content += await reader.readexactly(length)
            if len(content) > self.most:
                return b"INSTREAM size limit exceeded. ERROR"
        self.scanned.append(content)
        if self.reply:
            return self.reply
        return b"stream: Win.Test.EICAR_HDB-1 FOUND" if HARMFUL in content else b"stream: OK"


@asynccontextmanager
async def listening(clamd, start, *where, **options):
    server = await start(clamd.serve, *where, **options)
    async with server:
        yield server


@pytest.fixture
async def clamd():
    return Clamd()


@pytest.fixture
async def scanner(clamd):
    async with listening(clamd, asyncio.start_server, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield ClamdScanner(host="127.0.0.1", port=port, timeout_s=TIMEOUT_S)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"Refunds are paid." * 50_000)
    return path


class TestClamdScanner(ScannerContract):
    @pytest.fixture
    async def scanner(self, scanner):
        return scanner


class TestClamdScannerOverASocketFile(ScannerContract):
    @pytest.fixture
    async def scanner(self, clamd, tmp_path_factory):
        path = tmp_path_factory.mktemp("clamd") / "clamd.sock"
        async with listening(clamd, asyncio.start_unix_server, path):
            yield ClamdScanner(host="", port=1, socket=path, timeout_s=TIMEOUT_S)


class TestNoScanner(ScannerContract):
    @pytest.fixture
    def scanner(self):
        return NoScanner()

    @pytest.mark.xfail(strict=True, raises=AssertionError, reason="it never looks")
    async def test_what_is_harmful_is_named(self, scanner, tmp_path):
        await super().test_what_is_harmful_is_named(scanner, tmp_path)

    @pytest.mark.xfail(strict=True, raises=AssertionError, reason="it never looks")
    async def test_what_is_harmful_is_found_at_the_end_too(self, scanner, tmp_path):
        await super().test_what_is_harmful_is_found_at_the_end_too(scanner, tmp_path)


async def test_the_whole_file_is_sent_in_pieces(scanner, clamd, file):
    await scanner.scan(file)

    assert clamd.scanned == [file.read_bytes()]
    assert len(clamd.pieces) > 1


async def test_clamd_that_runs_answers_a_ping(scanner, clamd):
    await scanner.ping()

    assert clamd.pings == 1


async def test_clamd_that_answers_something_else_is_unavailable(scanner, clamd):
    clamd.reply = b"NO"

    with pytest.raises(Unavailable, match="'NO'"):
        await scanner.ping()


async def test_clamd_that_does_not_run_is_unavailable(file):
    scanner = ClamdScanner(host="127.0.0.1", port=free_port(), timeout_s=TIMEOUT_S)

    for asked in (scanner.ping(), scanner.scan(file)):
        with pytest.raises(Unavailable, match="clamd"):
            await asked


async def test_clamd_that_hangs_is_unavailable(clamd, file):
    clamd.silent = True

    async with listening(clamd, asyncio.start_server, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        scanner = ClamdScanner(host="127.0.0.1", port=port, timeout_s=0.5)
        for asked in (scanner.ping(), scanner.scan(file)):
            with pytest.raises(Unavailable, match=r"no answer within 0\.5 s"):
                await asked


async def test_a_file_that_clamd_does_not_take_is_not_clean(scanner, clamd, file):
    clamd.most = 200_000

    with pytest.raises(Unsupported) as raised:
        await scanner.scan(file)

    assert "size limit" in raised.value.detail
    assert raised.value.code == "not_scanned"


@pytest.mark.parametrize("reply", [b"stream: Can't allocate memory ERROR", b"OK then", b""])
async def test_an_answer_that_is_no_verdict_is_not_clean(scanner, clamd, file, reply):
    clamd.reply = reply or b" "

    with pytest.raises(Unsupported) as raised:
        await scanner.scan(file)

    assert raised.value.code == "not_scanned"
