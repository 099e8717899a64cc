"""Fetching: what comes from real servers of this machine, and what is never asked."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from adapters.web.fetching import HttpWeb, open_web
from adapters.web.pinned import _to, permitted
from adapters.web.places import AllowedPlaces
from orchestrator.domain.errors import Forbidden, Rejected
from tests.unit.site import Site

HERE = (ipaddress.ip_network("127.0.0.0/8"),)
PAGE_BYTES = 1000


@asynccontextmanager
async def web_of(allowed=HERE, timeout_s: float = 60.0) -> AsyncIterator[HttpWeb]:
    async with open_web(allowed, page_bytes=PAGE_BYTES, timeout_s=timeout_s) as opened:
        yield opened


@pytest.fixture
async def web():
    async with web_of() as opened:
        yield opened


@pytest.fixture
async def site():
    async with Site() as opened:
        yield opened


async def refusal(awaitable) -> str:
    with pytest.raises(Rejected) as raised:
        await awaitable
    return raised.value.code


async def test_a_page_is_its_bytes_and_its_links(web, site):
    site.html(
        "/a",
        '<a href="b">B</a> <a href="/c#part">C</a> <a rel="x nofollow" href="/no">N</a>'
        '<a href="mailto:me@example.org">M</a> <a href="javascript:x()">J</a> <a href="b">B</a>',
    )

    page = await web.fetch(site.at("/a"), links=True)

    assert (page.media_type, page.moved_to) == ("text/html", None)
    assert page.content.read().startswith(b"<a href")
    assert list(page.links) == [site.at("/b"), site.at("/c")]
    page.content.close()


async def test_links_are_read_from_where_the_page_says_it_is(web, site):
    site.html("/a", '<base href="/below/"><a href="b">B</a>')

    page = await web.fetch(site.at("/a"), links=True)

    assert list(page.links) == [site.at("/below/b")]
    page.content.close()


async def test_a_redirect_is_told_and_not_followed(web, site):
    site.moved("/a", "/b#x")

    page = await web.fetch(site.at("/a"))

    assert (page.content, page.moved_to, site.asked) == (None, site.at("/b"), ["/a"])


@pytest.mark.parametrize("announced", [True, False])
async def test_a_page_that_is_too_large_is_cut_off(web, site, announced):
    site.raw("/a", b"x" * 5_000_000, announced=announced)

    assert await refusal(web.fetch(site.at("/a"))) == "page_too_large"


async def test_a_page_at_the_limit_is_read(web, site):
    site.raw("/a", b"x" * PAGE_BYTES, announced=False)

    page = await web.fetch(site.at("/a"))
    assert len(page.content.read()) == PAGE_BYTES
    page.content.close()


async def test_a_page_that_comes_drop_by_drop_ends_by_the_clock(site):
    site.slow("/a", every_s=0.05)

    async with web_of(timeout_s=0.4) as web:
        assert await refusal(web.fetch(site.at("/a"))) == "fetch_timed_out"


@pytest.mark.parametrize("status", [404, 500])
async def test_an_answer_that_is_no_page_is_refused(web, site, status):
    site.status("/a", status)

    assert await refusal(web.fetch(site.at("/a"))) == "fetch_failed"


async def test_a_compressed_answer_is_refused_and_not_unpacked(web, site):
    site.raw("/a", b"\x1f\x8b", headers="Content-Encoding: gzip\r\n")

    assert await refusal(web.fetch(site.at("/a"))) == "fetch_failed"


async def test_nothing_listens_is_a_refusal(web, site):
    assert await refusal(web.fetch("http://127.0.0.1:1/a")) == "fetch_failed"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]"])
async def test_an_address_of_this_machine_is_not_asked(site, host):
    async with web_of(allowed=()) as web:
        code = await refusal(web.fetch(f"http://{host}:{site.port}/a"))

    assert code == "address_not_allowed"
    assert site.asked == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:93.184.215.14", True),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("2002:7f00:1::", False),
    ],
)
def test_only_public_addresses_are_permitted(address, public):
    assert permitted(ipaddress.ip_address(address), ()) is public


async def test_a_name_is_resolved_once_and_connected_to_as_it_was_checked(web, site, monkeypatch):
    site.raw("/a", b"here")
    asked = []

    async def rebinding(host, port, **_):
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "10.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", rebinding, raising=False)
    page = await web.fetch(f"http://docs.example.org:{site.port}/a")

    assert page.content.read() == b"here"
    assert asked.count("docs.example.org") == 1
    assert site.hosts == [f"docs.example.org:{site.port}"]
    page.content.close()


async def test_a_name_with_one_private_address_among_its_own_is_refused(monkeypatch):
    async def mixed(host, port, **_):
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))
            for one in ("93.184.215.14", "10.0.0.1")
        ]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", mixed, raising=False)
    async with web_of(allowed=()) as web:
        assert await refusal(web.fetch("http://docs.example.org/")) == "address_not_allowed"


async def test_robots_say_what_is_allowed(web, site):
    site.raw("/robots.txt", b"User-agent: *\nDisallow: /private\nDisallow: /*.php$\nCrawl-delay: 2")

    rules = await web.rules(site.at("/a"))

    allowed = [rules.allow(site.at(path)) for path in ("/a", "/private/x", "/a.php", "/a.php5")]
    assert (allowed, rules.delay_s) == ([True, False, False, True], 2.0)


async def test_missing_robots_allow_everything(web, site):
    rules = await web.rules(site.at("/a"))

    assert (rules.allow(site.at("/a")), rules.delay_s) == (True, 0.0)


async def test_robots_that_cannot_be_read_allow_nothing(web, site):
    site.status("/robots.txt", 503)

    assert await refusal(web.rules(site.at("/a"))) == "robots_unreadable"


async def test_robots_that_lead_in_circles_allow_nothing(web, site):
    site.moved("/robots.txt", "/robots.txt")

    assert await refusal(web.rules(site.at("/a"))) == "robots_unreadable"


async def test_a_file_below_a_root_is_opened(tmp_path, web):
    (tmp_path / "a.txt").write_text("here")

    page = await AllowedPlaces([tmp_path], [], web).open(str(tmp_path / "a.txt"))

    with page.content as content:
        assert content.read() == b"here"


@pytest.mark.parametrize(
    "path", ["../secret.txt", "link.txt", "/etc/passwd", "a.txt", "../nothing", "../rooted/a.txt"]
)
async def test_what_is_not_below_a_root_is_forbidden_whether_it_is_there_or_not(
    tmp_path, web, path
):
    root, secret = tmp_path / "root", tmp_path / "secret.txt"
    root.mkdir()
    secret.write_text("secret")
    (root / "link.txt").symlink_to(secret)
    place = path if path == "a.txt" else str(root / path)

    with pytest.raises(Forbidden):
        await AllowedPlaces([root], [], web).open(place)


async def test_a_folder_and_a_missing_file_are_refused(tmp_path, web):
    places = AllowedPlaces([tmp_path], [], web)

    assert await refusal(places.open(str(tmp_path))) == "unreadable"
    assert await refusal(places.open(str(tmp_path / "nothing"))) == "unreadable"


async def test_a_url_below_a_prefix_is_fetched_wherever_it_leads_below_it(web, site):
    site.moved("/docs/a", "/docs/b")
    site.raw("/docs/b", b"here")

    page = await AllowedPlaces([], [site.at("/docs/")], web).open(site.at("/docs/a"))

    with page.content as content:
        assert content.read() == b"here"


@pytest.mark.parametrize("path", ["/other", "/docs/../other", "/docs/%2e%2e/other", "/docs/out"])
async def test_a_url_that_is_or_leads_elsewhere_is_forbidden(web, site, path):
    site.moved("/docs/out", "/other")
    site.raw("/other", b"secret")

    with pytest.raises(Forbidden):
        await AllowedPlaces([], [site.at("/docs/")], web).open(site.at(path))
    assert "/other" not in site.asked


def test_a_certificate_is_checked_against_the_name_not_the_address():
    asked = httpx.Request("GET", "https://docs.example.org/a?b=c")

    sent = _to("93.184.215.14", "docs.example.org", asked)

    assert str(sent.url) == "https://93.184.215.14/a?b=c"
    assert sent.extensions["sni_hostname"] == sent.headers["host"] == "docs.example.org"
