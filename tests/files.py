"""Files of every format that is read, and hostile ones, made on the spot."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence

import docx
import openpyxl
import pptx
from pptx.util import Inches
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from orchestrator.contracts.parser import HEADINGS, PARAGRAPHS, TITLE

TABLE = (("City", "EUR"), ("Oslo", "90"), ("Genève", "180"))


def word() -> bytes:
    """The structured sample, as a Word document."""
    document = docx.Document()
    document.core_properties.title = TITLE
    document.core_properties.author = "Ada"
    document.add_heading(HEADINGS[0][1], 1)
    document.add_heading(HEADINGS[1][1], 2)
    document.add_paragraph(PARAGRAPHS[0])
    document.add_heading(HEADINGS[2][1], 3)
    document.add_paragraph(PARAGRAPHS[1])
    table = document.add_table(rows=0, cols=2)
    for row in TABLE:
        for cell, text in zip(table.add_row().cells, row, strict=True):
            cell.text = text
    document.add_heading(HEADINGS[3][1], 2)
    document.add_paragraph(PARAGRAPHS[2])
    return saved(document)


def slides() -> bytes:
    """A presentation of three slides: the title, then a paragraph each, with notes."""
    deck = pptx.Presentation()
    deck.core_properties.author = "Grace"
    deck.slides.add_slide(deck.slide_layouts[0]).shapes.title.text = TITLE
    for number, paragraph in enumerate(PARAGRAPHS, start=1):
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text = f"Rule {number}"
        slide.placeholders[1].text = paragraph
        slide.notes_slide.notes_text_frame.text = f"Note {number}"
    shape = slide.shapes.add_table(3, 2, Inches(1), Inches(4), Inches(4), Inches(1))
    for at, row in enumerate(TABLE):
        for column, text in enumerate(row):
            shape.table.cell(at, column).text = text
    return saved(deck)


def workbook(rows: Mapping[str, Sequence[Sequence[object]]] | None = None) -> bytes:
    """Sheets of rows; by default the paragraphs on one, numbered."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    book.properties.creator = "Grace"
    for name, cells in (rows or {"Rules": list(enumerate(PARAGRAPHS, start=1))}).items():
        sheet = book.create_sheet(name)
        for row in cells:
            sheet.append(list(row))
    return saved(book)


def pdf(
    pages: Iterable[Sequence[str]] = ((*PARAGRAPHS,),),
    *,
    title: str | None = TITLE,
    **options: object,
) -> bytes:
    """Each page its lines, a paragraph each; the first page headed by the title."""
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4, invariant=1, **options)
    canvas.setTitle(title or "")
    canvas.setAuthor("Ada")
    for number, lines in enumerate(pages):
        at = 780
        if title and number == 0:
            canvas.setFont("Helvetica-Bold", 20)
            canvas.drawString(72, 800, title)
            at = 750
        canvas.setFont("Helvetica", 11)
        for line in lines:
            canvas.drawString(72, at, line)
            at -= 26
        if not lines:
            canvas.rect(72, 72, 100, 100)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def form(*, words: bool = True) -> bytes:
    """A PDF of two pages, the first with a form that is filled in, in part."""
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4, invariant=1, pageCompression=0)
    fields = canvas.acroForm
    if words:
        canvas.drawString(72, 800, "Application")
    fields.textfield(name="name", tooltip="Family name", value="Lovelace", x=72, y=700)
    fields.textfield(name="nothing", tooltip="Nothing", value="", x=72, y=660)
    fields.textfield(name="key", tooltip="Key", value="sesame", fieldFlags="password", x=72, y=620)
    fields.checkbox(name="terms", tooltip="Accepts the terms", checked=True, x=72, y=580)
    fields.checkbox(name="news", tooltip="Wants news", checked=False, x=72, y=540)
    for at, value in enumerate(("first", "second")):
        fields.radio(name="class", tooltip="Class", value=value, selected=at == 1, x=72, y=at * 40)
    cities, languages = ["Oslo", "Bern"], ["en", "de", "fr"]
    fields.choice(name="city", tooltip="City", value="Oslo", options=cities, x=72, y=500)
    fields.listbox(name="languages", tooltip="Languages", value=["de"], options=languages, x=72)
    canvas.showPage()
    canvas.drawString(72, 800, "Second page" if words else " ")
    canvas.save()
    return out.getvalue()


def zipped(entries: Mapping[str, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive of these."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return out.getvalue()


def replaced(content: bytes, name: str, part: bytes) -> bytes:
    """An archive with one entry in another's place."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = {one: archive.read(one) for one in archive.namelist()}
    return zipped({**entries, name: part})


def part(content: bytes, name: str) -> bytes:
    """One entry of an archive."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(name)


def laughing(xml: bytes) -> bytes:
    """A part with a billion laughs before its root element, and one within."""
    more = "".join(
        f'<!ENTITY lol{level} "{f"&lol{level - 1 or str()};" * 10}">' for level in range(1, 10)
    )
    return _typed(xml, f"<!DOCTYPE lolz [<!ENTITY lol 'lol'>{more}]>", "&lol9;")


def reaching_out(xml: bytes, target: str) -> bytes:
    """A part that wants the content of another file within."""
    return _typed(xml, f'<!DOCTYPE x [<!ENTITY secret SYSTEM "{target}">]>', "&secret;")


def flate_bomb(size: int, piece: bytes = b" ") -> bytes:
    """A PDF of one page whose content, the piece over and over, unpacks to `size` bytes."""
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    text = piece * ((1 << 20) // len(piece))
    block = packer.compress(text) + packer.flush(zlib.Z_FULL_FLUSH)
    stream = b"\x78\xda" + block * (size >> 20) + b"\x03\x00"
    return pdf_of(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )


def long_pdf(count: int, extra: int = 0) -> bytes:
    """A PDF of so many pages with ten rules each, and of so many more bytes."""
    pages = b" ".join(b"%d 0 R" % number for number in range(5, 5 + 2 * count, 2))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d >>" % (pages, count),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (extra, bytes(extra)),
    ]
    for page in range(1, count + 1):
        lines = (b"(Rule %d of page %d.) Tj T*" % (rule, page) for rule in range(10))
        text = b"BT /F1 11 Tf 14 TL 72 780 Td %s ET" % b" ".join(lines)
        objects += [
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R"
            b" /Resources << /Font << /F1 3 0 R >> >> >>" % (len(objects) + 2),
            b"<< /Length %d >>\nstream\n%s\nendstream" % (len(text), text),
        ]
    return pdf_of(*objects)


def pdf_of(*objects: bytes) -> bytes:
    """A PDF of these objects, the first of which is its catalog."""
    out = io.BytesIO()
    out.write(b"%PDF-1.4\n")
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    out.writelines(b"%010d 00000 n \n" % place for place in places)
    out.write(b"trailer << /Size %d /Root 1 0 R >>\n" % (len(objects) + 1))
    out.write(b"startxref\n%d\n%%%%EOF\n" % start)
    return out.getvalue()


def lying(name: str, content: bytes, declared: int) -> bytes:
    """An archive whose only entry declares another size than it has."""
    honest = zipped({name: content})
    size, lie = struct.pack("<I", len(content)), struct.pack("<I", declared)
    return honest.replace(size, lie)


def saved(document: object) -> bytes:
    """What a library's document writes."""
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def _typed(xml: bytes, declaration: str, entity: str) -> bytes:
    head, mark, rest = xml.partition(b"?>")
    first, close, last = rest.partition(b"</w:t>")
    assert close
    return b"".join((head, mark, declaration.encode(), first, entity.encode(), close, last))
