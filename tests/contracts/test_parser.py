"""Every parser keeps the promises of all, and those of its kind."""

from __future__ import annotations

import json

import pytest

from adapters.parser.csv import CsvParser
from adapters.parser.html import HtmlParser
from adapters.parser.json import JsonParser
from adapters.parser.markdown import MarkdownParser
from adapters.parser.office import OfficeParser
from adapters.parser.pdf import PdfParser
from adapters.parser.registry import ParserRegistry
from adapters.parser.text import TextParser
from adapters.parser.zip import ZipParser
from orchestrator.contracts.parser import (
    PARAGRAPHS,
    EncodingContract,
    ParserContract,
    ParsersContract,
    StructuredParserContract,
    TitledParserContract,
)
from orchestrator.domain.errors import Unsupported
from tests import files

TEXT = """\
Travel policy

Hotels cost up to 140 EUR a night.

Zürich and Genève cost more.
Receipts are due within 30 days.
"""

MARKDOWN = """\
---
title: Travel policy
owner: [Ada, Grace]
---

# Travel *policy*

Hotels
------

Hotels cost up to **140 EUR** a night.

### Prices &amp; cities

[Zürich](https://example.org) and `Genève`
cost more.

City   | EUR
-------|----
Oslo   | 90
Genève | 180

## Receipts ##

> Receipts are due within 30 days.
"""

HTML = """\
<!DOCTYPE html>
<html>
<head>
  <title>Travel
    policy</title>
  <style>p { color: red }</style>
  <script>var text = "<p>never read</p>";</script>
</head>
<body>
<nav><ul><li><a href="/">Never read</a></li></ul></nav>
<header><h1>Travel <em>policy</em></h1></header>
<main>
<h2>Hotels</h2>
<p>Hotels cost up to
   <b>140</b>&nbsp;EUR a night.</p>
<h3>Prices &amp; cities</h3>
<p>Z&uuml;rich and Genève <!-- never read --> cost more.
<table>
  <thead><tr><th>City</th><th>EUR</th></tr></thead>
  <tbody><tr><td>Oslo</td><td>90</td></tr>
  <tr><td><a href="/geneva">Genève</a></td><td><p>180</p></td></tr></tbody>
</table>
<h2>Receipts</h2>
<div>Receipts are due within <span>30 days</span>.<script>never.read()</script></div>
</main>
<aside>Never read</aside><footer>Never read</footer>
</body>
</html>
"""


class TestTextParser(TitledParserContract, EncodingContract):
    @pytest.fixture
    def parser(self) -> TextParser:
        return TextParser()

    @pytest.fixture
    def written(self) -> str:
        return TEXT

    @pytest.fixture
    def sample(self, written: str) -> bytes:
        return written.encode()

    def test_the_text_stays_as_it_is(self, parser, sample):
        assert parser.parse(sample).text == TEXT.strip()

    @pytest.mark.parametrize(
        "text", ["A line.\nAnother.", "One line only", f"{'long ' * 40}\nAnother.", "a,\nb"]
    )
    def test_a_first_line_that_is_a_sentence_is_no_title(self, parser, text):
        parsed = parser.parse(text.encode())

        assert (parsed.title, parsed.headings) == (None, ())
        assert parsed.text == text.rstrip()

    @pytest.mark.parametrize(
        "text",
        [
            "Büro Zürich",
            "Café déjà vu, à bientôt.",
            "Größe: 7 m²",
            "El niño llega mañana",
            "Überweisung an das Büro in Zürich bis 31. März",
        ],
    )
    def test_short_western_texts_are_recognised(self, parser, text):
        assert parser.parse(text.encode("latin-1")).text == text


class TestMarkdownParser(StructuredParserContract, EncodingContract):
    @pytest.fixture
    def parser(self) -> MarkdownParser:
        return MarkdownParser()

    @pytest.fixture
    def written(self) -> str:
        return MARKDOWN

    @pytest.fixture
    def sample(self, written: str) -> bytes:
        return written.encode()

    def test_nothing_is_left_of_the_markup(self, parser, sample):
        text = parser.parse(sample).text

        for mark in ("**", "`", "](", "---", "&amp;", "##", "> ", "owner"):
            assert mark not in text

    def test_lists_keep_their_marks_and_their_depth(self, parser):
        written = "- one\n- two\n  - three\n\n1. first\n2. second\n"

        text = parser.parse(written.encode()).text

        assert text.split() == "- one - two - three 1. first 2. second".split()
        assert "\n  - three\n" in text

    def test_code_is_kept_and_its_comments_are_no_headings(self, parser):
        parsed = parser.parse(b"```python\n# a comment\nx = [1]\n```\n")

        assert (parsed.text, parsed.headings) == ("# a comment\nx = [1]", ())

    def test_html_within_is_read_as_html(self, parser):
        written = b"<div>Read <b>this</b></div>\n\n<script>never()</script>\n\n<nav>never</nav>\n"

        assert parser.parse(written).text == "Read this"

    def test_what_was_escaped_is_kept(self, parser):
        assert parser.parse(rb"2 \* 3 \[1\] &lt;b&gt;").text == "2 * 3 [1] <b>"

    def test_front_matter_that_is_broken_is_no_text_and_no_error(self, parser):
        parsed = parser.parse(b"---\ntitle: [broken\n---\n\n# Refunds\n\nText.\n")

        assert (parsed.title, parsed.text) == ("Refunds", "Refunds\n\nText.")


class TestHtmlParser(StructuredParserContract, EncodingContract):
    @pytest.fixture
    def parser(self) -> HtmlParser:
        return HtmlParser()

    @pytest.fixture
    def written(self) -> str:
        return HTML

    @pytest.fixture
    def sample(self, written: str) -> bytes:
        return written.encode()

    def test_scripts_styles_menus_and_comments_are_not_read(self, parser, sample):
        text = parser.parse(sample).text.casefold()

        assert "never" not in text
        assert "color" not in text

    def test_lists_keep_their_items(self, parser):
        parsed = parser.parse(b"<ul><li>one</li><li>two <b>bold</b></li></ul>")

        assert parsed.text == "- one\n- two bold"

    def test_white_space_is_kept_in_preformatted_text_alone(self, parser):
        parsed = parser.parse(b"<p>a   b\n c</p><pre>a   b\n  c</pre>")

        assert parsed.text == "a b c\n\na   b\n  c"

    def test_paragraphs_need_no_closing_tag(self, parser):
        assert parser.parse(b"<p>one<p>two<br>three").text == "one\n\ntwo\nthree"

    def test_a_bar_within_a_cell_parts_no_cells(self, parser):
        parsed = parser.parse(b"<table><tr><td>a | b</td><td>c</td></tr></table>")

        assert parsed.text.count("|") == 3

    def test_the_caption_of_a_table_is_read(self, parser):
        page = b"<table><caption>Prices of 2026</caption><tr><td>Oslo</td></tr></table>"

        assert "Prices of 2026" in parser.parse(page).text

    def test_a_table_within_a_table_is_read_once(self, parser):
        inner = "<table><tr><td>inner</td></tr></table>"
        page = f"<table><tr><td>outer {inner}</td></tr></table>"

        text = parser.parse(page.encode()).text

        assert (text.count("outer"), text.count("inner")) == (1, 1)

    def test_a_page_that_nests_deeply_is_read(self, parser):
        page = b"<div>" * 3000 + b"<p>deep</p>" + b"</div>" * 3000

        assert parser.parse(page).text == "deep"

    @pytest.mark.parametrize(
        ("encoding", "text"),
        [
            ("windows-1252", "Genève: 5 €"),
            ("iso-8859-2", "Łódź, Kraków"),
            ("shift_jis", "返金は7日以内に支払われます。"),
        ],
    )
    def test_the_encoding_that_a_page_declares_is_its_own(self, parser, encoding, text):
        page = f'<!doctype html><meta charset="{encoding}"><p>{text}</p>'

        assert parser.parse(page.encode(encoding)).text == text


class TestCsvParser(ParserContract, EncodingContract):
    @pytest.fixture
    def parser(self) -> CsvParser:
        return CsvParser()

    @pytest.fixture
    def written(self) -> str:
        return "rule,text\n" + "".join(f'{n},"{one}"\n' for n, one in enumerate(PARAGRAPHS))

    @pytest.fixture
    def sample(self, written: str) -> bytes:
        return written.encode()

    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    def test_the_delimiter_is_found(self, parser, delimiter):
        rows = [["City", "Price"], ["Oslo", "90.5"], ["Bern", "180,0" if delimiter != "," else "1"]]

        parsed = parser.parse("\n".join(delimiter.join(row) for row in rows).encode())

        assert parsed.text.split("\n") == [f"| {a} | {b} |" for a, b in rows]

    def test_a_line_break_within_quotes_parts_no_rows(self, parser):
        parsed = parser.parse(b'a,b\n"one\ntwo",three\n')

        assert parsed.text == "| a | b |\n| one two | three |"


class TestJsonParser(ParserContract):
    @pytest.fixture
    def parser(self) -> JsonParser:
        return JsonParser()

    @pytest.fixture
    def sample(self) -> bytes:
        first, *others = PARAGRAPHS
        return json.dumps({"hotels": first, "more": {"rules": others}}).encode()

    def test_values_stand_under_their_paths(self, parser):
        written = (
            b'{"title": "Prices", "valid": true, "for": {"cities": ["Oslo", "Bern"], "no": 0}}'
        )

        parsed = parser.parse(written)

        assert parsed.title == "Prices"
        assert parsed.text.split("\n\n") == [
            "title: Prices\nvalid: true",
            "for.no: 0",
            "for.cities: Oslo, Bern",
        ]

    def test_like_objects_are_a_table(self, parser):
        written = b'{"rows": [{"city": "Oslo", "eur": 90}, {"city": "Bern", "eur": null}]}'

        assert parser.parse(written).text == "rows\n\n| city | eur |\n| Oslo | 90 |\n| Bern |  |"

    def test_a_value_on_each_line_is_a_list(self, parser):
        assert parser.parse(b'{"a": 1, "b": 2}\n{"a": 3, "b": 4}\n').text == (
            "| a | b |\n| 1 | 2 |\n| 3 | 4 |"
        )

    @pytest.mark.parametrize("content", [b"{broken", b"[" * 100_000, b'{"a": ' * 50_000])
    def test_what_is_no_json_is_refused(self, parser, content):
        with pytest.raises(Unsupported):
            parser.parse(content)

    def test_half_a_character_is_left_out(self, parser):
        assert parser.parse(rb'{"a": "x\ud800y"}').text == "a: xy"


class TestWord(StructuredParserContract):
    @pytest.fixture
    def parser(self) -> OfficeParser:
        return OfficeParser()

    @pytest.fixture
    def sample(self) -> bytes:
        return files.word()


class TestPowerPoint(TitledParserContract):
    @pytest.fixture
    def parser(self) -> OfficeParser:
        return OfficeParser()

    @pytest.fixture
    def sample(self) -> bytes:
        return files.slides()


class TestExcel(ParserContract):
    @pytest.fixture
    def parser(self) -> OfficeParser:
        return OfficeParser()

    @pytest.fixture
    def sample(self) -> bytes:
        return files.workbook()


class TestPdfParser(TitledParserContract):
    @pytest.fixture
    def parser(self) -> PdfParser:
        return PdfParser()

    @pytest.fixture
    def sample(self) -> bytes:
        return files.pdf()


class TestZipParser(ParserContract):
    @pytest.fixture
    def parser(self) -> ZipParser:
        return ZipParser(ParserRegistry())

    @pytest.fixture
    def sample(self) -> bytes:
        return files.zipped({f"{n}/rule.md": one for n, one in enumerate(PARAGRAPHS)})


class TestParserRegistry(ParsersContract):
    @pytest.fixture
    def parsers(self) -> ParserRegistry:
        return ParserRegistry()
