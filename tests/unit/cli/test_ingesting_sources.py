"""What `rag ingest` takes besides files and folders: globs, archives and manifests."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile

import pytest

from tests.unit.cli.conftest import one_json, told

pytestmark = pytest.mark.usefixtures("empty")

NOTES = {
    "docs/refunds.md": b"Refunds are paid within 7 days.",
    "docs/deep/lunch.txt": b"Lunch is at noon.",
    "docs/deep/plan.png": b"\x89PNG\r\n\x1a\n",
    "docs/.hidden/secret.txt": b"Nobody sees this.",
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The process stands where the documents are."""
    for name, content in NOTES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def listed(rag, *words):
    hits = one_json(rag("search", "refunds lunch paid noon", "--json", *words))["hits"]
    return {one["source_id"] for one in hits}


def zipped(path, contents):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)


def tarred(path, contents, mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        for name, content in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def test_a_glob_takes_what_it_matches_by_its_path(rag, place):
    summary = one_json(rag("ingest", "docs/**/*.txt", "docs/*.md", "--json"))

    assert summary["indexed"] == 2
    assert listed(rag) == {"docs/refunds.md", "docs/deep/lunch.txt"}


def test_a_glob_may_be_absolute(rag, place):
    assert one_json(rag("ingest", f"{place}/docs/*.md", "--json"))["indexed"] == 1
    assert listed(rag) == {f"{place}/docs/refunds.md"}


def test_a_glob_of_everything_skips_what_no_parser_reads(rag, place):
    summary = one_json(rag("ingest", "docs/**", "--json"))

    assert summary["indexed"] == 2
    assert summary["skipped"] == {"docs/deep/plan.png": "no parser reads '.png' files"}
    assert summary["failed"] == {}


def test_a_glob_that_matches_nothing_is_wrong_usage(rag, place):
    result = rag("ingest", "docs/*.md", "docs/*.pdf")

    assert result.exit_code == 2
    assert told(result) == "error: 'docs/*.pdf' matches no file"
    assert rag("search", "refunds").exit_code != 0


def test_a_file_whose_name_looks_like_a_glob_is_that_file(rag, place):
    (place / "[a]*.txt").write_text("Refunds are paid.")

    assert one_json(rag("ingest", "[a]*.txt", "--json"))["indexed"] == 1


@pytest.mark.parametrize(("name", "pack"), [("a.zip", zipped), ("a.tar.gz", tarred)])
def test_an_archives_entries_are_documents_of_their_own(rag, place, name, pack):
    pack(place / name, NOTES)

    summary = one_json(rag("ingest", name, "--json"))
    again = one_json(rag("ingest", f"./{name}", "--json"))

    assert (summary["indexed"], again["unchanged"]) == (2, 2)
    assert summary["skipped"].keys() == {f"{name}/docs/deep/plan.png"}
    assert listed(rag) == {f"{name}/docs/refunds.md", f"{name}/docs/deep/lunch.txt"}


def test_an_archive_can_be_kept_whole(rag, place):
    zipped(place / "a.zip", NOTES)

    assert one_json(rag("ingest", "a.zip", "--whole", "--json"))["indexed"] == 1
    assert listed(rag) == {"a.zip"}


def test_an_archive_in_a_folder_is_one_document(rag, place):
    zipped(place / "docs" / "a.zip", {"x.txt": b"Refunds are paid."})

    rag("ingest", "docs")

    assert listed(rag) == {"a.zip", "refunds.md", "deep/lunch.txt"}


@pytest.mark.parametrize(("name", "pack"), [("a.zip", zipped), ("a.tgz", tarred)])
def test_a_hostile_entry_fails_alone_and_nothing_is_written(rag, place, name, pack):
    pack(place / name, {"../evil.txt": b"Evil.", "/tmp/evil.md": b"Evil.", "x.txt": b"Refunds."})
    before = set(place.parent.rglob("*"))

    summary = one_json(rag("ingest", name, "--json"))

    assert summary["indexed"] == 1
    assert summary["failed"].keys() == {f"{name}/../evil.txt", f"{name}//tmp/evil.md"}
    assert not [one for one in set(place.parent.rglob("*")) - before if one.name.startswith("evil")]


def test_a_link_in_an_archive_is_not_followed(rag, place):
    with tarfile.open(place / "a.tar", "w") as archive:
        link = tarfile.TarInfo("link.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)

    summary = one_json(rag("ingest", "a.tar", "--json"))

    assert summary["failed"] == {"a.tar/link.txt": "it is a link"}


def test_a_path_that_an_archive_holds_twice_is_told(rag, place):
    tarred(place / "a.tgz", {"x.txt": b"Refunds are paid.", "./x.txt": b"They are not."})

    summary = one_json(rag("ingest", "a.tgz", "--json"))

    assert summary["indexed"] == 1
    assert summary["failed"].keys() == {"a.tgz/x.txt (again)"}


@pytest.mark.parametrize("name", ["a.zip", "a.tgz"])
def test_an_archive_that_is_none_fails_and_hinders_no_other(rag, place, name):
    (place / name).write_bytes(b"This is no archive." * 100)

    summary = one_json(rag("ingest", name, "docs", "--json"))

    assert summary["indexed"] == 2
    assert "is broken" in summary["failed"][name]


def test_an_archive_within_is_one_document(rag, place):
    inner = io.BytesIO()
    zipped(inner, {"x.txt": b"Refunds are paid."})
    zipped(place / "a.zip", {"inner.zip": inner.getvalue()})

    assert one_json(rag("ingest", "a.zip", "--json"))["indexed"] == 1
    assert listed(rag) == {"a.zip/inner.zip"}


ITEMS = [
    {"path": "docs/refunds.md", "title": "Refunds", "metadata": {"year": 2026}},
    {"path": "docs/deep/lunch.txt", "source_id": "canteen/lunch", "acl": ["staff"]},
]


@pytest.mark.parametrize(
    "text",
    [json.dumps(ITEMS, indent=2), "\n".join(json.dumps(one) for one in ITEMS) + "\n\n"],
    ids=["array", "lines"],
)
def test_a_manifest_names_files_relative_to_its_folder(rag, place, monkeypatch, text):
    (place / "manifest.json").write_text(text)
    monkeypatch.chdir("/")

    summary = one_json(rag("ingest", "--manifest", place / "manifest.json", "--json"))

    (hit,) = one_json(rag("search", "refunds lunch", "--json"))["hits"]
    assert summary["indexed"] == 2
    assert (hit["source_id"], hit["title"]) == ("docs/refunds.md", "Refunds")


def test_a_manifests_missing_file_fails_alone(rag, place):
    (place / "m.jsonl").write_text('{"path": "docs/refunds.md"}\n{"path": "no.md"}\n')

    summary = one_json(rag("ingest", "--manifest", "m.jsonl", "--json"))

    assert summary["indexed"] == 1
    assert summary["failed"] == {"no.md": "there is no such file"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"path": "docs/refunds.md"}\n{"pth": "x"}', "line 2: pth: Extra inputs"),
        ('[{"path": 7}]', "0.path: Input should be a valid string"),
        ("- path: x", "line 1: Invalid JSON"),
        ("[]", "names nothing"),
        ("{}", "every item needs a path"),
        ('{"url": "https://example.com/a.md"}', "POST /v1/documents:batch"),
        ('{"path": "https://example.com/a.md"}', "POST /v1/documents:batch"),
        (
            '[{"path": "docs/refunds.md", "source_id": "x"}, {"path": "m", "source_id": "x"}]',
            "would both be 'x'",
        ),
        (
            '{"path": "docs/refunds.md"}\n{"path": "docs/refunds.md", "acl": ["staff"]}',
            "two different things are said of 'docs/refunds.md'",
        ),
    ],
)
def test_a_manifest_with_a_fault_is_refused_before_any_is_ingested(rag, place, text, reason):
    (place / "m").write_text(text)

    result = rag("ingest", "--manifest", "m")

    assert result.exit_code == 2
    assert reason in told(result)
    assert rag("search", "refunds").exit_code != 0


def test_groups_and_metadata_are_those_of_every_file(rag, place, monkeypatch):
    words = ("--acl", "staff", "--acl", "everyone", "--metadata", "year=2026")
    rag("ingest", "docs", *words, "--metadata", "tag=a", "--metadata", "tag=b")
    rag("ingest", "docs/refunds.md", "--acl", "staff")

    assert listed(rag) == {"refunds.md", "deep/lunch.txt"}


def test_metadata_that_is_no_pair_is_wrong_usage(rag, place):
    result = rag("ingest", "docs", "--metadata", "year")

    assert result.exit_code == 2
    assert "'year' is not of the form key=value" in told(result)


def test_nothing_at_all_is_wrong_usage(rag):
    result = rag("ingest")

    assert result.exit_code == 2
    assert "--manifest" in result.stderr
