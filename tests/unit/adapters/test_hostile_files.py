"""Files made to do harm are refused with a reason, before they are unpacked."""

from __future__ import annotations

import io
import stat
import zipfile

import pytest

from adapters.parser.archive import UNSAFE, Archive, Budget
from adapters.parser.package import DOCX, XLSX
from adapters.parser.registry import ParserRegistry
from adapters.parser.zip import ZIP
from orchestrator.domain.errors import Unsupported
from tests import files

SECRET = "the-secret-of-another-file"
PARTS = "word/document.xml"


@pytest.fixture
def registry() -> ParserRegistry:
    return ParserRegistry()


def refused(registry: ParserRegistry, content: bytes, kind: str) -> Unsupported:
    with pytest.raises(Unsupported) as raised:
        registry.read(content, kind)
    return raised.value


def test_a_flat_bomb_is_refused_by_its_ratio(registry):
    bomb = files.zipped({"zeros.txt": bytes(20 << 20)})

    error = refused(registry, bomb, ZIP)

    assert error.code == UNSAFE
    assert "'zeros.txt'" in error.detail


def test_many_small_entries_may_not_unpack_to_more_than_the_limit():
    budget = Budget(bytes=1000)

    with pytest.raises(Unsupported, match="unpacks to more"):
        Archive(files.zipped({f"{n}.txt": bytes(400) for n in range(3)}), budget)


def test_a_bomb_within_an_archive_refuses_the_whole(registry):
    bomb = files.zipped({"zeros.txt": bytes(20 << 20)})
    outer = files.zipped({"fine.txt": "Fine.", "inner.zip": bomb})

    assert refused(registry, outer, ZIP).code == UNSAFE


def test_a_bomb_in_word_is_refused(registry):
    bomb = files.replaced(files.word(), "word/media/image.png", bytes(20 << 20))

    assert refused(registry, bomb, DOCX).code == UNSAFE


@pytest.mark.parametrize(("depth", "readable"), [(5, True), (6, False)])
def test_archives_nest_to_a_depth_of_five(registry, depth, readable):
    content = files.zipped({"rule.txt": "Refunds are paid."})
    for _ in range(depth - 1):
        content = files.zipped({"inner.zip": content})

    if readable:
        assert "Refunds are paid." in registry.read(content, ZIP).text
    else:
        assert "nests deeper" in refused(registry, content, ZIP).detail


def test_an_archive_with_too_many_entries_is_refused(registry):
    content = files.zipped({f"{n}.txt": b"" for n in range(10_001)}, zipfile.ZIP_STORED)

    assert "entries" in refused(registry, content, ZIP).detail


@pytest.mark.parametrize(
    "name", ["../up.txt", "a/../../up.txt", "/etc/up.txt", "C:up.txt", "..\\up.txt"]
)
def test_a_path_that_leads_out_of_the_archive_refuses_it(registry, name):
    error = refused(registry, files.zipped({"fine.txt": "Fine.", name: "Harm."}), ZIP)

    assert error.code == UNSAFE
    assert "leads out" in error.detail


@pytest.mark.parametrize("declared", [10, 100])
def test_an_entry_that_is_longer_than_it_declares_is_not_read(registry, declared):
    content = files.lying("long.txt", b"x" * 70_000, declared)

    assert "long.txt" in refused(registry, content, ZIP).detail


def test_entries_that_overlap_are_refused():
    content = files.zipped({"a.txt": "one", "b.txt": "two"}, zipfile.ZIP_STORED)
    first = content.index(b"PK\x01\x02")
    second = content.index(b"PK\x01\x02", first + 1)
    same = content[: second + 42] + content[first + 42 : first + 46] + content[second + 46 :]

    with pytest.raises(Unsupported, match="overlap"):
        Archive(same)


def test_links_and_encrypted_entries_are_skipped_and_named(registry):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("fine.txt", "Fine.")
        link = zipfile.ZipInfo("link.txt")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("locked.txt", "Locked.")
    content = bytearray(out.getvalue())
    content[content.rindex(b"PK\x01\x02") + 8] |= 1

    parsed = registry.read(bytes(content), ZIP)

    assert parsed.text == "fine.txt\n\nFine."
    assert parsed.warnings == (
        "entry 'link.txt' was skipped: it is a link",
        "entry 'locked.txt' was skipped: it is encrypted",
    )


def test_what_nothing_reads_in_an_archive_is_a_warning(registry):
    parsed = registry.read(files.zipped({"x.exe": b"MZ\x00\x01", "a/b.md": "# Rules\n\nOne."}), ZIP)

    assert [(one.level, one.text) for one in parsed.headings] == [(1, "a/b.md"), (2, "Rules")]
    assert len(parsed.warnings) == 1
    assert parsed.warnings[0].startswith("entry 'x.exe' was skipped: ")


def test_an_archive_of_nothing_that_is_read_is_unsupported(registry):
    assert "x.exe" in refused(registry, files.zipped({"x.exe": b"MZ\x00\x01"}), ZIP).detail


def test_a_billion_laughs_in_word_are_refused(registry):
    word = files.word()
    bomb = files.replaced(word, PARTS, files.laughing(files.part(word, PARTS)))

    error = refused(registry, bomb, DOCX)

    assert error.code == "unsafe_xml"
    assert PARTS in error.detail


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_word_may_not_reach_out_for_another_file(registry, tmp_path, encoding):
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET)
    word = files.word()
    xml = files.reaching_out(files.part(word, PARTS), secret.as_uri()).decode()
    xml = xml.replace("encoding='UTF-8'", f"encoding='{encoding.upper()}'")

    error = refused(registry, files.replaced(word, PARTS, xml.encode(encoding)), DOCX)

    assert error.code == "unsafe_xml"
    assert SECRET not in error.detail


def test_excel_may_not_declare_entities(registry):
    book = files.workbook()
    sheet = "xl/worksheets/sheet1.xml"
    xml = b"<!DOCTYPE x [<!ENTITY a 'b'>]>" + files.part(book, sheet)

    assert refused(registry, files.replaced(book, sheet, xml), XLSX).code == "unsafe_xml"


def test_properties_that_are_no_text_are_a_warning(registry):
    core = files.part(files.word(), "docProps/core.xml").replace(b"Ada", b"\xff\xfe\xc3(")
    parsed = registry.read(files.replaced(files.word(), "docProps/core.xml", core), DOCX)

    assert "Hotels" in parsed.text
    assert "properties could not be read" in parsed.warnings[0]


def test_script_in_a_title_is_plain_text(registry):
    title = "<script>alert(1)</script>"
    core = files.part(files.word(), "docProps/core.xml")
    escaped = core.replace(b"Travel policy", b"&lt;script&gt;alert(1)&lt;/script&gt;")

    assert (
        registry.read(files.replaced(files.word(), "docProps/core.xml", escaped), DOCX).title
        == title
    )
    assert registry.read(files.pdf(title=title), "application/pdf").title == title


def test_an_office_file_is_read_as_what_it_is(registry):
    for kind in (DOCX, ZIP):
        assert registry.read(files.workbook({"Prices": [["Oslo", 90]]}), kind).text == (
            "Prices\n\n| Oslo | 90 |"
        )


def test_a_zip_file_named_as_word_is_refused(registry):
    assert "not one of Word" in refused(registry, files.zipped({"a.txt": "a"}), DOCX).detail


def test_an_encrypted_pdf_is_unsupported(registry):
    error = refused(registry, files.pdf(encrypt="secret"), "application/pdf")

    assert error.code == "encrypted"


@pytest.mark.parametrize("content", [b"%PDF-1.7\n", b"%PDF-1.7\n" + bytes(range(256)) * 40])
def test_a_broken_pdf_is_unsupported(registry, content):
    assert refused(registry, content, "application/pdf").code == "broken_file"


def test_a_pdf_that_is_also_an_archive_is_a_pdf(registry):
    both = files.pdf([("Read this.",)]) + files.zipped({"never.txt": "Never read this."})
    kind = registry.sniff(both[:4096], "both.zip")

    parsed = registry.read(both, kind)

    assert kind == "application/pdf"
    assert "Read this." in parsed.text
    assert "Never" not in parsed.text


def test_a_content_that_unpacks_without_end_shows_no_text(registry):
    bomb = files.flate_bomb(32 << 20)

    assert len(bomb) < 1 << 16
    assert refused(registry, bomb, "application/pdf").code == "no_text_layer"


@pytest.mark.parametrize(
    ("name", "what"),
    [("a.doc", "Word"), ("a.xls", "Excel"), ("a.ppt", "PowerPoint"), ("a.docx", "encrypted")],
)
def test_old_office_files_are_refused_by_name(registry, name, what):
    with pytest.raises(Unsupported, match=what):
        registry.sniff(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), name)


@pytest.mark.parametrize("share", range(1, 10))
def test_a_file_cut_short_is_refused_with_a_reason(registry, share):
    for kind, content in ((DOCX, files.word()), (XLSX, files.workbook()), (ZIP, files.slides())):
        error = refused(registry, content[: len(content) * share // 10], kind)

        assert error.code == "broken_file"
