"""Pages over HTTP, within limits of size and time, and by the rules of robots.txt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, Final, cast
from urllib.parse import urljoin

import httpx
from protego import Protego
from selectolax.lexbor import LexborHTMLParser

from adapters.web.pinned import Network, PinnedTransport
from orchestrator.domain.errors import Rejected
from orchestrator.domain.places import normal
from orchestrator.ports.web import Page, Rules, Tally

AGENT: Final = "rag-orchestrator"
ROBOTS_BYTES: Final = 500_000
MEMORY_BYTES: Final = 1 << 20
REDIRECTS: Final = 5
MAX_LINKS: Final = 10_000
MAX_DELAY_S: Final = 30.0
HTML: Final = frozenset({"text/html", "application/xhtml+xml"})


class HttpWeb:
    """`orchestrator.ports.web.Web` on httpx; every byte that comes is counted."""

    def __init__(self, client: httpx.AsyncClient, *, page_bytes: int, timeout_s: float) -> None:
        self._client = client
        self._page_bytes = page_bytes
        self._timeout_s = timeout_s

    async def fetch(self, url: str, *, links: bool = False, tally: Tally | None = None) -> Page:
        """GET it; a body goes to a file that is in memory while it is small."""
        with _translated(url):
            async with asyncio.timeout(self._timeout_s), self._get(url) as response:
                if response.is_redirect:
                    return Page(None, moved_to=_joined(url, response.headers.get("location", "")))
                if not response.is_success:
                    raise Rejected(f"{url} answers {response.status_code}", code="fetch_failed")
                content = await self._read(response, url, self._page_bytes, tally or Tally())
        media_type = response.headers.get("content-type", "").partition(";")[0].strip().casefold()
        if not (links and media_type in HTML):
            return Page(content, media_type)
        with ExitStack() as stack:
            stack.callback(content.close)
            page = Page(content, media_type, links=await asyncio.to_thread(_links, content, url))
            stack.pop_all()
        return page

    async def rules(self, url: str) -> Rules:
        """Read robots.txt as RFC 9309 has it: missing allows all, out of order forbids all."""
        at = urljoin(url, "/robots.txt")
        with _translated(at):
            async with asyncio.timeout(self._timeout_s):
                for _ in range(REDIRECTS + 1):
                    async with self._get(at) as response:
                        if response.is_redirect:
                            at = _joined(at, response.headers.get("location", ""))
                            continue
                        return await self._rules(response, at)
        raise Rejected(f"{at} leads nowhere", code="robots_unreadable")

    async def _rules(self, response: httpx.Response, at: str) -> Rules:
        if response.is_client_error:
            return RobotRules("")
        if not response.is_success:
            raise Rejected(f"{at} answers {response.status_code}", code="robots_unreadable")
        with await self._read(response, at, ROBOTS_BYTES, Tally()) as content:
            return RobotRules(content.read().decode("utf-8", "replace"))

    @asynccontextmanager
    async def _get(self, url: str) -> AsyncIterator[httpx.Response]:
        async with self._client.stream("GET", url) as response:
            yield response

    async def _read(self, response: httpx.Response, url: str, limit: int, tally: Tally) -> BinaryIO:
        announced = response.headers.get("content-length", "")
        if announced.isdigit() and int(announced) > limit:
            raise _large(url, limit)
        if response.headers.get("content-encoding", "identity") != "identity":
            raise Rejected(f"{url} is sent compressed, unasked", code="fetch_failed")
        with ExitStack() as stack:
            spool = stack.enter_context(SpooledTemporaryFile(max_size=MEMORY_BYTES))
            async for piece in response.aiter_raw():
                tally.bytes += len(piece)
                if spool.tell() + len(piece) > limit:
                    raise _large(url, limit)
                spool.write(piece)
            spool.seek(0)
            stack.pop_all()
        return cast("BinaryIO", spool)


class RobotRules:
    """`orchestrator.ports.web.Rules` of one robots.txt."""

    def __init__(self, text: str) -> None:
        self._robots = Protego.parse(text)

    def allow(self, url: str) -> bool:
        """By the group for this robot, else by the one for all."""
        return bool(self._robots.can_fetch(url, AGENT))

    @property
    def delay_s(self) -> float:
        """`Crawl-delay`, up to half a minute."""
        return min(float(self._robots.crawl_delay(AGENT) or 0.0), MAX_DELAY_S)


@asynccontextmanager
async def open_web(
    allowed: Sequence[Network], *, page_bytes: int, timeout_s: float
) -> AsyncIterator[HttpWeb]:
    """A client without cookies, proxies or credentials; it is closed at the end."""
    async with httpx.AsyncClient(
        transport=PinnedTransport(allowed),
        headers={"user-agent": AGENT, "accept-encoding": "identity"},
        timeout=timeout_s,
        trust_env=False,
    ) as client:
        yield HttpWeb(client, page_bytes=page_bytes, timeout_s=timeout_s)


def _links(content: BinaryIO, url: str) -> list[str]:
    tree = LexborHTMLParser(content.read())
    content.seek(0)
    base = tree.css_first("base[href]")
    above = urljoin(url, (base.attributes.get("href") or "") if base else "")
    links: dict[str, None] = {}
    for anchor in tree.css("a[href]"):
        if "nofollow" in (anchor.attributes.get("rel") or "").casefold().split():
            continue
        try:
            links[normal(urljoin(above, (anchor.attributes.get("href") or "").strip()))] = None
        except ValueError:  # mailto, javascript, or no URL at all
            continue
        if len(links) == MAX_LINKS:
            break
    return list(links)


def _joined(url: str, target: str) -> str:
    try:
        return normal(urljoin(url, target.strip()))
    except ValueError as error:
        raise Rejected(f"{url} leads to what is no page", code="fetch_failed") from error


def _large(url: str, limit: int) -> Rejected:
    return Rejected(f"{url} is larger than {limit} bytes", code="page_too_large")


@contextmanager
def _translated(url: str) -> Iterator[None]:
    try:
        yield
    except (TimeoutError, httpx.TimeoutException) as error:
        raise Rejected(f"{url} took too long", code="fetch_timed_out") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = str(error) or type(error).__name__
        raise Rejected(f"{url} cannot be read: {reason}", code="fetch_failed") from error
