"""The HTTP server behind all emulated hosts: dispatches on the Host header, strikes with faults, keeps the list."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from emulator.control.faults import Fault, Faults
from emulator.control.requests_log import RequestsLog
from emulator.http import Answer, Call, Service

_LARGEST_BODY = 1024**3
_KEEP_ALIVE = (
    3600.0  # a connection that the server closes just as it is used again would be a fault that nobody asked for
)
_log = logging.getLogger(__name__)
Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Hosts:
    """The emulated services by the names of their hosts; `*.` at the start stands for any one label."""

    def __init__(self, services: Iterable[Service]) -> None:
        self._services = {host.lower(): service for service in services for host in service.hosts}

    def names(self) -> list[str]:
        """Every host name, wildcards as they are."""
        return list(self._services)

    def find(self, host: str) -> Service | None:
        """The service that answers for this host."""
        return self._services.get(host) or self._services.get("*." + host.partition(".")[2])


class Front:
    """Takes requests for one port. `only`: the service that answers whatever the Host header says."""

    def __init__(self, hosts: Hosts, faults: Faults, log: RequestsLog, only: Service | None = None) -> None:
        self._hosts = hosts
        self._faults = faults
        self._log = log
        self._only = only

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request from its arrival to its answer, or to the loss of its connection."""
        call = await _call_of(request)
        entry = self._log.begin(call)
        fault = self._faults.take(call)
        answer = await self._answer(call, fault)
        self._log.end(entry, call, answer)
        if answer is None:
            return _drop(request)
        return _response(answer)

    async def _answer(self, call: Call, fault: Fault | None) -> Answer | None:
        """What the service says, or the fault in its place; None: the connection is to be dropped."""
        service = self._only or self._hosts.find(call.host)
        if service is None:
            message = f"No emulated service answers for the host '{call.host}'"
            return Answer(421, {"error": {"code": "MisdirectedRequest", "message": message}})
        if fault is None:
            return _serve(service, call)
        return await _strike(service, call, fault)


async def _strike(service: Service, call: Call, fault: Fault) -> Answer | None:
    call.notes.append(f"struck by {fault.id}")
    if fault.delay and not fault.late_answer:
        await asyncio.sleep(fault.delay)
    carried_out = fault.answer is None and fault.drop != "before"
    served = _serve(service, call) if carried_out else None
    if fault.delay and fault.late_answer:
        await asyncio.sleep(fault.delay)
    if fault.drop:
        return None
    return served if fault.answer is None else service.finish(call, fault.answer.copy())


def _serve(service: Service, call: Call) -> Answer:
    """A defect of the emulator must never look like a behaviour of the service: it says so, and is logged."""
    try:
        return service.handle(call)
    except Exception as defect:  # noqa: BLE001 whatever it is
        _log.exception("The emulator failed at %s %s%s", call.method, call.host, call.path)
        message = f"The emulator itself failed: {type(defect).__name__}: {defect}"
        return Answer(500, {"error": {"code": "EmulatorDefect", "message": message}})


async def _call_of(request: web.BaseRequest) -> Call:
    path, _, query = request.raw_path.partition("?")
    host = request.headers.get("Host", "").lower()
    return Call(
        method=request.method,
        host=host.partition(":")[0],
        path=path,
        query=dict(parse_qsl(query, keep_blank_values=True)),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=await request.read(),
    )


def _response(answer: Answer) -> web.Response:
    headers = dict(answer.headers)
    given = {name.lower() for name in headers}
    if "server" not in given:
        headers["Server"] = "Microsoft-HTTPAPI/2.0"
    if isinstance(answer.body, dict | list) and "content-type" not in given:
        headers["Content-Type"] = "application/json; charset=utf-8"
    return web.Response(status=answer.status, body=answer.payload(), headers=headers)


def _drop(request: web.BaseRequest) -> web.StreamResponse:
    """End the connection without an answer; the response only ends aiohttp's part in it."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


class Site:
    """A listening HTTP server."""

    def __init__(self, runner: web.ServerRunner, port: int) -> None:
        self._runner = runner
        self.port = port

    @classmethod
    async def start(cls, handle: Handle, port: int = 0, tls: ssl.SSLContext | None = None) -> Site:
        """Listen on loopback; port 0 takes a free one. Raises OSError."""
        server = web.Server(
            handle, request_factory=_make_request, keepalive_timeout=_KEEP_ALIVE, access_log=None, tcp_keepalive=False
        )
        runner = web.ServerRunner(server, shutdown_timeout=0.5)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
        return cls(runner, runner.addresses[0][1])

    async def stop(self) -> None:
        """Take no more requests, and end open connections."""
        await self._runner.cleanup()


def _make_request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=_LARGEST_BODY)
