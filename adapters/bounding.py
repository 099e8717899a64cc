"""What other machines answer is read up to a bound, and never unpacked: it can fill no memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import httpx

PLAIN: Final = {"Accept-Encoding": "identity"}
"""The header that goes with every request of a client whose answers are bounded."""

Hook = Callable[[httpx.Response], Awaitable[None]]


def bounded(longest: int) -> dict[str, list[Hook]]:
    """Hooks of a client: at most so many bytes of a response, unless it is a stream of events.

    What is longer, or packed though it was asked for plain, ends as an `httpx.TransportError`.
    """

    async def bound(response: httpx.Response) -> None:
        if response.headers.get("content-encoding", "identity") != "identity":
            raise httpx.ReadError("it packs what it says, unasked", request=response.request)
        streams = response.headers.get("content-type", "").startswith("text/event-stream")
        if response.is_error or not streams:
            assert isinstance(response.stream, httpx.AsyncByteStream)
            response.stream = _Bounded(response.stream, longest)

    return {"response": [bound]}


class _Bounded(httpx.AsyncByteStream):
    def __init__(self, inner: httpx.AsyncByteStream, longest: int) -> None:
        self._inner = inner
        self._longest = longest

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = self._longest
        async for some in self._inner:
            left -= len(some)
            if left < 0:
                raise httpx.ReadError("it says more than it was asked for")
            yield some

    async def aclose(self) -> None:
        await self._inner.aclose()
