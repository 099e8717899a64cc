"""The promises of a `Parser`, of one that keeps titles, structure or encodings, and of all."""

# ruff: noqa: D102  # a test's name is its documentation

from __future__ import annotations

import zipfile
from itertools import pairwise
from pathlib import Path

import pytest

from orchestrator.domain.errors import Unsupported
from orchestrator.ports.parser import Parser, Parsers

TITLE = "Travel policy"
PARAGRAPHS = (
    "Hotels cost up to 140 EUR a night.",
    "Zürich and Genève cost more.",
    "Receipts are due within 30 days.",
)
HEADINGS = ((1, "Travel policy"), (2, "Hotels"), (3, "Prices & cities"), (2, "Receipts"))
ROWS = ("| City | EUR |", "| Oslo | 90 |", "| Genève | 180 |")

OPEN_XML = "application/vnd.openxmlformats-officedocument"
NOISE = bytes(range(256)) * 8
BINARIES = {
    "image/png": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + NOISE,
    "image/jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" + NOISE,
    "rtf": b"{\\rtf1\\ansi Refunds are paid.}",
    "Office file": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + NOISE,
    "zip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + NOISE,
    "a binary file": b"\x7fELF\x02\x01\x01" + bytes(64),
}


class ParserContract:
    """Needs `parser`, and `sample`: a file of its format that has `PARAGRAPHS`."""

    def test_the_media_types_it_reads_are_named(self, parser: Parser) -> None:
        assert parser.media_types
        assert all(len(one.split("/")) == 2 for one in parser.media_types)

    def test_every_paragraph_is_kept_whole_and_in_order(
        self, parser: Parser, sample: bytes
    ) -> None:
        parsed = parser.parse(sample)

        places = [parsed.text.find(paragraph) for paragraph in PARAGRAPHS]
        assert places == sorted(places)
        assert places[0] >= 0

    def test_headings_stand_in_the_text_where_they_say(self, parser: Parser, sample: bytes) -> None:
        parsed = parser.parse(sample)

        for heading in parsed.headings:
            assert parsed.text[heading.start :].startswith(heading.text)

    def test_headings_and_pages_ascend(self, parser: Parser, sample: bytes) -> None:
        parsed = parser.parse(sample)

        starts = [heading.start for heading in parsed.headings]
        assert all(first < second for first, second in pairwise(starts))
        assert all(first <= second for first, second in pairwise(parsed.pages))
        assert all(0 <= start <= len(parsed.text) for start in parsed.pages)

    def test_the_same_bytes_give_the_same_text(self, parser: Parser, sample: bytes) -> None:
        assert parser.parse(sample) == parser.parse(sample)

    def test_the_text_is_plain(self, parser: Parser, sample: bytes) -> None:
        text = parser.parse(sample).text

        assert text == text.strip()
        assert not {"\r", "\0", "\ufeff"} & set(text)

    @pytest.mark.parametrize("what", ["image/png", "image/jpeg", "zip"])
    def test_bytes_of_another_kind_are_unsupported(self, parser: Parser, what: str) -> None:
        with pytest.raises(Unsupported):
            parser.parse(BINARIES[what])


class TitledParserContract(ParserContract):
    """Needs `parser`, and `sample`: `TITLE` as title and heading, then `PARAGRAPHS`."""

    def test_the_title_is_found(self, parser: Parser, sample: bytes) -> None:
        parsed = parser.parse(sample)

        assert parsed.title == TITLE

    def test_there_are_headings(self, parser: Parser, sample: bytes) -> None:
        assert TITLE in {heading.text for heading in parser.parse(sample).headings}


class StructuredParserContract(TitledParserContract):
    """Needs `parser`, and `sample`: `HEADINGS`, `PARAGRAPHS` below the last three, and `ROWS`.

    The rows are a table's, after the second paragraph.
    """

    def test_headings_keep_their_levels(self, parser: Parser, sample: bytes) -> None:
        parsed = parser.parse(sample)

        assert tuple((heading.level, heading.text) for heading in parsed.headings) == HEADINGS

    def test_a_section_begins_with_its_heading_on_a_line_of_its_own(
        self, parser: Parser, sample: bytes
    ) -> None:
        parsed = parser.parse(sample)

        lines = parsed.text.split("\n")
        assert [line for line in lines if line in dict.fromkeys(text for _, text in HEADINGS)] == [
            text for _, text in HEADINGS
        ]
        starts = [heading.start for heading in parsed.headings][1:]
        places = [parsed.text.index(paragraph) for paragraph in PARAGRAPHS]
        assert all(start < place for start, place in zip(starts, places, strict=True))
        assert all(place < start for place, start in zip(places, starts[1:], strict=False))

    def test_a_table_is_kept_row_by_row(self, parser: Parser, sample: bytes) -> None:
        parsed = parser.parse(sample)

        rows = [line for line in parsed.text.split("\n") if line.startswith("|")]
        assert tuple(rows) == ROWS


class EncodingContract:
    """Needs `parser`, of a kind of text, and `written`: a text of that kind, as a string."""

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
    def test_unicode_is_read_with_or_without_its_mark(
        self, parser: Parser, written: str, encoding: str
    ) -> None:
        parsed = parser.parse(written.encode(encoding))

        assert parsed == parser.parse(written.encode())
        assert PARAGRAPHS[1] in parsed.text

    @pytest.mark.parametrize("mark", ["utf-16-le", "utf-16-be"])
    def test_either_order_of_bytes_is_read(self, parser: Parser, written: str, mark: str) -> None:
        parsed = parser.parse(f"\ufeff{written}".encode(mark))

        assert parsed == parser.parse(written.encode())

    @pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
    def test_western_encodings_are_recognised(
        self, parser: Parser, written: str, encoding: str
    ) -> None:
        parsed = parser.parse(written.encode(encoding))

        assert parsed == parser.parse(written.encode())

    @pytest.mark.parametrize("line_end", ["\r\n", "\r"])
    def test_every_line_end_is_one(self, parser: Parser, written: str, line_end: str) -> None:
        parsed = parser.parse(written.replace("\n", line_end).encode())

        assert parsed == parser.parse(written.encode())

    def test_letters_and_their_accents_are_one_character(
        self, parser: Parser, written: str
    ) -> None:
        parsed = parser.parse(written.replace("ü", "u\u0308").replace("è", "e\u0300").encode())

        assert parsed == parser.parse(written.encode())


class ParsersContract:
    """Needs the fixture `parsers`, which reads text, Office files, PDF and archives of them."""

    @pytest.mark.parametrize(
        ("content", "filename", "media_type"),
        [
            (b"Refunds are paid.", "refunds.txt", "text/plain"),
            (b"Refunds are paid.", "refunds", "text/plain"),
            (b"Refunds are paid.", "refunds.docx", "text/plain"),
            (b"# Refunds", "refunds.md", "text/markdown"),
            (b"# Refunds", "REFUNDS.MD", "text/markdown"),
            (b"<p>Refunds are paid.", "refunds.html", "text/html"),
            (b"<!DOCTYPE html><p>Refunds", "refunds.txt", "text/html"),
            (b"\xef\xbb\xbf<!doctype html><p>Refunds", "refunds.txt", "text/html"),
            (b"  <!-- a page -->\n<html lang=en>", "refunds.md", "text/html"),
            ("Rückgabe".encode("utf-16"), "refunds.txt", "text/plain"),
            (b"city,price", "prices.csv", "text/csv"),
            (b"city\tprice", "prices.TSV", "text/tab-separated-values"),
            (b'{"city": "Oslo"}', "prices.json", "application/json"),
            (b'{"city": "Oslo"}', "prices.jsonl", "application/json"),
            (b"%PDF-1.7\n", "refunds.txt", "application/pdf"),
            (b"\n%PDF-1.7\n", "refunds.pdf", "application/pdf"),
            (b"PK\x03\x04", "refunds.docx", f"{OPEN_XML}.wordprocessingml.document"),
            (b"PK\x03\x04", "refunds.pptx", f"{OPEN_XML}.presentationml.presentation"),
            (b"PK\x03\x04", "refunds.xlsx", f"{OPEN_XML}.spreadsheetml.sheet"),
            (b"PK\x03\x04", "refunds.zip", "application/zip"),
            (b"PK\x03\x04", "refunds.pdf", "application/zip"),
        ],
    )
    def test_the_bytes_decide_and_the_name_tells_relatives_apart(
        self, parsers: Parsers, content: bytes, filename: str, media_type: str
    ) -> None:
        assert parsers.sniff(content, filename) == media_type

    @pytest.mark.parametrize("filename", ["file.txt", "file.md", "file.html", "file"])
    @pytest.mark.parametrize("what", BINARIES)
    def test_what_no_parser_reads_is_refused_and_named(
        self, parsers: Parsers, what: str, filename: str
    ) -> None:
        with pytest.raises(Unsupported) as raised:
            parsers.sniff(BINARIES[what], filename)

        assert what in raised.value.detail
        assert filename in raised.value.detail

    @pytest.mark.parametrize("content", [b"", b" \n\t \r\n"])
    def test_a_file_without_text_is_refused(self, parsers: Parsers, content: bytes) -> None:
        with pytest.raises(Unsupported):
            parsers.sniff(content, "empty.txt")

    @pytest.mark.parametrize(
        ("media_type", "text"),
        [
            ("text/plain", "# Refunds <b>are</b>"),
            ("text/markdown", "Refunds are"),
            ("text/html", "# Refunds are"),
        ],
    )
    async def test_the_parser_of_the_media_type_reads_the_text(
        self, parsers: Parsers, tmp_path: Path, media_type: str, text: str
    ) -> None:
        file = tmp_path / "file"
        file.write_bytes(b"# Refunds <b>are</b>")

        assert (await parsers.parse(file, media_type)).text == text

    async def test_progress_leads_to_the_end(self, parsers: Parsers, tmp_path: Path) -> None:
        file = tmp_path / "file"
        with zipfile.ZipFile(file, "w") as archive:
            for name in ("one.txt", "two.txt", "three.txt"):
                archive.writestr(name, "Refunds are paid.")
        steps: list[tuple[int, int]] = []

        await parsers.parse(
            file, "application/zip", progress=lambda done, total: steps.append((done, total))
        )

        assert steps[-1] == (3, 3)
        assert steps == sorted(set(steps))

    async def test_a_media_type_that_no_parser_reads_is_unsupported(
        self, parsers: Parsers, tmp_path: Path
    ) -> None:
        file = tmp_path / "file"
        file.write_bytes(b"text")

        with pytest.raises(Unsupported, match="image/png"):
            await parsers.parse(file, "image/png")
