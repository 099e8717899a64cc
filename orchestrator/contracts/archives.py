"""The promises of `Archives`."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

import io
import random
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from orchestrator.domain.errors import Unsupported
from orchestrator.ports.archives import Archives

FILES: Mapping[str, bytes] = {
    "refunds.md": b"Refunds are paid within 7 days.",
    "notes/empty.txt": b"",
    "notes/caf\N{LATIN SMALL LETTER E WITH ACUTE}.txt": b"Lunch is at noon.",
    "notes/long.txt": bytes(range(256)) * 1500,
    f"{'deep/' * 30}end.txt": b"Here it ends.",
}
Pack = Callable[[Mapping[str, bytes]], Path]


class ArchivesContract:
    """Needs the fixtures `archives`, and `pack`: files by path to an archive.

    The limits are 20 entries of 1 MB at most, and 3 MB together.
    """

    def test_every_file_is_found_in_order_with_its_size(
        self, archives: Archives, pack: Pack
    ) -> None:
        found = [(one.path, one.size, one.refusal) for one in archives.walk(pack(FILES))]

        assert found == [(path, len(content), None) for path, content in FILES.items()]

    def test_every_file_is_copied_whole(self, archives: Archives, pack: Pack) -> None:
        assert _copies(archives, pack(FILES)) == FILES

    def test_some_may_be_passed_by(self, archives: Archives, pack: Pack) -> None:
        into = io.BytesIO()

        for entry in archives.walk(pack(FILES)):
            if entry.path == "notes/long.txt":
                entry.copy(into)

        assert into.getvalue() == FILES["notes/long.txt"]

    def test_an_empty_archive_holds_nothing(self, archives: Archives, pack: Pack) -> None:
        assert list(archives.walk(pack({}))) == []

    @pytest.mark.parametrize("path", ["/etc/evil.txt", "../evil.txt", "a/../../evil.txt"])
    def test_a_path_that_leads_out_is_refused_alone(
        self, archives: Archives, pack: Pack, path: str
    ) -> None:
        good, evil = archives.walk(pack({"good.txt": b"Good.", path: b"Evil."}))

        assert good.refusal is None
        assert evil.refusal
        assert "leads out of it" in evil.refusal

    def test_what_is_refused_is_not_copied(self, archives: Archives, pack: Pack) -> None:
        into = io.BytesIO()

        with pytest.raises(Unsupported, match="leads out"):
            next(iter(archives.walk(pack({"../evil.txt": b"Evil."})))).copy(into)

        assert into.getvalue() == b""

    def test_a_file_that_is_too_large_is_refused_alone(
        self, archives: Archives, pack: Pack
    ) -> None:
        noise = random.Random(1).randbytes((1 << 20) + 1)  # noqa: S311  # no secret
        large, small = archives.walk(pack({"large.txt": noise, "small.txt": b"Small."}))

        assert large.refusal == "it is larger than 1 MB"
        assert small.refusal is None

    def test_too_many_files_are_refused(self, archives: Archives, pack: Pack) -> None:
        packed = pack({f"{number}.txt": b"Text." for number in range(21)})

        with pytest.raises(Unsupported, match="more than 20 files"):
            list(archives.walk(packed))

    def test_too_many_bytes_are_refused(self, archives: Archives, pack: Pack) -> None:
        packed = pack({f"{number}.txt": bytes(999_999) for number in range(4)})

        with pytest.raises(Unsupported, match="more than 3 MB"):
            list(archives.walk(packed))

    def test_what_is_no_archive_is_refused(self, archives: Archives, tmp_path: Path) -> None:
        path = tmp_path / "no.archive"
        path.write_bytes(b"This is no archive. " * 100)

        with pytest.raises(Unsupported, match="is broken"):
            list(archives.walk(path))

    def test_an_archive_that_was_cut_off_is_refused(self, archives: Archives, pack: Pack) -> None:
        packed = pack(FILES)
        content = packed.read_bytes()
        packed.write_bytes(content[: len(content) * 2 // 3])

        with pytest.raises(Unsupported, match="is broken"):
            _copies(archives, packed)

    def test_one_that_is_not_there_is_an_error(self, archives: Archives, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            list(archives.walk(tmp_path / "nothing"))


def _copies(archives: Archives, packed: Path) -> dict[str, bytes]:
    copies = {}
    for entry in archives.walk(packed):
        into = io.BytesIO()
        entry.copy(into)
        copies[entry.path] = into.getvalue()
    return copies
