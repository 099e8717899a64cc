"""Files for benchmarks: made from a seed, in the formats that offices have."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable
from pathlib import Path

import docx
import openpyxl
import pptx
from reportlab import rl_config
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

WORDS = (
    "the report says that delivery of every order was delayed by customs while the warehouse kept "
    "its stock of spare parts for pumps valves and sensors under review because the contract with "
    "the supplier ends in spring and a new price must be agreed before the board meets again to "
    "decide on repair refund and replacement of units which customers returned within the period "
    "of warranty after an audit found missing labels on boxes stored in the northern hall"
).split()
LINES_A_PAGE = 45
LONG_PAGES = 5_000
PADDED_BYTES = 100_000_000 - 1_000_000


def mixed_files(count: int, *, seed: int) -> list[tuple[str, bytes]]:
    """Names and contents: text, Markdown, HTML, CSV, JSON, Word, Excel, PowerPoint and PDF."""
    makers = list(MAKERS.items())
    files = []
    for number in range(count):
        ending, make = makers[number % len(makers)]
        chance = random.Random(f"{seed}/{number}")
        title = f"report-{seed}-{number:05d}"
        files.append((f"{title}.{ending}", make(title, chance)))
    return files


def long_pdf(path: Path) -> None:
    """5,000 pages of text."""
    chance = random.Random(5)
    canvas = Canvas(str(path), pagesize=A4)
    for page in range(LONG_PAGES):
        lines = [f"Page {page + 1} of the long report", *_lines(chance, 30)]
        _page(canvas, lines)
    canvas.save()


def padded_pdf(path: Path) -> None:
    """Pages of text, and pictures that cannot be compressed, of 99 MB in all."""
    chance = random.Random(6)
    rl_config.useA85 = 0  # bytes as they are
    canvas = Canvas(str(path), pagesize=A4, pageCompression=0)
    side = 900
    for page in range(PADDED_BYTES // (side * side * 3)):
        picture = _bitmap(chance.randbytes(side * side * 3), side)
        canvas.drawImage(picture, 50, 50, 200, 200)
        _page(canvas, [f"Page {page + 1} of the illustrated report", *_lines(chance, 20)])
    canvas.save()


def sentence(chance: random.Random) -> str:
    """Twelve to twenty words."""
    words = [chance.choice(WORDS) for _ in range(chance.randint(12, 20))]
    return f"{' '.join(words).capitalize()}."


def paragraphs(title: str, chance: random.Random) -> list[str]:
    """Five to twenty-five paragraphs, the first of which names the report."""
    bodies = [
        " ".join(sentence(chance) for _ in range(chance.randint(2, 5)))
        for _ in range(chance.randint(5, 25))
    ]
    return [f"This is {title}, item {chance.randint(1, 9999)}.", *bodies]


def _text(title: str, chance: random.Random) -> bytes:
    return "\n\n".join(paragraphs(title, chance)).encode()


def _markdown(title: str, chance: random.Random) -> bytes:
    parts = [f"# {title}"]
    for number, one in enumerate(paragraphs(title, chance)):
        parts += [f"## Section {number}", one] if number % 4 == 0 else [one]
    return "\n\n".join(parts).encode()


def _html(title: str, chance: random.Random) -> bytes:
    body = "".join(f"<p>{one}</p>" for one in paragraphs(title, chance))
    return f"<html><head><title>{title}</title></head><body><h1>{title}</h1>{body}</body>".encode()


def _csv(title: str, chance: random.Random) -> bytes:
    sink = io.StringIO()
    table = csv.writer(sink)
    table.writerow(["report", "item", "remark"])
    for number in range(chance.randint(10, 40)):
        table.writerow([title, number, sentence(chance)])
    return sink.getvalue().encode()


def _json(title: str, chance: random.Random) -> bytes:
    return json.dumps({"title": title, "remarks": paragraphs(title, chance)}).encode()


def _word(title: str, chance: random.Random) -> bytes:
    document = docx.Document()
    document.add_heading(title, 1)
    for one in paragraphs(title, chance):
        document.add_paragraph(one)
    return _saved(document.save)


def _excel(title: str, chance: random.Random) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for number in range(chance.randint(10, 40)):
        sheet.append([title, number, sentence(chance)])
    return _saved(book.save)


def _powerpoint(title: str, chance: random.Random) -> bytes:
    show = pptx.Presentation()
    for one in paragraphs(title, chance)[:8]:
        slide = show.slides.add_slide(show.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = one
    return _saved(show.save)


def _pdf(title: str, chance: random.Random) -> bytes:
    sink = io.BytesIO()
    canvas = Canvas(sink, pagesize=A4)
    for page in range(chance.randint(1, 4)):
        _page(canvas, [f"{title}, page {page + 1}", *_lines(chance, 30)])
    canvas.save()
    return sink.getvalue()


MAKERS: dict[str, Callable[[str, random.Random], bytes]] = {
    "txt": _text,
    "md": _markdown,
    "html": _html,
    "csv": _csv,
    "json": _json,
    "docx": _word,
    "xlsx": _excel,
    "pptx": _powerpoint,
    "pdf": _pdf,
}


def _saved(save: Callable[[io.BytesIO], object]) -> bytes:
    sink = io.BytesIO()
    save(sink)
    return sink.getvalue()


def _lines(chance: random.Random, count: int) -> list[str]:
    return [" ".join(chance.choice(WORDS) for _ in range(12)) for _ in range(count)]


def _page(canvas: Canvas, lines: list[str]) -> None:
    text = canvas.beginText(60, 780)
    for line in lines[:LINES_A_PAGE]:
        text.textLine(line)
    canvas.drawText(text)
    canvas.showPage()


def _bitmap(pixels: bytes, side: int) -> object:
    from PIL import Image  # noqa: PLC0415  # comes with reportlab
    from reportlab.lib.utils import ImageReader  # noqa: PLC0415

    return ImageReader(Image.frombytes("RGB", (side, side), pixels))
