"""Archives: zip and tar files, and what a hostile one tries."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import tracemalloc
import zipfile

import pytest

from adapters.archives.limits import Limits
from adapters.archives.tar import HEADER_BYTES, TarArchives
from adapters.archives.zip import ZipArchives
from orchestrator.contracts.archives import ArchivesContract
from orchestrator.domain.errors import Unsupported
from tests import files

LIMITS = Limits(entry_bytes=1 << 20, entries=20, bytes=3 << 20)


def tarred(contents, mode="w"):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as tar:
        for path, content in contents.items():
            info = tarfile.TarInfo(path)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return packed.getvalue()


class TestZip(ArchivesContract):
    @pytest.fixture
    def archives(self):
        return ZipArchives(LIMITS)

    @pytest.fixture
    def pack(self, tmp_path):
        def packed(contents):
            path = tmp_path / "packed.zip"
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, content in contents.items():
                    archive.writestr(name, content)
            return path

        return packed


class TestTar(ArchivesContract):
    @pytest.fixture(params=["w", "w:gz"])
    def pack(self, tmp_path, request):
        def packed(contents):
            path = tmp_path / "packed.tar"
            path.write_bytes(tarred(contents, request.param))
            return path

        return packed

    @pytest.fixture
    def archives(self):
        return TarArchives(LIMITS)


@pytest.fixture
def written(tmp_path):
    def write(content):
        path = tmp_path / "written"
        path.write_bytes(content)
        return path

    return write


def refusals(archives, path):
    return {entry.path: entry.refusal for entry in archives.walk(path)}


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (tarfile.SYMTYPE, "it is a link"),
        (tarfile.LNKTYPE, "it is a link"),
        (tarfile.CHRTYPE, "it is no file"),
        (tarfile.FIFOTYPE, "it is no file"),
    ],
)
def test_a_tar_files_links_and_devices_are_refused_alone(written, kind, reason):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        odd = tarfile.TarInfo("odd.txt")
        odd.type, odd.linkname = kind, "/etc/passwd"
        tar.addfile(odd)
        tar.addfile(tarfile.TarInfo("good.txt"), io.BytesIO())

    found = refusals(TarArchives(LIMITS), written(packed.getvalue()))

    assert found == {"odd.txt": reason, "good.txt": None}


@pytest.mark.parametrize(
    ("kind", "reason"), [(stat.S_IFLNK, "it is a link"), (stat.S_IFCHR, "it is no file")]
)
def test_a_zip_files_links_and_devices_are_refused_alone(written, kind, reason):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        odd = zipfile.ZipInfo("odd.txt")
        odd.external_attr = (kind | 0o644) << 16
        archive.writestr(odd, "/etc/passwd")
        archive.writestr("good.txt", "Good.")

    found = refusals(ZipArchives(LIMITS), written(packed.getvalue()))

    assert found == {"odd.txt": reason, "good.txt": None}


def test_an_entry_that_swells_is_refused_alone(written):
    limits = Limits(entry_bytes=1 << 30)
    content = files.zipped({"bomb.txt": bytes(50_000_000), "good.txt": b"Good."})

    found = refusals(ZipArchives(limits), written(content))

    assert "250 times its size" in found["bomb.txt"]
    assert found["good.txt"] is None


def test_a_zip_entry_that_lies_about_its_size_is_not_copied_further(written):
    content = bytearray(files.zipped({"lie.txt": bytes(100_000)}))
    at = content.index(b"PK\x01\x02")
    content[at + 24 : at + 28] = (10).to_bytes(4, "little")
    into = io.BytesIO()

    with pytest.raises(Unsupported):
        next(ZipArchives(LIMITS).walk(written(bytes(content)))).copy(into)

    assert len(into.getvalue()) <= 10


def test_entries_that_share_their_bytes_are_refused_but_for_the_first(written):
    content = bytearray(files.zipped({"a.txt": b"The same.", "b.txt": b"The same."}))
    second = content.index(b"PK\x01\x02", content.index(b"PK\x01\x02") + 1)
    content[second + 42 : second + 46] = (0).to_bytes(4, "little")

    found = refusals(ZipArchives(LIMITS), written(bytes(content)))

    assert found == {"a.txt": None, "b.txt": "its bytes are those of another, too"}


def test_a_tar_bomb_is_refused_by_its_ratio(written):
    limits = Limits(entry_bytes=1 << 30)
    content = tarred({"bomb.txt": bytes(50_000_000)}, "w:gz")

    with pytest.raises(Unsupported, match="250 times its size"):
        refusals(TarArchives(limits), written(content))


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_of_a_gigabyte_is_not_read_into_memory(written, kind):
    header = tarfile.TarInfo("header")
    header.type, header.size = kind, 1 << 30
    packed = gzip.compress(header.tobuf(tarfile.GNU_FORMAT) + bytes(2_000_000))
    tracemalloc.start()

    with pytest.raises(Unsupported, match="says too much"):
        refusals(TarArchives(LIMITS), written(packed))

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50 * HEADER_BYTES


def test_a_zip_files_list_is_read_up_to_a_limit(written):
    packed = bytearray(files.zipped({"a.txt": b"Text."}))
    at = packed.index(b"PK\x01\x02")
    ends = packed.index(b"PK\x05\x06")
    packed[ends:ends] = bytes(17 << 20)
    ends += 17 << 20
    packed[ends + 12 : ends + 16] = (ends - at).to_bytes(4, "little")

    with pytest.raises(Unsupported, match="list of files is too long"):
        refusals(ZipArchives(LIMITS), written(bytes(packed)))


def test_a_tar_file_that_is_damaged_in_the_middle_is_not_taken_for_a_short_one(written):
    content = bytearray(tarred({"a.txt": b"First.", "b.txt": b"Second.", "c.txt": b"Third."}))
    content[1024:1536] = b"\xff" * 512

    with pytest.raises(Unsupported, match="ends in the middle"):
        refusals(TarArchives(LIMITS), written(bytes(content)))


def test_a_size_below_zero_does_no_harm(written):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("a.txt")
        info.pax_headers = {"size": "-4096"}
        tar.addfile(info)

    with pytest.raises(Unsupported):
        refusals(TarArchives(LIMITS), written(content.getvalue()))
