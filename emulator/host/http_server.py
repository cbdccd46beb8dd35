"""HTTP triggers: routes as the Functions host matches them, requests and answers as it converts them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from http.cookies import SimpleCookie
from typing import Any

from aiohttp import web
from multidict import MultiMapping

from emulator.host import event_grid
from emulator.host.converters import converter, datum
from emulator.host.errors import CannotStart
from emulator.host.event_grid import EventGridWebhook
from emulator.host.indexing import Function
from emulator.host.invocation import Invoker
from emulator.host.log import say
from emulator.host.templates import Template, path_segments

BODY_LIMIT = 100 * 1024 * 1024
BALANCER_CUT_OFF = 230
"""Seconds after which the platform's load balancer gives up on a request, whatever functionTimeout says."""

ByHand = Callable[[Function, str], None]


class Route:
    """A function's template and methods; an empty set of methods stands for all."""

    def __init__(self, function: Function, prefix: str) -> None:
        self.function = function
        written = function.trigger.get("route") or function.name
        self.template = Template(f"{prefix}/{written}" if prefix else written)
        self.methods = frozenset(method.upper() for method in function.trigger.get("methods") or ())
        first = self.template.text.split("/")[0].lower()
        if first in ("admin", "runtime"):
            raise ValueError(f"the route {written!r} is reserved for the host")

    def overlaps(self, other: Route) -> bool:
        same = self.template.text.lower() == other.template.text.lower()
        return same and (not self.methods or not other.methods or bool(self.methods & other.methods))

    def match(self, method: str, segments: list[str]) -> dict[str, str] | None:
        return self.template.match(segments) if not self.methods or method in self.methods else None


class Routes:
    """All routes, in the order in which the host tries them: by function name, whatever the template says."""

    def __init__(self, functions: Iterable[Function], prefix: str) -> None:
        self._routes: list[Route] = []
        faults: list[str] = []
        for function in sorted(functions, key=lambda function: (function.name.lower(), function.name)):
            try:
                self._add(Route(function, prefix))
            except ValueError as error:
                faults.append(f"function {function.name}: {error}")
        if faults:
            raise CannotStart(faults)

    def _add(self, route: Route) -> None:
        for other in self._routes:
            if route.overlaps(other):
                raise ValueError(f"its route {route.template.text!r} conflicts with that of {other.function.name}")
        self._routes.append(route)

    def find(self, method: str, raw_path: str) -> tuple[Function, dict[str, str]] | None:
        """The first function that takes this method and path, with the route's values."""
        segments = path_segments(raw_path)
        for route in self._routes:
            values = route.match(method, segments)
            if values is not None:
                return route.function, values
        return None


class HttpServer:
    """Serves the routes on loopback; Event Grid's webhook; POST /admin/functions/NAME, which runs one by hand."""

    def __init__(
        self,
        routes: Routes,
        others: Iterable[Function],
        invoker: Invoker,
        by_hand: ByHand,
        events: EventGridWebhook,
    ) -> None:
        self._routes = routes
        self._events = events
        self._others = {function.name.lower(): function for function in others}
        self._invoker = invoker
        self._by_hand = by_hand
        self._closing = False
        self._open = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        app = web.Application(client_max_size=BODY_LIMIT)
        app.router.add_route("*", "/{path:.*}", self._counted)
        self._runner = web.AppRunner(app, access_log=None, max_field_size=32768, shutdown_timeout=1)
        self._site: web.TCPSite | None = None

    async def start(self, port: int) -> int:
        """Serve; returns the port, which is another one for port 0. Raises CannotStart if it is taken."""
        await self._runner.setup()
        self._site = web.TCPSite(self._runner, "127.0.0.1", port)
        try:
            await self._site.start()
        except OSError as error:
            raise CannotStart([f"port {port} can't be served: {error.strerror}"]) from error
        return int(self._runner.addresses[0][1])

    async def stop_accepting(self) -> None:
        """No new connections, and 503 for what comes over old ones."""
        self._closing = True
        if self._site is not None:
            await self._site.stop()

    async def wait_until_quiet(self) -> None:
        """Return when every request that came is answered."""
        await self._quiet.wait()

    async def close(self) -> None:
        """End all connections."""
        await self._runner.cleanup()

    async def _counted(self, request: web.Request) -> web.StreamResponse:
        if self._closing:
            return web.Response(status=503, text="Function host is not running.", headers={"Connection": "close"})
        self._open += 1
        self._quiet.clear()
        try:
            return await self._answer(request)
        finally:
            self._open -= 1
            if self._open == 0:
                self._quiet.set()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        raw_path = request.raw_path.partition("?")[0]
        segments = path_segments(raw_path)
        if [segment.lower() for segment in segments[:2]] == ["admin", "functions"]:
            return await self._admin(request, segments[2:])
        if tuple(segment.lower() for segment in segments) == event_grid.PATH:
            return await self._events.answer(request)
        found = self._routes.find(request.method, raw_path)
        if found is None:
            return web.Response(status=404)
        return await self._run(request, *found)

    async def _admin(self, request: web.Request, rest: list[str]) -> web.Response:
        function = self._others.get(rest[0].lower()) if len(rest) == 1 and request.method == "POST" else None
        if function is None:
            return web.Response(status=404)
        try:
            text = (await request.json()).get("input", "")
        except (ValueError, AttributeError):
            return web.Response(status=400, text='The body must be {"input": "..."}')
        self._by_hand(function, text if isinstance(text, str) else "")
        return web.Response(status=202)

    async def _run(self, request: web.Request, function: Function, values: dict[str, str]) -> web.Response:
        argument = _request(request, values, await _body(request))
        started = time.monotonic()
        outcome = await self._invoker.run(
            function,
            argument,
            trace_parent=request.headers.get("traceparent", ""),
            trace_state=request.headers.get("tracestate", ""),
            shown={"method": request.method, "path": request.path},
        )
        if time.monotonic() - started > BALANCER_CUT_OFF:
            say(f"{function.name} took longer than the 230 s after which Azure drops a request", "warning")
        if not outcome.succeeded:
            return web.Response(status=500)
        output = next((name for name, kind in function.outputs.items() if kind == "http"), "$return")
        return _response(function, outcome.outputs.get(output))


async def _body(request: web.Request) -> bytes:
    """The body is passed on only if Content-Length says that there is one: a chunked request arrives empty."""
    length = request.content_length or 0
    if length > BODY_LIMIT:
        raise web.HTTPRequestEntityTooLarge(max_size=BODY_LIMIT, actual_size=length)
    return await request.read() if length else b""


def _joined(values: MultiMapping[str]) -> dict[str, str]:
    """Repeated names as the host passes them on: one value, joined by commas."""
    return {name: ",".join(values.getall(name)) for name in values}


def _request(request: web.Request, values: dict[str, str], body: bytes) -> Any:
    """The request as the platform's own converter makes it from what the host sends to the worker."""
    headers = {name.lower(): value for name, value in _joined(request.headers).items()}
    data = {
        "method": datum(request.method, "string"),
        "url": datum(f"{request.scheme}://{request.host}{request.raw_path}", "string"),
        "headers": {name: datum(value, "string") for name, value in headers.items()},
        "query": {name: datum(value, "string") for name, value in _joined(request.query).items()},
        "params": {name: datum(value, "string") for name, value in values.items()},
        "body": datum(body, "bytes"),
    }
    return converter("httpTrigger").decode(datum(data, "http"), trigger_metadata=None)


def _response(function: Function, value: Any) -> web.Response:
    """What the function returned, over the platform's own converter; what that can't take is the function's failure."""
    if value is None:
        say(f"{function.name} answered nothing: return an HttpResponse", "warning")
        return web.Response(status=204)
    try:
        answer = converter("http").encode(value, expected_type=None)
    except NotImplementedError:
        say(f"{function.name} failed: it returned a {type(value).__name__}, not an HttpResponse", "error")
        return web.Response(status=500)
    if answer.type == "string":
        return web.Response(text=answer.value)
    return _from_datum(answer.value)


def _from_datum(data: dict[str, Any]) -> web.Response:
    headers = {name: str(each.value) for name, each in data["headers"].items() if name.lower() != "content-length"}
    response = web.Response(status=int(data["status_code"].value), headers=headers, body=data["body"].value)
    for cookie in data["cookies"] or ():
        _add_cookies(response, cookie)
    return response


def _add_cookies(response: web.Response, cookies: SimpleCookie) -> None:
    for morsel in cookies.values():
        response.headers.add("Set-Cookie", morsel.OutputString())
