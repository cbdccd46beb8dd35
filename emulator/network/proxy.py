"""The CONNECT proxy: the only door to the emulated hosts, and no door to anything else.

It copies bytes between the client and a local port, and refuses every host that is not in its table: a client with its
proxy variables set can't reach the real cloud. Both directions may be closed one at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Mapping

_HEAD_LIMIT = 16 * 1024
_HEAD_PATIENCE = 30.0
_CHUNK = 64 * 1024
_QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)
Find = Callable[[str, int], int | None]


class HostTable:
    """Which local port answers for a host; `*.` at the start stands for any one label."""

    def __init__(self, ports: Mapping[str, int]) -> None:
        self._ports = {host.lower(): port for host, port in ports.items()}

    def find(self, host: str, port: int = 443) -> int | None:
        """The local port, or None: only port 443 is served."""
        name = host.lower().rstrip(".")
        wildcard = "*." + name.partition(".")[2]
        return self._ports.get(name, self._ports.get(wildcard)) if port == 443 else None


class _Pipe(asyncio.Protocol):
    """One end of a connection; what it receives goes to the other end."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: _Pipe | None = None
        self.has_ended = False
        """The peer has said all it had to say."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self.other and self.other.transport:
            self.other.transport.write(data)

    def eof_received(self) -> bool:
        """The peer may still read after its last word: this side stays open until the other has ended, too."""
        self.has_ended = True
        if self.other is None or self.other.transport is None:
            return False
        if self.other.has_ended:
            self.other.transport.close()
            return False
        self.other.transport.write_eof()
        return True

    def pause_writing(self) -> None:
        """Our peer reads slowly: take no more from the other end."""
        if self.other and self.other.transport:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other and self.other.transport:
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """A connection that was torn down is torn down on the other side, too; one that was closed is closed."""
        other, self.transport = (self.other.transport if self.other else None), None
        if other:
            other.abort() if exc else other.close()


class _Client(_Pipe):
    """The client's end: reads the CONNECT request first."""

    def __init__(self, find: Find, connections: set[_Client]) -> None:
        super().__init__()
        self._find = find
        self._connections = connections
        self._head: bytes | None = b""
        self._opening: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._socket: socket.socket | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._connections.add(self)
        self._socket = transport.get_extra_info("socket")
        self._timer = asyncio.get_running_loop().call_later(_HEAD_PATIENCE, transport.close)

    def data_received(self, data: bytes) -> None:
        self._acknowledge()
        if self._head is None:
            super().data_received(data)
            return
        self._head += data
        head, end, rest = self._head.partition(b"\r\n\r\n")
        if end:
            self._head = None
            self._begin(head, rest)
        elif len(self._head) > _HEAD_LIMIT:
            self._refuse(431, "The request's head is too long")

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        if self._timer:
            self._timer.cancel()
        if self._opening:
            self._opening.cancel()
        super().connection_lost(exc)

    def _acknowledge(self) -> None:
        """urllib3 leaves Nagle's algorithm on behind a proxy: without this each call waits 40 ms for our delayed ACK.

        Linux forgets the option after a while, hence after every read.
        """
        if _QUICK_ACK is not None and self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)

    def _begin(self, head: bytes, rest: bytes) -> None:
        if self._timer:
            self._timer.cancel()
        method, _, remainder = head.decode("latin-1").partition(" ")
        target = remainder.split(" ")[0]
        host, _, port = target.rpartition(":")
        if method != "CONNECT" or not port.isdecimal():
            self._refuse(405, "This proxy only takes CONNECT host:443: plain http never leaves this machine")
            return
        local = self._find(host, int(port))
        if local is None:
            self._refuse(502, f"{target} is no part of the emulated cloud, and this proxy leads nowhere else")
            return
        assert self.transport is not None
        self.transport.pause_reading()
        self._opening = asyncio.get_running_loop().create_task(self._open(local, rest))

    async def _open(self, port: int, rest: bytes) -> None:
        try:
            _, pipe = await asyncio.get_running_loop().create_connection(_Pipe, "127.0.0.1", port)
        except OSError as fault:
            self._refuse(502, f"The emulated host does not answer: {fault}")
            return
        if self.transport is None:
            if pipe.transport:
                pipe.transport.abort()
            return
        self.other, pipe.other = pipe, self
        self.transport.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        if rest and pipe.transport:
            pipe.transport.write(rest)
        self.transport.resume_reading()

    def _refuse(self, status: int, reason: str) -> None:
        if self.transport is None:
            return
        body = f"{reason}\n".encode()
        phrase = {405: "Method Not Allowed", 431: "Request Header Fields Too Large", 502: "Bad Gateway"}[status]
        head = f"HTTP/1.1 {status} {phrase}\r\nX-Emulator-Reason: {reason}\r\nContent-Type: text/plain\r\n"
        self.transport.write(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        self.transport.close()


class Proxy:
    """The listening proxy."""

    def __init__(self, server: asyncio.Server, connections: set[_Client]) -> None:
        self._server = server
        self._connections = connections
        self.port: int = server.sockets[0].getsockname()[1]

    @classmethod
    async def start(cls, find: Find, port: int = 0) -> Proxy:
        """Listen on loopback; port 0 takes a free one. Raises OSError."""
        connections: set[_Client] = set()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Client(find, connections), "127.0.0.1", port)
        return cls(server, connections)

    @property
    def open_connections(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    def stop(self) -> None:
        """Take no more connections, and end those that are open."""
        self._server.close()
        for client in list(self._connections):
            if client.transport:
                client.transport.abort()


async def copy_both_ways(port: int, tls: ssl.SSLContext) -> asyncio.Server:
    """Listen with TLS on a free port, and copy what is inside to and from a local port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.transport.abort()
            return
        await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))

    return await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, ssl.SSLError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
    writer.close()
