"""URLs: what is the same page, the same host, or below a prefix."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.places import normal, same_host, within


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("http://EXAMPLE.org", "http://example.org/"),
        ("https://a.org:443/x/../y#f", "https://a.org/y"),
        ("http://a.org/%2e%2e/etc?q=1", "http://a.org/etc?q=1"),
        ("http://a.org/b/%2E%2e%2Fc", "http://a.org/c"),
        ("http://a.org/b/./c/", "http://a.org/b/c/"),
        ("http://münchen.de/ä", "http://xn--mnchen-3ya.de/%C3%A4"),
        ("http://a.org/b%20c", "http://a.org/b%20c"),
        ("http://a.org.:80/x", "http://a.org/x"),
        ("http://[::1]:8080", "http://[::1]:8080/"),
    ],
)
def test_a_url_has_one_form(url, plain):
    assert normal(url) == plain
    assert normal(plain) == plain


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.org",
        "ftp://a.org/",
        "file:///etc/passwd",
        "http://",
        "http://user:pw@a.org/",
        "http://user@a.org/",
        "http://a.org\\@b.org/",
        "http://a.org/\r\nHost: b",
        "http://a.org:x/",
        "http://a.org:99999/",
        "http://[::1/",
        "http://a.org/" + "x" * 2048,
    ],
)
def test_what_is_no_plain_url_is_refused(url):
    with pytest.raises(ValueError, match=r".+"):
        normal(url)


@given(st.text(max_size=60))
def test_a_normal_url_stays_as_it_is_whatever_its_path(path):
    try:
        url = normal(f"http://a.org/{path}")
    except ValueError:
        return
    assert normal(url) == url
    assert within(url, "http://a.org/")


@pytest.mark.parametrize(
    ("url", "prefix", "inside"),
    [
        ("https://a.org/docs/x", "https://a.org/docs/", True),
        ("https://a.org/docs/x", "https://a.org/docs", True),
        ("https://a.org/docs", "https://a.org/docs", True),
        ("https://a.org/docs2", "https://a.org/docs", False),
        ("https://a.org/doc", "https://a.org/docs/", False),
        ("http://a.org/docs/x", "https://a.org/docs/", False),
        ("https://a.org:8443/docs/x", "https://a.org/docs/", False),
        ("https://a.org.evil.org/docs/x", "https://a.org/docs/", False),
        ("https://evil.org/https://a.org/docs/", "https://a.org/docs/", False),
    ],
)
def test_below_a_prefix_is_its_origin_and_its_path(url, prefix, inside):
    assert within(url, prefix) is inside


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("http://a.org/x", True),
        ("https://a.org/x", True),
        ("http://a.org:8080/x", False),
        ("https://a.org:8443/x", False),
        ("http://www.a.org/", False),
        ("http://b.org/", False),
    ],
)
def test_a_host_is_its_name_and_port_or_its_secure_twin(url, same):
    assert same_host(url, "http://a.org/") is same


def test_a_secure_host_has_no_plain_twin():
    assert not same_host("http://a.org/", "https://a.org/")
