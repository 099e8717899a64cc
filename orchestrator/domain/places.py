"""URLs in one form, so that two that are the same page compare equal; stdlib only."""

from __future__ import annotations

import posixpath
from typing import Final
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

_PORTS: Final = {"http": 80, "https": 443}
_KEPT: Final = "/:@!$&'()*+,;=~-._%"
MAX_URL: Final = 2048


def normal(url: str) -> str:
    """The URL without fragment, its host in lower case, its path without dots.

    Raises:
        ValueError: when it is not an http or https URL, or carries a password or odd characters.
    """
    if len(url) > MAX_URL or any(ord(char) <= 0x20 or char in '\\"<>^`{|}\x7f' for char in url):
        raise ValueError(f"not a URL: {url[:80]!r}")
    parts = urlsplit(url)
    host = _host(parts)
    if parts.scheme not in _PORTS or not host or parts.username is not None:
        raise ValueError(f"not a plain http or https URL: {parts.scheme}://{parts.hostname}")
    netloc = f"[{host}]" if ":" in host else host
    if parts.port not in {None, _PORTS[parts.scheme]}:
        netloc = f"{netloc}:{parts.port}"
    return urlunsplit((parts.scheme, netloc, _path(parts.path), parts.query, ""))


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of a normal URL."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or _PORTS[parts.scheme]


def same_host(url: str, start: str) -> bool:
    """Whether a normal URL is on the host and port of another, or on its https."""
    scheme, host, port = origin(url)
    began_scheme, began_host, began_port = origin(start)
    if host != began_host:
        return False
    secured = (began_scheme, began_port, scheme, port) == ("http", 80, "https", 443)
    return secured or (scheme, port) == (began_scheme, began_port)


def within(url: str, prefix: str) -> bool:
    """Whether a normal URL lies at or below a normal prefix: of its origin, and of its path."""
    if origin(url) != origin(prefix):
        return False
    path, above = urlsplit(url).path, urlsplit(prefix).path
    return path == above or path.startswith(above if above.endswith("/") else f"{above}/")


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").rstrip(".")
    return host if host.isascii() else host.encode("idna").decode()


def _path(path: str) -> str:
    """Without dots, those that are written as %2e included; what is below a slash stays there."""
    plain = unquote(path).replace("\\", "/")
    if ".." in plain.split("/") or "." in plain.split("/"):
        path = posixpath.normpath(plain) + ("/" if plain.endswith(("/", "/.", "/..")) else "")
        path = quote(path, safe=_KEPT.replace("%", ""))
    return "/" + quote(path, safe=_KEPT).lstrip("/")
