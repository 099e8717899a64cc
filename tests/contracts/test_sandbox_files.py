"""Hostile and long files in the sandbox as it is by default: text, or a code and a reason."""

from __future__ import annotations

import asyncio
import os
import resource
from contextlib import suppress
from pathlib import Path

import pytest

from adapters.parser.frames import Order
from adapters.parser.limits import Limits
from adapters.parser.package import DOCX
from adapters.parser.sandbox import open_sandbox
from adapters.parser.zip import ZIP
from orchestrator.domain.errors import Unsupported
from orchestrator.ports.parser import HARMFUL, Isolation, unheard
from orchestrator.settings.tree import ParsingSettings
from tests import files
from tests.quine import NAME, quine

PDF = "application/pdf"
GB = 1 << 30
LINE = b"0 0 m 9 9 l S\n"
TEXT = b"BT /F1 9 Tf (refunds) Tj ET\n"
CORE, PART = "docProps/core.xml", "word/document.xml"


@pytest.fixture
async def box():
    chosen = ParsingSettings()
    order = Order(
        os.getpid(),
        chosen.memory_bytes,
        chosen.open_files,
        chosen.niceness,
        chosen.max_text_chars,
    )
    limits = Limits(
        cpu_s=chosen.cpu_s,
        wall_s=chosen.wall_s,
        total_s=chosen.total_s,
        max_text_chars=chosen.max_text_chars,
        recycle_after=chosen.recycle_after,
        recycle_bytes=chosen.recycle_bytes,
    )
    async with open_sandbox(order, limits, processes=1, minimum=Isolation.FULL) as pool:
        await pool.isolation()
        yield pool


@pytest.fixture
def read(box, tmp_path):
    """Have the bytes read."""

    async def reading(content, kind, progress=unheard):
        file = tmp_path / "file"
        file.write_bytes(content)
        del content
        return await box.parse(file, kind, progress=progress)

    return reading


def resident(pid, what="VmRSS"):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) << 10
    return 0


async def peak_of(pid, task):
    """The most that a process held, seen until the task is done."""
    most = 0
    while not task.done():
        with suppress(FileNotFoundError):
            most = max(most, resident(pid, "VmHWM"))
        await asyncio.sleep(0.02)
    return most


def hostile_word(name, change):
    word = files.word()
    return files.replaced(word, name, change(files.part(word, name)))


def nested_bomb(depth):
    content = files.zipped({"zeros.txt": bytes(20 << 20)})
    for _ in range(depth):
        content = files.zipped({"inner.zip": content})
    return content


HOSTILE = {
    "a PDF that unpacks to 1 GB of spaces": (
        lambda: files.flate_bomb(GB),
        PDF,
        "too_much_memory",
        "took too much memory",
    ),
    "a PDF that unpacks to 1 GB of lines": (
        lambda: files.flate_bomb(GB, LINE),
        PDF,
        "too_much_memory",
        "took too much memory",
    ),
    "a PDF that unpacks to 10 GB of spaces": (
        lambda: files.flate_bomb(10 * GB),
        PDF,
        "too_much_memory",
        "took too much memory",
    ),
    "a PDF that unpacks to 10 GB of text": (
        lambda: files.flate_bomb(10 * GB, TEXT),
        PDF,
        "too_much_memory",
        "took too much memory",
    ),
    "an encrypted PDF": (
        lambda: files.pdf(encrypt="secret"),
        PDF,
        "encrypted",
        "needs a password",
    ),
    "an archive of one entry with a huge ratio": (
        lambda: nested_bomb(0),
        ZIP,
        "unsafe_archive",
        "'zeros.txt' would unpack to more than 250 times its size",
    ),
    "such an archive within archives": (
        lambda: nested_bomb(4),
        ZIP,
        "unsafe_archive",
        "'zeros.txt' would unpack to more than 250 times its size",
    ),
    "an archive that holds itself": (quine, ZIP, "unsafe_archive", "nests deeper than 5"),
    "an archive that leads out of itself": (
        lambda: files.zipped({"../../etc/cron.d/job": "* * * * * root true"}),
        ZIP,
        "unsafe_archive",
        "'../../etc/cron.d/job' leads out",
    ),
    "a billion laughs in Word": (
        lambda: hostile_word(PART, files.laughing),
        DOCX,
        "unsafe_xml",
        "declares a document type or entities",
    ),
    "a Word file that wants another file": (
        lambda: hostile_word(PART, lambda xml: files.reaching_out(xml, "file:///etc/passwd")),
        DOCX,
        "unsafe_xml",
        "declares a document type or entities",
    ),
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_a_hostile_file_fails_with_its_reason_and_the_next_one_is_read(box, read, what):
    made, kind, code, reason = HOSTILE[what]
    content = made()
    (cell,) = box._idle
    before = resident("self")

    reading = asyncio.create_task(read(content, kind))
    peak = await peak_of(cell.pid, reading)
    with pytest.raises(Unsupported, match=reason) as raised:
        await reading

    assert raised.value.code == code
    assert peak < 1_000_000_000
    assert resident("self") - before < 64 << 20
    assert cell.spent == (code in HARMFUL)
    assert "Hotels" in (await read(files.word(), DOCX)).text


@pytest.mark.parametrize(("count", "extra"), [(5_000, 0), (200, 100 << 20)])
async def test_a_long_file_becomes_text_in_bounded_memory(box, read, count, extra):
    (cell,) = box._idle
    before = resident("self")
    content = files.long_pdf(count, extra)
    made = len(content)
    steps = []

    reading = asyncio.create_task(read(content, PDF, lambda *step: steps.append(step)))
    del content
    peak = await peak_of(cell.pid, reading)
    parsed = await reading

    assert made > extra
    assert len(parsed.pages) == count
    assert f"Rule 7 of page {count}." in parsed.text
    assert steps[-1] == (count, count)
    assert peak < 500_000_000
    assert resident("self") - before < 64 << 20


async def test_the_kernel_holds_a_process_to_its_memory(box):
    (cell,) = box._idle

    assert resource.prlimit(cell.pid, resource.RLIMIT_AS) == (10**9, 10**9)


def test_the_archive_that_holds_itself_does():
    content = quine()

    assert files.part(content, NAME.decode()) == content


async def test_a_file_of_two_formats_is_read_as_the_one_that_its_bytes_begin_with(box, read):
    both = files.pdf([("Read this.",)]) + files.zipped({"never.txt": "Never read this."})

    parsed = await read(both, box.sniff(both[:4096], "both.docx"))

    assert "Read this." in parsed.text
    assert "Never" not in parsed.text


async def test_properties_in_broken_utf_8_are_left_out_with_a_warning(read):
    broken = hostile_word(CORE, lambda xml: xml.replace(b"Ada", b"\xff\xfe\xc3("))

    parsed = await read(broken, DOCX)

    assert "author" not in parsed.properties
    assert "properties could not be read" in parsed.warnings[0]


async def test_script_in_a_title_stays_text(read):
    escaped = b"&lt;script&gt;alert(1)&lt;/script&gt;"
    word = hostile_word(CORE, lambda xml: xml.replace(b"Travel policy", escaped))

    assert (await read(word, DOCX)).title == "<script>alert(1)</script>"
