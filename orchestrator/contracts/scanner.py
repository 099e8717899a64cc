"""The promises of a `Scanner`."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

import asyncio
from pathlib import Path

from orchestrator.ports.scanner import Scanner

HARMFUL = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
"""The text that every scanner reports, and that harms nobody."""


class ScannerContract:
    """Needs the fixture `scanner`."""

    async def test_a_clean_file_is_clean(self, scanner: Scanner, tmp_path: Path) -> None:
        assert await scanner.scan(_file(tmp_path, b"Refunds are paid.")) is None

    async def test_an_empty_file_is_clean(self, scanner: Scanner, tmp_path: Path) -> None:
        assert await scanner.scan(_file(tmp_path, b"")) is None

    async def test_a_large_file_is_scanned_to_its_end(
        self, scanner: Scanner, tmp_path: Path
    ) -> None:
        assert await scanner.scan(_file(tmp_path, bytes(5_000_000))) is None

    async def test_several_files_can_be_scanned_at_once(
        self, scanner: Scanner, tmp_path: Path
    ) -> None:
        files = [_file(tmp_path, b"%d" % number) for number in range(8)]

        assert await asyncio.gather(*map(scanner.scan, files)) == [None] * 8

    async def test_what_is_harmful_is_named(self, scanner: Scanner, tmp_path: Path) -> None:
        found = await scanner.scan(_file(tmp_path, HARMFUL))

        assert found
        assert "eicar" in found.casefold()

    async def test_what_is_harmful_is_found_at_the_end_too(
        self, scanner: Scanner, tmp_path: Path
    ) -> None:
        assert await scanner.scan(_file(tmp_path, bytes(3_000_000) + HARMFUL))


def _file(folder: Path, content: bytes) -> Path:
    path = folder / f"{len(list(folder.iterdir()))}.bin"
    path.write_bytes(content)
    return path
