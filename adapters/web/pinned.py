"""An HTTP transport that resolves a name once, checks what it found, and connects to just that."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from typing import Final, TypeAlias

import httpx

from orchestrator.domain.errors import Rejected

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


class PinnedTransport(httpx.AsyncBaseTransport):
    """Connects to public addresses, and to those in `allowed`.

    The name is resolved here and nowhere else, so one that changes between the check and the
    connection (DNS rebinding) changes nothing. The certificate is checked against the name. No
    connection is used twice: two names at one address must not share one.
    """

    def __init__(self, allowed: Sequence[Network]) -> None:
        self._allowed = allowed
        self._inner = httpx.AsyncHTTPTransport(
            trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request to the first of its host's addresses that takes a connection."""
        host = request.url.host
        addresses = await self._resolved(host, request.url.port)
        failed: httpx.TransportError | None = None
        for address in addresses:
            try:
                return await self._inner.handle_async_request(_to(address, host, request))
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failed = error
        raise failed or httpx.ConnectError(f"'{host}' has no address")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()

    async def _resolved(self, host: str, port: int | None) -> list[str]:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                host, port, type=socket.SOCK_STREAM
            )
        except (OSError, UnicodeError) as error:
            raise httpx.ConnectError(f"'{host}' cannot be resolved") from error
        addresses = list(dict.fromkeys(str(one[4][0]).partition("%")[0] for one in found))
        for one in addresses:
            if not permitted(ipaddress.ip_address(one), self._allowed):
                raise Rejected(
                    f"'{host}' is at an address that is not public, and not allowed",
                    code="address_not_allowed",
                )
        return addresses


def permitted(address: Address, allowed: Sequence[Network]) -> bool:
    """Whether an address is public, or in one of the networks; seen through IPv6's disguises."""
    plain = _plain(address)
    if any(plain in network for network in allowed):
        return True
    return plain.is_global and not plain.is_multicast and not plain.is_reserved


def _plain(address: Address) -> Address:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    within = address.teredo[1] if address.teredo else None
    return next((one for one in (address.ipv4_mapped, address.sixtofour, within) if one), address)


def _to(address: str, host: str, request: httpx.Request) -> httpx.Request:
    return httpx.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,  # the Host header is the name's
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": host},
    )
