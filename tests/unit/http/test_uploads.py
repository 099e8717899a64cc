"""The other ways of handing documents in, over an open deployment and a website of this machine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.unit.fakes import until
from tests.unit.http.test_service import serving
from tests.unit.site import Site

LOCAL = {"allowed_networks": ["127.0.0.0/8"], "delay_s": 0}


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with Site() as opened:
        yield opened


@pytest.fixture
async def http(data_dir: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(data_dir, web=LOCAL) as client:
        yield client


@asynccontextmanager
async def idle(data_dir: Path, **values: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A service whose worker and runner do nothing, so that what comes waits."""
    with pytest.MonkeyPatch.context() as patch:
        for place in ("worker.Worker", "errands.Runner"):
            patch.setattr(f"orchestrator.ingestion.{place}.run", lambda _: asyncio.sleep(3600))
        async with serving(data_dir, **values) as client:
            yield client


async def ended(http, location):
    async with asyncio.timeout(60):
        while True:
            found = (await http.get(location)).json()
            if found["status"] not in {"running", "queued", "processing"}:
                return found
            await asyncio.sleep(0.05)


async def hits(http, query, **more):
    response = await http.post("/v1/search", json={"query": query, **more})
    assert response.status_code == 200, response.text
    return response.json()["hits"]


def problem(response):
    return response.status_code, response.json()["code"]


async def crawl(http, url, **more):
    response = await http.post("/v1/documents:website", json={"url": url, **more})
    assert response.status_code == 202, response.text
    found = await ended(http, response.headers["location"])
    return {one["source_id"].split("/", 3)[3]: one for one in found["items"]}


# text, and questions with answers


async def test_a_text_is_a_document(http):
    body = {"source_id": "a", "text": "The heron count is 42.", "metadata": {"year": 2026}}

    response = await http.post("/v1/documents:text", json={**body, "title": "Birds"})

    document = await ended(http, response.headers["location"])
    assert (response.status_code, document["status"]) == (202, "indexed")
    assert (document["title"], document["metadata"]) == ("Birds", {"year": 2026})
    assert [one["snippet"] for one in await hits(http, "heron count")] == ["The heron count is 42."]


async def test_text_that_looks_like_a_page_stays_text(http):
    text = "<html><body>The heron count</body></html>"

    response = await http.post("/v1/documents:text", json={"source_id": "a.html", "text": text})

    await ended(http, response.headers["location"])
    assert [one["snippet"] for one in await hits(http, "heron count")] == [text]


PAIRS = [
    {"question": "May I bring a heron?", "answer": "Yes, on a lead.\n\nOutside only."},
    {"question": "What does parking cost?", "answer": "4 EUR a day."},
]


async def test_questions_are_searched_and_answers_are_shown(http):
    response = await http.post("/v1/documents:qa", json={"source_id": "faq", "pairs": PAIRS})
    document = await ended(http, response.headers["location"])

    (hit,) = await hits(http, "bring a heron", mode="keyword")

    assert (document["status"], document["chunks"]) == ("indexed", 2)
    assert (hit["snippet"], hit["section"]) == (PAIRS[0]["answer"], PAIRS[0]["question"])
    assert await hits(http, "EUR lead outside", mode="keyword") == []


async def test_a_question_is_found_by_its_meaning_alone(http):
    response = await http.post("/v1/documents:qa", json={"source_id": "faq", "pairs": PAIRS})
    await ended(http, response.headers["location"])

    first = (await hits(http, "What does parking cost?", mode="dense"))[0]

    assert first["snippet"] == "4 EUR a day."
    assert first["scores"]["dense"]["score"] == pytest.approx(1, abs=1e-5)


async def test_the_same_pairs_again_are_no_change(http):
    body = {"source_id": "faq", "pairs": PAIRS}
    first = await http.post("/v1/documents:qa", json=body)
    again = await http.post("/v1/documents:qa", json=body)

    assert (first.json()["id"], again.json()["duplicate"]) == (again.json()["id"], True)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("text", {"text": "x"}, "source_id"),
        ("text", {"source_id": "a", "text": " \n "}, "text"),
        ("text", {"source_id": "a", "text": "x", "colour": 1}, "colour"),
        ("text", {"source_id": "a", "text": "x", "acl": []}, "acl"),
        ("text", {"source_id": "a", "text": "x", "metadata": {"a": {}}}, "metadata.a.str"),
        ("qa", {"source_id": "a", "pairs": []}, "pairs"),
        ("qa", {"source_id": "a", "pairs": [{"question": "q"}]}, "pairs.0.answer"),
        ("qa", {"source_id": "a", "pairs": [{"question": " ", "answer": "a"}]}, "pairs.0.question"),
        ("website", {"url": "x", "max_pages": 0}, "max_pages"),
        ("website", {"url": "ftp://example.org/"}, "url"),
        ("website", {"url": "http://user:pw@example.org/"}, "url"),
        ("website", {"url": "http://example.org/", "max_pages": 1001}, "max_pages"),
        ("website", {"url": "http://example.org/", "max_depth": 11}, "max_depth"),
        ("batch", {"items": [{}]}, "items"),
        ("batch", {"items": [{"path": "a", "url": "b"}]}, "items"),
        ("batch", {"items": []}, "items"),
    ],
)
async def test_what_is_no_request_is_refused_by_the_field(http, path, body, field):
    response = await http.post(f"/v1/documents:{path}", json=body)

    assert response.status_code == 422, response.text
    assert response.json()["field"].startswith(field)


UNKEPT = [
    ({"source_id": "a\0b"}, "source_id"),
    ({"source_id": "a\ud800"}, "source_id"),
    ({"title": "a\0b"}, "title"),
    ({"title": "a\udfff"}, "title"),
    ({"acl": ["legal", "a\0b"]}, "acl.1"),
    ({"metadata": {"a\0b": 1}}, "metadata"),
    ({"metadata": {"a\ud800": 1}}, "metadata"),
    ({"metadata": {"a": [1, "\0"]}}, "metadata"),
    ({"metadata": {"a": "\ud800"}}, "metadata"),
]
PLACES = [({"path": "/\0"}, "path"), ({"path": "/\ud800"}, "path")]
NOTHING = ("\0", "\x07 \x1b", "\u200b", "\ufeff\n")
REFUSED = [
    *(
        (path, {"source_id": "a", **body, **values}, field)
        for path, body in (("text", {"text": "x"}), ("qa", {"pairs": PAIRS}))
        for values, field in (*UNKEPT, ({"workspace": "a\0b"}, "workspace"))
    ),
    *(
        ("batch", {"items": [{"path": "/a"}, {"path": "/b", **values}]}, f"items.1.{field}")
        for values, field in (*UNKEPT, *PLACES)
    ),
    ("batch", {"items": [{"url": "http://a/\0"}]}, "items.0.url"),
    ("website", {"url": "http://a/", "metadata": {"a": "\0"}}, "metadata"),
    ("text", {"source_id": "a", "text": "\0\x07"}, "text"),
    *(
        (
            "qa",
            {"source_id": "a", "pairs": [PAIRS[0], {**PAIRS[1], field: text}]},
            f"pairs.1.{field}",
        )
        for text in NOTHING
        for field in ("question", "answer")
    ),
]


async def test_text_that_cannot_be_kept_or_seen_is_refused_by_the_field(http):
    for path, body, field in REFUSED:
        content = json.dumps(body)  # which escapes what is no character
        response = await http.post(
            f"/v1/documents:{path}", content=content, headers={"content-type": "application/json"}
        )

        assert response.status_code == 422, (body, response.text)
        assert response.json()["field"].startswith(field), body


async def test_a_manifest_that_is_no_json_says_so(http):
    for content in (b"{", b"\xff", b"[" * 100_000):
        response = await http.post(
            "/v1/documents:batch", content=content, headers={"content-type": "application/json"}
        )

        assert problem(response) == (400, "invalid_json")


async def test_an_unknown_workspace_is_not_found(http):
    body = {"source_id": "a", "text": "x", "workspace": "nowhere"}
    for headers in ({}, {"Idempotency-Key": "k"}):
        response = await http.post("/v1/documents:text", json=body, headers=headers)

        assert problem(response) == (404, "unknown_workspace")


async def test_a_form_with_text_that_no_store_keeps_is_refused_by_the_field(http):
    for values, field in [
        ({"source_id": "a\0b"}, "source_id"),
        ({"title": "a\0b"}, "title"),
        ({"acl": "legal,a\0b"}, "acl"),
        ({"acl": '["a\\u0000b"]'}, "acl"),
        ({"acl": '["a\\ud800"]'}, "acl"),
        ({"metadata": '{"a\\u0000": 1}'}, "metadata"),
        ({"metadata": '{"a": "\\u0000"}'}, "metadata"),
        ({"metadata": '{"a": ["\\u0000"]}'}, "metadata"),
        ({"metadata": '{"a": "\\ud800"}'}, "metadata"),
    ]:
        response = await http.post("/v1/documents", files={"file": ("a.txt", b"A.")}, data=values)

        assert (response.status_code, response.json()["field"]) == (422, field), values


async def test_so_is_what_describes_the_files_of_a_batch(http):
    for name, value in {"title": "\0", "source_id": "a\0", "metadata": {"a": "\0"}}.items():
        items = json.dumps([{name: value}])
        response = await http.post(
            "/v1/documents:batch", files=form(("a.txt", b"A.")), data={"items": items}
        )

        assert problem(response) == (422, "invalid_items")
        assert f"items.0.{name}" in response.json()["detail"]


# batches


def form(*files: tuple[str, bytes]):
    return [("files", (name, content)) for name, content in files]


async def test_a_batch_takes_what_it_can_and_says_what_it_cannot(http):
    files = form(
        ("a.txt", b"The heron count is 42."), ("b.txt", b"GIF89a\1\0"), ("c.md", b"# C\n\nD")
    )

    response = await http.post("/v1/documents:batch", files=files)

    job = await ended(http, response.headers["location"])
    assert (response.status_code, job["status"], job["kind"]) == (202, "ended", "files")
    assert (job["total"], job["by_status"]) == (3, {"indexed": 2, "refused": 1})
    told = [(one["source_id"], one["status"], one["code"]) for one in job["items"]]
    assert told == [
        ("a.txt", "indexed", None),
        ("b.txt", "refused", "unsupported_content"),
        ("c.md", "indexed", None),
    ]
    assert "b.txt" in job["items"][1]["reason"]
    first = (await http.get(f"/v1/documents/{job['items'][0]['document_id']}")).json()
    assert first["source_id"] == "a.txt"


async def test_a_batch_describes_its_files_in_order(http):
    items = [{"source_id": "x", "title": "X", "metadata": {"n": 1}, "acl": ["legal"]}, {}]

    response = await http.post(
        "/v1/documents:batch",
        files=form(("a.txt", b"A."), ("b.txt", b"B.")),
        data={"items": json.dumps(items), "workspace": "default"},
    )

    job = await ended(http, response.headers["location"])
    x, b = [(await http.get(f"/v1/documents/{one['document_id']}")).json() for one in job["items"]]
    assert (x["source_id"], x["title"], x["metadata"], x["acl"]) == ("x", "X", {"n": 1}, ["legal"])
    assert (b["source_id"], b["metadata"], b["acl"]) == ("b.txt", {}, ["everyone"])


async def test_files_of_a_batch_keep_their_own_bytes(http):
    contents = [bytes([65 + n]) * (n * 70_001 + 1) for n in range(6)]
    names = [f"{n}.txt" for n in range(6)]

    response = await http.post(
        "/v1/documents:batch", files=form(*zip(names, contents, strict=True))
    )

    lines = (await http.get(response.headers["location"])).json()["items"]
    for line, content in zip(lines, contents, strict=True):
        document = (await http.get(f"/v1/documents/{line['document_id']}")).json()
        assert (document["source_id"], document["size"]) == (line["source_id"], len(content))


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"files": form(("a.txt", b"A"), ("a.txt", b"B"))}, "duplicate_source_id"),
        ({"files": form(("a.txt", b"A")), "data": {"items": "[{}, {}]"}}, "invalid_items"),
        ({"files": form(("a.txt", b"A")), "data": {"items": '[{"x": 1}]'}}, "invalid_items"),
        ({"files": form(("a.txt", b"A")), "data": {"colour": "blue"}}, "unknown_field"),
        ({"files": {"x": (None, "y")}}, "unknown_field"),
        ({"content": b"--x", "headers": {"content-type": "multipart/form-data"}}, "invalid_form"),
        (
            {"content": b"rubbish", "headers": {"content-type": "multipart/form-data; boundary=b"}},
            "invalid_form",
        ),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, "invalid_json"),
    ],
)
async def test_a_form_that_is_none_is_refused(http, options, code):
    response = await http.post("/v1/documents:batch", **options)

    assert response.json()["code"] == code
    assert response.status_code in {400, 422}


async def test_a_batch_of_too_many_is_refused(data_dir):
    async with serving(data_dir, http={"max_batch_files": 2}) as http:
        response = await http.post(
            "/v1/documents:batch", files=form(*((f"{n}.txt", b"A") for n in range(3)))
        )

        assert problem(response) == (422, "too_many")


async def test_a_job_comes_in_pages(http):
    files = form(*((f"{n}.txt", b"%d" % n) for n in range(5)))
    location = (await http.post("/v1/documents:batch", files=files)).headers["location"]

    names, after = [], 0
    while after is not None:
        page = (await http.get(location, params={"after": after, "limit": 2})).json()
        names += [one["source_id"] for one in page["items"]]
        after = page["next"]

    assert names == [f"{n}.txt" for n in range(5)]


async def test_an_unknown_job_is_not_found(http):
    assert problem(await http.get("/v1/jobs/0000")) == (404, "unknown_job")


async def test_a_manifest_is_refused_where_nothing_may_be_read(http):
    response = await http.post("/v1/documents:batch", json={"items": [{"path": "/etc/passwd"}]})

    assert problem(response) == (403, "sources_not_configured")


async def test_a_manifest_reads_what_the_operator_allows(data_dir, tmp_path, site):
    (tmp_path / "a.txt").write_text("The heron count is 42.")
    site.raw("/docs/b.txt", b"Parking costs 4 EUR.")
    sources = {"roots": [str(tmp_path)], "url_prefixes": [site.at("/docs")]}
    items = [
        {"path": str(tmp_path / "a.txt"), "source_id": "a", "metadata": {"n": 1}},
        {"url": site.at("/docs/b.txt")},
        {"path": "/etc/passwd"},
        {"url": site.at("/secret")},
        {"url": "http://169.254.169.254/latest"},
        {"path": str(tmp_path / "none.txt")},
    ]
    async with serving(data_dir, web=LOCAL, sources=sources) as http:
        response = await http.post("/v1/documents:batch", json={"items": items})
        job = await ended(http, response.headers["location"])
        document = (await http.get(f"/v1/documents/{job['items'][0]['document_id']}")).json()

    assert (job["kind"], [one["code"] for one in job["items"]]) == (
        "manifest",
        [None, None, *["place_not_allowed"] * 3, "unreadable"],
    )
    assert (document["source_id"], document["metadata"]) == ("a", {"n": 1})
    assert (job["items"][1]["source_id"], job["items"][1]["status"]) == (
        site.at("/docs/b.txt"),
        "indexed",
    )


# websites


async def test_a_website_is_read_page_by_page_within_its_host(http, site):
    site.html("/", '<title>Home</title><p>Welcome.</p><a href="/a">A</a><a href="/b#x">B</a>')
    site.html("/a", '<p>The heron count is 42.</p><a href="/">Home</a><a href="/a">A</a>')
    site.html(
        "/b", '<p>More.</p><a href="http://localhost:1/">out</a><a href="//example.org/">o</a>'
    )

    pages = await crawl(http, site.at("/"), metadata={"n": 1}, acl=["everyone", "legal"])

    assert {path: one["status"] for path, one in pages.items()} == dict.fromkeys(
        ["", "a", "b"], "indexed"
    )
    assert sorted(site.asked) == ["/", "/a", "/b", "/robots.txt"]
    home = (await http.get(f"/v1/documents/{pages['']['document_id']}")).json()
    assert (home["source_id"], home["title"]) == (site.at("/"), "Home")
    assert (home["metadata"], home["acl"]) == ({"n": 1}, ["everyone", "legal"])
    assert (await hits(http, "heron count"))[0]["source_id"] == site.at("/a")


async def test_robots_are_obeyed(http, site):
    site.raw("/robots.txt", b"User-agent: *\nDisallow: /private\n")
    site.html("/", '<p>Welcome.</p><a href="/private/a">A</a>')
    site.html("/private/a", "<p>Secret.</p>")

    pages = await crawl(http, site.at("/"))

    assert pages["private/a"]["code"] == "robots_disallowed"
    assert "/private/a" not in site.asked


async def test_depth_and_pages_are_limits(http, site):
    for n in range(8):
        site.html(f"/{n}", f'<p>Page {n}.</p><a href="/{n + 1}">next</a>')
    site.html("/all", "<p>All.</p>" + "".join(f'<a href="/{n}">x</a>' for n in range(8)))

    deep = await crawl(http, site.at("/0"), max_depth=2)
    many = await crawl(http, site.at("/all"), max_pages=3, max_depth=1)

    assert sorted(deep) == ["0", "1", "2"]
    assert sorted(many) == ["0", "1", "all"]


async def test_redirects_are_judged_like_links_and_loops_end(http, site):
    site.html("/", '<p>Hi.</p><a href="/loop">L</a><a href="/in">I</a><a href="/out">O</a>')
    site.moved("/loop", "/pool")
    site.moved("/pool", "/loop")
    site.moved("/in", "/page")
    site.html("/page", "<p>Page.</p>")
    site.moved("/out", "http://169.254.169.254/latest/meta-data/")

    pages = await crawl(http, site.at("/"))

    assert {path: one["code"] for path, one in pages.items()} == {
        "": None,
        "loop": "moved",
        "pool": "moved",
        "in": "moved",
        "page": None,
        "out": "other_host",
    }
    assert site.asked.count("/loop") == 1


async def test_a_page_that_is_too_large_or_no_document_hinders_no_other(data_dir, site):
    site.html("/", '<p>Hi.</p><a href="/big">B</a><a href="/gif">Z</a><a href="/ok">O</a>')
    site.raw("/big", b"x" * 3_000_000, announced=False)
    site.raw("/gif", b"GIF89a\1\0\1\0")
    site.html("/ok", "<p>Fine.</p>")
    async with serving(data_dir, web={**LOCAL, "max_page_bytes": 100_000}) as http:
        pages = await crawl(http, site.at("/"))

    assert {path: one["code"] for path, one in pages.items()} == {
        "": None,
        "big": "page_too_large",
        "gif": "unsupported_content",
        "ok": None,
    }


async def test_a_slow_page_ends_by_the_clock(data_dir, site):
    site.slow("/", every_s=0.02)
    async with serving(data_dir, web={**LOCAL, "page_timeout_s": 0.3}) as http:
        pages = await crawl(http, site.at("/"))

    assert pages[""]["code"] == "fetch_timed_out"


async def test_a_crawl_ends_by_the_clock(data_dir, site):
    site.html("/", '<p>Hi.</p><a href="/a">A</a><a href="/b">B</a>')
    for crawl_s in (1.0, 5.0, 25.0):  # the first page may take all of it on a slow machine
        limits = {"delay_s": crawl_s * 1.5, "crawl_timeout_s": crawl_s}
        async with serving(data_dir, web={**LOCAL, **limits}) as http:
            pages = await crawl(http, site.at("/"))
        if "a" in pages:
            break

    assert (pages["a"]["status"], pages["a"]["code"]) == ("skipped", "crawl_timed_out")
    assert "/a" not in site.asked


async def test_a_crawl_ends_when_it_has_read_enough(data_dir, site):
    site.html("/", '<p>Hi.</p><a href="/big">B</a><a href="/a">A</a><a href="/b">B</a>')
    site.raw("/big", b"x" * 3_000_000, announced=False)
    site.html("/a", "<p>Fine.</p>")
    web = {**LOCAL, "max_page_bytes": 100_000, "max_crawl_bytes": 50_000}
    async with serving(data_dir, web=web) as http:
        pages = await crawl(http, site.at("/"))

    assert {path: one["code"] for path, one in pages.items()} == {
        "": None,
        "big": "page_too_large",
        "a": "crawl_too_large",
        "b": "crawl_too_large",
    }
    assert pages["a"]["status"] == "skipped"
    assert "50000" in pages["a"]["reason"]
    assert "/a" not in site.asked


async def test_an_address_of_this_machine_is_refused_by_default(data_dir, site):
    site.html("/", "<p>Hi.</p>")
    async with serving(data_dir) as http:
        pages = await crawl(http, site.at("/"))

    assert pages[""]["code"] == "address_not_allowed"
    assert site.asked == []


async def test_crawls_can_be_switched_off(data_dir):
    async with serving(data_dir, web={"crawl": False}) as http:
        response = await http.post("/v1/documents:website", json={"url": "http://example.org/"})

        assert problem(response) == (403, "crawl_not_allowed")


async def test_a_crawl_goes_on_after_a_restart(data_dir, site):
    for n in range(5):
        site.html(f"/{n}", f'<p>Page {n}.</p><a href="/{n + 1}">next</a>')
    site.html("/5", "<p>Last.</p>")
    slow = {**LOCAL, "delay_s": 0.3}
    async with serving(data_dir, web=slow) as http:
        body = {"url": site.at("/0"), "max_depth": 9}
        response = await http.post("/v1/documents:website", json=body)
        await until(lambda: "/1" in site.asked)
    asked = len(site.asked)
    async with serving(data_dir, web=LOCAL) as http:
        job = await ended(http, response.headers["location"])

    assert asked < 6
    assert job["by_status"] == {"indexed": 6}


# the same request twice


TEXT = {"source_id": "a", "text": "The heron count is 42."}


async def test_the_same_request_twice_has_one_answer(http):
    headers = {"Idempotency-Key": "k-1"}
    first = await http.post("/v1/documents:text", json=TEXT, headers=headers)
    await ended(http, first.headers["location"])

    again = await http.post("/v1/documents:text", json=TEXT, headers=headers)

    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotency-replayed"] == "true"
    assert float(first.headers["x-processing-time"]) > 0
    assert again.headers["x-processing-time"] == "0.0"
    assert "idempotency-replayed" not in first.headers


async def test_the_same_batch_twice_is_one_job(http):
    headers = {"Idempotency-Key": "k-1"}
    answers = [
        await http.post("/v1/documents:batch", files=form(("a.txt", b"A")), headers=headers)
        for _ in range(2)
    ]

    assert answers[0].headers["location"] == answers[1].headers["location"]


@pytest.mark.parametrize(
    ("path", "one", "other"),
    [
        ("", {"files": {"file": ("a.txt", b"A")}}, {"files": {"file": ("a.txt", b"B")}}),
        ("", {"files": {"file": ("a.txt", b"A")}}, {"files": {"file": ("b.txt", b"A")}}),
        (":text", {"json": TEXT}, {"json": {**TEXT, "acl": ["legal"]}}),
        (
            ":qa",
            {"json": {"source_id": "a", "pairs": PAIRS}},
            {"json": {"source_id": "a", "pairs": PAIRS[:1]}},
        ),
        (":batch", {"files": form(("a.txt", b"A"))}, {"files": form(("a.txt", b"B"))}),
    ],
)
async def test_one_key_for_two_requests_is_refused(http, path, one, other):
    headers = {"Idempotency-Key": "k-1"}
    first = await http.post(f"/v1/documents{path}", **one, headers=headers)
    second = await http.post(f"/v1/documents{path}", **other, headers=headers)

    assert first.status_code == 202
    assert problem(second) == (422, "idempotency_conflict")


async def test_the_same_request_at_once_is_done_once(http):
    headers = {"Idempotency-Key": "k-1"}
    answers = await asyncio.gather(
        *(
            http.post("/v1/documents:batch", files=form(("a.txt", b"A")), headers=headers)
            for _ in range(5)
        )
    )

    taken = {one.headers["location"] for one in answers if one.status_code == 202}
    refused = [one for one in answers if one.status_code != 202]
    assert len(taken) == 1
    assert {problem(one) for one in refused} <= {(409, "idempotency_in_progress")}
    assert {one.headers["retry-after"] for one in refused} <= {"1"}


async def test_a_request_that_was_refused_may_be_tried_again(http):
    headers = {"Idempotency-Key": "k-1"}
    files = {"file": ("a.txt", b"GIF89a\1\0")}
    statuses = [
        (await http.post("/v1/documents", files=files, headers=headers)).status_code
        for _ in range(2)
    ]

    assert statuses == [415, 415]


async def test_a_repeated_request_does_not_bring_a_deleted_document_back(http):
    headers = {"Idempotency-Key": "k-1"}
    first = await http.post("/v1/documents:text", json={**TEXT, "title": "Birds"}, headers=headers)
    await http.delete(first.headers["location"])

    again = await http.post("/v1/documents:text", json={**TEXT, "title": "Birds"}, headers=headers)

    assert (again.status_code, again.headers["location"]) == (202, first.headers["location"])
    assert (again.json()["status"], again.json()["title"]) == ("deleted", "")
    assert (await http.get("/v1/documents")).json()["documents"] == []


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "ä"])
async def test_a_key_that_is_none_is_refused(http, key):
    headers = {"Idempotency-Key": key.encode()}
    response = await http.post("/v1/documents:text", json=TEXT, headers=headers)

    assert response.status_code == 422


# room


async def test_a_full_queue_is_said_and_what_was_accepted_stays(data_dir):
    async with idle(data_dir, queue={"kind": "local", "max_jobs": 2}) as http:
        answers = [
            await http.post("/v1/documents:text", json={**TEXT, "source_id": name})
            for name in "abc"
        ]
        many = await http.post("/v1/documents:batch", files=form(("d.txt", b"D")))
        listed = (await http.get("/v1/documents")).json()["documents"]
        metrics = (await http.get("/metrics")).text

    assert [one.status_code for one in answers] == [202, 202, 429]
    assert [problem(one) for one in (answers[2], many)] == [(429, "queue_full")] * 2
    assert answers[2].headers["retry-after"] == "5"
    assert sorted(one["source_id"] for one in listed) == ["a", "b"]
    assert "rag_queue_depth 2.0" in metrics
    (oldest,) = [one for one in metrics.splitlines() if one.startswith("rag_queue_oldest_seconds ")]
    assert 0 < float(oldest.split()[1]) < 60


async def test_a_workspace_shows_what_it_holds_and_is_held_to_its_quota(data_dir):
    quotas = {"default": {"max_documents": 2, "max_bytes": 100}}
    async with serving(data_dir, quotas=quotas) as http:
        await http.post("/v1/documents:text", json={"source_id": "a", "text": "x" * 40})
        large = await http.post("/v1/documents:text", json={"source_id": "b", "text": "x" * 61})
        await http.post("/v1/documents:text", json={"source_id": "b", "text": "x" * 60})
        third = await http.post("/v1/documents", files={"file": ("c.txt", b"c")})
        workspace = (await http.get("/v1/workspaces/default")).json()
        smaller = await http.post("/v1/documents:text", json={"source_id": "b", "text": "x"})

    assert [problem(one) for one in (large, third)] == [(429, "quota_exceeded")] * 2
    assert "max_bytes is 100: it holds 40, and would hold 101" in large.json()["detail"]
    assert "max_documents is 2: it holds 2" in third.json()["detail"]
    assert workspace["holds"] == {"documents": 2, "bytes": 100}
    assert workspace["quota"] == quotas["default"]
    assert smaller.status_code == 202
    assert len(list((data_dir / "blobs").rglob("*/*/*"))) == 3


@pytest.mark.parametrize("path", ["text", "qa", "batch"])
async def test_a_json_body_has_a_limit_of_its_own(data_dir, path):
    async with serving(data_dir, http={"max_text_bytes": 2000, "max_body_bytes": 100}) as http:
        within = await http.post(f"/v1/documents:{path}", json={"stray": "x" * 1500})
        beyond = await http.post(f"/v1/documents:{path}", json={"stray": "x" * 2500})

    assert (within.status_code, problem(beyond)) == (422, (413, "too_large"))


async def test_a_form_of_many_has_a_limit_of_its_own(data_dir):
    limits = {"max_batch_bytes": 300_000, "max_upload_bytes": 150_000, "max_batch_files": 2}
    async with serving(data_dir, http=limits) as http:

        async def send(size):
            return await http.post(
                "/v1/documents:batch", files=form(("a.txt", b"a" * size), ("b.txt", b"b"))
            )

        beyond, within = await send(600_000), await send(200_000)
        job = await ended(http, within.headers["location"])

    assert problem(beyond) == (413, "too_large")
    assert [one["code"] for one in job["items"]] == ["too_large", None]


async def test_half_of_a_character_is_refused_in_a_text(http):
    body = b'{"source_id": "t", "text": "a\\ud800b"}'
    headers = {"content-type": "application/json"}

    response = await http.post("/v1/documents:text", content=body, headers=headers)

    assert (response.status_code, response.json()["field"]) == (422, "text")


async def test_a_page_of_a_job_beyond_every_number_is_refused(http):
    response = await http.get("/v1/jobs/any", params={"after": 10**30})

    assert (response.status_code, response.json()["field"]) == (422, "after")


async def test_two_files_are_not_one_document(http):
    files = [("file", ("a.txt", b"One.")), ("file", ("b.txt", b"Two."))]

    response = await http.post("/v1/documents", files=files)

    assert (response.status_code, response.json()["field"]) == (422, "file")
