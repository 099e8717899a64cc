"""What brought a parser down, or is infected, is put aside; and erased with its document."""

from __future__ import annotations

import json

import pytest

from adapters.parser.registry import ParserRegistry
from orchestrator.domain.errors import Unavailable, Unsupported
from orchestrator.ingestion.scanning import Scanned
from tests.unit.ingestion.office import Office

KEY = "uid of default/d1/c0ffee"


class Parsers(ParserRegistry):
    """Is brought down by bytes that name how."""

    def read(self, content, media_type, progress):
        if content.startswith(b"!"):
            raise Unsupported("reading the document went wrong", code=content[1:].decode())
        return super().read(content, media_type, progress)


class Scanner:
    """Finds what begins with `virus`; `error` is raised instead."""

    def __init__(self):
        self.error = None
        self.seen = []

    async def scan(self, file):
        if self.error:
            raise self.error
        self.seen.append(file.read_bytes())
        return "Eicar-Test" if self.seen[-1].startswith(b"virus") else None


@pytest.fixture
def scanner():
    return Scanner()


@pytest.fixture
def office(scanner):
    return Office(Scanned(Parsers(), scanner))


@pytest.mark.parametrize("code", ["too_slow", "too_much_memory", "too_much_text", "parser_crashed"])
async def test_a_file_that_brought_a_parser_down_is_put_aside_with_the_reason(office, code):
    office.hand_in("d1", f"!{code}".encode())

    await office.worker.step()

    files = office.quarantined.files
    assert office.failed == {"d1": "reading the document went wrong"}
    assert files[KEY] == f"!{code}".encode()
    assert json.loads(files[f"{KEY}.json"]) == {
        "document_id": "d1",
        "source_id": "d1.txt",
        "version": 1,
        "media_type": "text/plain",
        "code": code,
        "reason": "reading the document went wrong",
    }


@pytest.mark.parametrize("content", [b"!unsupported_content", b"   ", b"Refunds are paid."])
async def test_other_files_are_not(office, content):
    office.hand_in("d1", content)

    await office.worker.step()

    assert office.quarantined.files == {}


async def test_a_document_that_can_be_read_now_leaves_nothing_there(office):
    office.quarantined.files = {KEY: b"old", "uid of default/d2/c0ffee": b"another's"}
    office.hand_in("d1", b"Refunds are paid.")

    await office.worker.step()

    assert list(office.quarantined.files) == ["uid of default/d2/c0ffee"]


async def test_of_a_document_that_was_deleted_meanwhile_nothing_is_kept(office):
    async def work(document_id, version):
        return office.works.pop(document_id, None)

    office.work = work
    office.hand_in("d1", b"!too_slow")

    await office.worker.step()

    assert office.failed.keys() == {"d1"}
    assert office.quarantined.files == {}


async def test_no_parser_sees_what_the_scanner_reports(office):
    office.hand_in("d1", b"virus, and then text")

    await office.worker.step()

    assert office.failed == {"d1": "the virus scanner found 'Eicar-Test' in the file"}
    assert json.loads(office.quarantined.files[f"{KEY}.json"])["code"] == "infected"


async def test_without_its_scanner_nothing_is_parsed_and_nothing_fails(office, scanner):
    office.hand_in("d1", b"Refunds are paid.")
    scanner.error = Unavailable("clamd", "refused")

    with pytest.raises(Unavailable):
        await office.worker.step()

    assert (office.published, office.failed) == ([], {})


async def test_every_file_is_scanned_whole(office, scanner):
    office.hand_in("d1", b"Refunds are paid.")

    await office.worker.step()

    assert scanner.seen == [b"Refunds are paid."]
