"""No test reaches another machine, and every one may reach its own."""

from __future__ import annotations

import asyncio
import socket

import pytest

from tests.builders import free_port
from tests.conftest import NetworkUsed

OUTSIDE = ("192.0.2.1", 9)


@pytest.mark.parametrize("how", ["connect", "connect_ex"])
def test_a_connection_to_another_machine_is_refused(how):
    with socket.socket() as client, pytest.raises(NetworkUsed, match=r"192\.0\.2\.1"):
        getattr(client, how)(OUTSIDE)


def test_a_connection_by_name_is_refused():
    with socket.socket() as client, pytest.raises(NetworkUsed, match=r"example\.invalid"):
        client.connect(("example.invalid", 80))


def test_a_connection_over_ipv6_is_refused():
    with socket.socket(socket.AF_INET6) as client, pytest.raises(NetworkUsed):
        client.connect(("2001:db8::1", 9))


async def test_a_connection_of_an_event_loop_is_refused():
    with pytest.raises(NetworkUsed):
        await asyncio.open_connection(*OUTSIDE)


async def test_a_connection_to_this_machine_is_let_through():
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", free_port())
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        received = await reader.read()
        writer.close()
        await writer.wait_closed()

    assert received == b""


def test_a_socket_in_the_file_system_is_let_through(tmp_path):
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        client.connect(path)

        assert client.getpeername() == path
