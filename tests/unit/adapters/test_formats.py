"""What is kept of a PDF, a presentation and a workbook beyond the words."""

from __future__ import annotations

import time
from datetime import date, datetime

import pytest

from adapters.parser.builder import TextBuilder
from adapters.parser.layout import Layout, Line, Page
from adapters.parser.package import DOCX, PPTX, XLSX
from adapters.parser.registry import ParserRegistry
from adapters.parser.table import Cell, spread
from orchestrator.domain.errors import Unsupported
from tests import files

PDF = "application/pdf"


@pytest.fixture
def registry() -> ParserRegistry:
    return ParserRegistry()


def laid_out(*pages: list[str]) -> str:
    lines = [Page([Line(text, 10, 700 - 12 * n) for n, text in enumerate(page)]) for page in pages]
    builder = TextBuilder()
    Layout(lines, []).write(builder)
    return builder.build().text


def test_pages_begin_where_their_text_does(registry):
    parsed = registry.read(files.pdf([("One.",), ("Two.",), ("Three.",)]), PDF)

    starts = [parsed.text[start:].split("\n")[0] for start in parsed.pages]
    assert starts == ["Travel policy", "Two.", "Three."]


def test_a_pdf_says_who_wrote_it_and_when(registry):
    parsed = registry.read(files.pdf(), PDF)

    assert parsed.properties["author"] == "Ada"
    assert datetime.fromisoformat(parsed.properties["created"])


def test_pages_without_text_are_named(registry):
    pages = [("One.",), (), ("Two.",), (), (), ("Three.",)]

    assert registry.read(files.pdf(pages), PDF).warnings == (
        "page 2 has no text layer",
        "pages 4-5 have no text layer",
    )


def test_a_pdf_without_text_needs_ocr(registry):
    with pytest.raises(Unsupported, match="no text layer on any of its 2 pages") as raised:
        registry.read(files.pdf([(), ()], title=None), PDF)

    assert raised.value.code == "no_text_layer"


def test_a_pdf_without_text_says_which_pages_are_scans_and_which_are_blank(registry):
    blank = files.pdf_of(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R 4 0 R 3 0 R 4 0 R 4 0 R] /Count 5 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents 5 0 R >>",
        b"<< /Length 14 >>\nstream\n0 0 99 99 re f\nendstream",
    )

    with pytest.raises(Unsupported) as raised:
        registry.read(blank, PDF)

    assert raised.value.detail == (
        "the PDF has no text layer on any of its 5 pages (page 2 has no text layer; "
        "pages 4-5 have no text layer): a scan needs OCR, which is not done here"
    )


def test_what_is_filled_into_a_form_stands_on_its_page(registry):
    parsed = registry.read(files.form(), PDF)

    assert parsed.text.split("\n") == [
        *("Application", "", "- Family name: Lovelace", "- Accepts the terms: Yes"),
        *("- Class: second", "- City: Oslo", "- Languages: de", "", "Second page"),
    ]
    assert parsed.text[parsed.pages[1] :] == "Second page"


def test_a_form_alone_is_text_too(registry):
    assert registry.read(files.form(words=False), PDF).text.startswith("- Family name: Lovelace")


def test_a_password_in_a_form_is_not_read(registry):
    assert b"sesame" in files.form()
    assert "sesame" not in registry.read(files.form(), PDF).text


def test_a_header_is_read_once_and_page_numbers_never(registry):
    pages = [
        ("ACME handbook", f"Rule {chr(65 + n)} holds.", f"Page {n + 1} of 6") for n in range(6)
    ]

    text = registry.read(files.pdf(pages, title=None), PDF).text

    assert text.count("ACME handbook") == 1
    assert all(f"Rule {letter} holds." in text for letter in "ABCDEF")
    assert text.count("Page ") <= 1


def test_a_heading_that_counts_as_the_pages_do_is_no_header():
    body = [Line("A line of the body, in small letters.", 10, 600 - 12 * n) for n in range(9)]
    pages = [Page([Line(f"Section {n + 1}", 20, 700), *body]) for n in range(5)]
    builder = TextBuilder()

    Layout(pages, []).write(builder)

    headings = [one.text for one in builder.build().headings]
    assert headings == [f"Section {n + 1}" for n in range(5)]


def test_words_that_a_line_broke_are_whole_again():
    assert "The delivery is free" in laid_out(["The deliv\ufffeery is free"])
    assert "well-known" in laid_out(["A well-known rule", "is a well\ufffeknown one"])
    assert "efficient" in laid_out(["eﬃcient"])


def test_a_line_without_end_takes_no_time_without_end():
    began = time.monotonic()

    laid_out(["x" * 300_000])

    assert time.monotonic() - began < 5


def test_slides_are_pages_with_titles_notes_and_tables(registry):
    parsed = registry.read(files.slides(), PPTX)

    assert [one.text for one in parsed.headings] == ["Travel policy", "Rule 1", "Rule 2", "Rule 3"]
    assert len(parsed.pages) == 4
    assert "Note 2" in parsed.text
    assert "| Genève | 180 |" in parsed.text
    assert parsed.properties["author"] == "Grace"


def test_sheets_are_pages_with_the_values_of_their_cells(registry):
    rows = {"Prices": [["City", "EUR", "From"], ["Oslo", 90.0, date(2026, 3, 1)]], "More": [[True]]}

    parsed = registry.read(files.workbook(rows), XLSX)

    assert (
        parsed.text
        == "Prices\n\n| City | EUR | From |\n| Oslo | 90 | 2026-03-01 |\n\nMore\n\n| TRUE |"
    )
    assert [parsed.text[start:][:4] for start in parsed.pages] == ["Pric", "More"]
    assert parsed.title is None


def test_word_says_who_wrote_it(registry):
    assert registry.read(files.word(), DOCX).properties["author"] == "Ada"


def test_what_spans_rows_and_columns_is_said_in_each():
    rows = [[Cell("2026", rows=2), Cell("May")], [Cell("June")], [Cell("both", columns=2)]]

    assert list(spread(rows)) == [["2026", "May"], ["2026", "June"], ["both", "both"]]


def test_a_long_text_is_said_once_however_much_it_spans():
    assert list(spread([[Cell("long " * 100, columns=3)]])) == [["long " * 100, "", ""]]
