"""The runner: what a manifest names and what a website links to, one document after another."""

from __future__ import annotations

import asyncio
import contextlib
import posixpath
import time
import uuid
from dataclasses import dataclass, replace
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

from orchestrator.domain.batches import Batch, Ending, Errand, Item, Kind, Outcome, Standing
from orchestrator.domain.documents import Upload
from orchestrator.domain.errors import NotFound, RagError, Unavailable
from orchestrator.domain.places import same_host
from orchestrator.ingestion.service import Ingestion
from orchestrator.ports.catalog import Catalog
from orchestrator.ports.queue import Queue
from orchestrator.ports.web import Page, Places, Rules, Tally, Web

CLAIM_S: Final = 120.0
"""Longer than any page may take, and what is done with it."""
IDLE_S: Final = 1.0
RULES_S: Final = 600.0
TIMED_OUT: Final = "crawl_timed_out"
TOO_LARGE: Final = "crawl_too_large"
OVER: Final = (TIMED_OUT, TOO_LARGE)
"""The codes of pages that a crawl which is over does not read."""


class Observer(Protocol):
    """What an operator wants to hear of."""

    def worker_waits(self, error: RagError) -> None:
        """A dependency is down; it will be tried again."""
        ...

    def errand_failed(self, place: str, error: BaseException) -> None:
        """A place could not be read, for a reason that nobody foresaw."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """`max_jobs` that may wait in the queue; seconds that a crawl may take, and between pages."""

    max_jobs: int
    crawl_s: float
    delay_s: float


class Runner:
    """Works on batches until cancelled; what a stop interrupts is done by whoever comes next."""

    def __init__(
        self,
        catalog: Catalog,
        queue: Queue,
        ingestion: Ingestion,
        web: Web,
        places: Places,
        observer: Observer,
        limits: Limits,
    ) -> None:
        self._catalog = catalog
        self._queue = queue
        self._ingestion = ingestion
        self._web = web
        self._places = places
        self._observer = observer
        self._limits = limits
        self._name = uuid.uuid4().hex
        self._rules: dict[str, tuple[float, Rules]] = {}
        self.arrived = asyncio.Event()

    async def run(self) -> None:
        """One item after another; a pause where there is none, or no room for what it gives."""
        try:
            while True:
                try:
                    if await self.step():
                        continue
                except Unavailable as error:
                    self._observer.worker_waits(error)
                await self._idle()
        finally:
            await self._release()

    async def step(self) -> bool:
        """Bring one item to its end; whether there was one, and room in the queue."""
        if (await self._queue.backlog()).waiting >= self._limits.max_jobs:
            return False
        errand = await self._catalog.errands.take(self._name, seconds=CLAIM_S)
        if errand is None:
            return False
        ending = await self._attempt(errand)
        crawling = errand.batch.kind is Kind.WEBSITE and ending.outcome.code not in OVER
        await self._catalog.errands.settle(
            errand.batch.id,
            errand.number,
            ending,
            most=errand.batch.plan.get("max_pages", 0),
            seconds=self._pause(errand) if crawling else 0.0,
        )
        return True

    async def _idle(self) -> None:
        self.arrived.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(IDLE_S):
                await self.arrived.wait()

    async def _release(self) -> None:
        try:
            await self._catalog.errands.release(self._name)
        except Unavailable as error:  # the claims end by themselves
            self._observer.worker_waits(error)

    async def _attempt(self, errand: Errand) -> Ending:
        tally = Tally()
        try:
            ending = await self._end(errand, tally)
        except Unavailable:
            raise
        except RagError as error:
            ending = Ending(refusal(error))
        except Exception as error:  # noqa: BLE001  # what a page holds may fail in any way; only this item does
            self._observer.errand_failed(errand.item.place, error)
            reason = f"it could not be read: {type(error).__name__}"
            ending = Ending(Outcome(Standing.REFUSED, code="unreadable", reason=reason))
        return replace(ending, spent=tally.bytes)

    async def _end(self, errand: Errand, tally: Tally) -> Ending:
        if errand.batch.kind is Kind.WEBSITE:
            return await self._crawl(errand, tally)
        page = await self._places.open(errand.item.place)
        return Ending(await self._submit(errand, page))

    async def _crawl(self, errand: Errand, tally: Tally) -> Ending:
        item, plan = errand.item, errand.batch.plan
        if over := self._over(errand.batch):
            return Ending(over)
        if not (await self._rules_of(errand)).allow(item.place):
            reason = "robots.txt does not allow it"
            return Ending(Outcome(Standing.REFUSED, code="robots_disallowed", reason=reason))
        page = await self._web.fetch(item.place, links=item.depth < plan["max_depth"], tally=tally)
        if page.moved_to is not None:
            return self._moved(page.moved_to, errand)
        found = [
            _linked(url, item, item.depth + 1)
            for url in page.links
            if same_host(url, plan["start"])
        ]
        try:
            return Ending(await self._submit(errand, page), found)
        except Unavailable:
            raise
        except RagError as error:  # a page that is no document may still lead to some
            return Ending(refusal(error), found)

    def _over(self, batch: Batch) -> Outcome | None:
        """Why the crawl goes no further, if it does not."""
        if time.time() - batch.created_at.timestamp() > self._limits.crawl_s:
            reason = f"the crawl took longer than {self._limits.crawl_s:g} seconds"
            return Outcome(Standing.SKIPPED, code=TIMED_OUT, reason=reason)
        most = batch.plan.get("max_bytes")  # which crawls of before had not
        if most is not None and batch.bytes >= most:
            reason = f"the crawl has read {batch.bytes} bytes, and may read {most}"
            return Outcome(Standing.SKIPPED, code=TOO_LARGE, reason=reason)
        return None

    def _moved(self, url: str, errand: Errand) -> Ending:
        if not same_host(url, errand.batch.plan["start"]):
            reason = f"it leads to {url}, on another host"
            return Ending(Outcome(Standing.REFUSED, code="other_host", reason=reason))
        moved = Outcome(Standing.SKIPPED, code="moved", reason=f"it leads to {url}")
        return Ending(moved, [_linked(url, errand.item, errand.item.depth)])

    async def _submit(self, errand: Errand, page: Page) -> Outcome:
        if page.content is None:
            raise NotFound("there is nothing to be read")
        item = errand.item
        with page.content as content:
            workspace = await self._catalog.workspaces.by_uid(errand.batch.workspace)
            registered = await self._ingestion.submit(
                workspace.name,
                Upload(
                    source_id=item.source_id,
                    content=content,
                    filename=_filename(item.place, page.media_type),
                    title=item.title,
                    metadata=item.metadata,
                    acl=item.acl,
                ),
            )
        return Outcome(Standing.TAKEN, document_id=registered.document.id)

    async def _rules_of(self, errand: Errand) -> Rules:
        """The host's rules, read at most every ten minutes."""
        now, host = time.monotonic(), "/".join(errand.item.place.split("/", 3)[:3])
        known = self._rules.get(host)
        if known is None or now - known[0] > RULES_S:
            rules = await self._web.rules(errand.item.place)
            fresh = {one: kept for one, kept in self._rules.items() if now - kept[0] <= RULES_S}
            known = (now, rules)
            self._rules = {**fresh, host: known}
        return known[1]

    def _pause(self, errand: Errand) -> float:
        known = self._rules.get("/".join(errand.item.place.split("/", 3)[:3]))
        return max(self._limits.delay_s, known[1].delay_s if known else 0.0)


def refusal(error: RagError) -> Outcome:
    """Why something is no document."""
    return Outcome(Standing.REFUSED, code=error.code, reason=error.detail)


def _linked(url: str, item: Item, depth: int) -> Item:
    return Item(url, url, depth, metadata=item.metadata, acl=item.acl)


def _filename(place: str, media_type: str) -> str:
    """The last part of a path or URL; a page without an ending has that of its type."""
    name = posixpath.basename(unquote(urlsplit(place).path) if "://" in place else place) or "index"
    ending = {"text/html": ".html", "application/xhtml+xml": ".html", "text/markdown": ".md"}
    return name if posixpath.splitext(name)[1] else name + ending.get(media_type, "")
