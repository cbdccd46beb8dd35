"""The CONNECT proxy: the way to the emulated hosts, and to nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Awaitable, Callable

import pytest
import requests

from emulator.network.proxy import HostTable, Proxy
from tests.cloud import Cloud


def _ask(cloud: Cloud, request: str) -> str:
    """Send this to the proxy as it is, and give the head of the answer."""
    port = int(cloud.environment["https_proxy"].rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request.encode())
        return connection.recv(65536).decode()


@pytest.mark.parametrize(
    "target",
    [
        "example.com:443",
        "management.azure.com:443",
        "another-vault.vault.azure.net:443",
        "another.blob.core.windows.net:443",
        "evil.api.powerbi.com:443",
        "api.powerbi.com.example.com:443",
        "api.powerbi.com:80",
        "127.0.0.1:443",
        "169.254.169.254:443",
    ],
)
def test_hosts_that_are_not_emulated_are_refused(cloud: Cloud, target: str) -> None:
    answer = _ask(cloud, f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n")
    assert answer.startswith("HTTP/1.1 502 ")
    assert f"{target} is no part of the emulated cloud" in answer


@pytest.mark.parametrize("request_line", ["GET http://api.powerbi.com/", "CONNECT api.powerbi.com", "nonsense"])
def test_anything_but_connect_is_refused(cloud: Cloud, request_line: str) -> None:
    assert _ask(cloud, f"{request_line} HTTP/1.1\r\n\r\n").startswith("HTTP/1.1 405 ")


def test_an_endless_head_is_refused(cloud: Cloud) -> None:
    assert _ask(cloud, "CONNECT " + "a" * 20_000).startswith("HTTP/1.1 431 ")


def test_the_canary_tells_that_this_proxy_was_gone_through(cloud: Cloud) -> None:
    with cloud.session() as session:
        answer = session.get("https://canary.emulator.invalid/", timeout=10)
    assert answer.json() == {"canary": cloud.environment["EMULATOR_CANARY"]}


@pytest.mark.parametrize(
    "host",
    ["api.powerbi.com", "api.powerbigov.us", "api.high.powerbigov.us", "api.mil.powerbigov.us", "api.powerbi.cn"],
)
def test_every_clouds_power_bi_answers_under_its_own_certificate(cloud: Cloud, host: str) -> None:
    with cloud.session() as session:
        answer = session.get(f"https://{host}/v1.0/myorg/groups", timeout=10)
    assert answer.status_code == 403  # nobody is signed in


def test_only_the_emulators_own_authority_vouches_for_the_hosts(cloud: Cloud) -> None:
    with cloud.session() as session:
        session.verify = True
        with pytest.raises(requests.exceptions.SSLError):
            session.get("https://api.powerbi.com/v1.0/myorg/groups", timeout=10)


Scenario = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def _through_proxy(serve: Scenario, scenario: Scenario) -> int:
    """Run a client against a server of the test's own through a proxy; gives the open connections after it."""

    async def run() -> int:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        proxy = await Proxy.start(HostTable({"service.invalid": port}).find)
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"CONNECT service.invalid:443 HTTP/1.1\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        await asyncio.wait_for(scenario(reader, writer), 10)
        for _ in range(200):
            if not proxy.open_connections:
                break
            await asyncio.sleep(0.01)
        left = proxy.open_connections
        writer.close()
        proxy.stop()
        server.close()
        return left

    return asyncio.run(run())


async def _echo_when_all_is_said(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(await reader.read())
    writer.close()


async def _hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


def test_a_client_may_end_its_half_and_still_read_the_answer() -> None:
    async def scenario(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"x" * 5_000_000)
        writer.write_eof()
        assert await reader.read() == b"x" * 5_000_000

    assert _through_proxy(_echo_when_all_is_said, scenario) == 0


def test_the_client_learns_that_the_server_has_dropped_the_connection() -> None:
    async def scenario(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()

    assert _through_proxy(_hang_up, scenario) == 0


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="only Linux can acknowledge at once")
def test_calls_do_not_wait_for_delayed_acknowledgements(cloud: Cloud) -> None:
    """urllib3 sends head and body apart with Nagle's algorithm on: 40 ms each unless the proxy acknowledges at once."""
    with cloud.session() as session:
        pauses = [_seconds_of_ten_posts(session) for _ in range(3)]
    assert min(pauses) < 0.3


def _seconds_of_ten_posts(session: requests.Session) -> float:
    started = time.monotonic()
    for _ in range(10):
        session.post("https://canary.emulator.invalid/", data=b"x" * 2000, timeout=10)
    return time.monotonic() - started
