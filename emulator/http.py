"""What an emulated host is made of: routes, and answers in the shape that each service has for them.

Handlers are plain functions that run one at a time on the emulator's only event loop, so state needs no locks and a
handler may never block. Delays, dropped connections and faults are the server's business, not theirs.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

Json = dict[str, Any]


@dataclass
class Call:
    """One request, as a service sees it. Header names are in lower case, a repeated query parameter keeps its last."""

    method: str
    host: str
    path: str
    """Percent-encoded, as it was sent."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """What the route's `{names}` matched, decoded."""
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    client_id: str = ""
    """Set by the service as soon as it knows who calls; shown in the control API's list of requests."""
    notes: list[str] = field(default_factory=list)
    """Remarks for the list of requests, such as fields that the service ignores because it does not know them."""

    def json(self) -> Any:
        """The body as JSON; raises ValueError."""
        return json.loads(self.body)

    def form(self) -> dict[str, str]:
        """The body as a posted form."""
        return {name: values[-1] for name, values in parse_qs(self.body.decode(), keep_blank_values=True).items()}

    @property
    def bearer(self) -> str:
        """The token of the Authorization header, or empty."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""


@dataclass
class Answer:
    """What goes back. `body`: None is an empty body; a dict or list is sent as JSON; bytes as they are."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    def copy(self) -> Answer:
        """The same with headers of its own."""
        return Answer(self.status, self.body, dict(self.headers))

    def payload(self) -> bytes:
        """The body as it goes over the wire."""
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


class Refusal(Exception):
    """Raised by a handler to answer with an error at once."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"{answer.status} {answer.body!r}")
        self.answer = answer


Handler = Callable[[Call], Answer]


@dataclass(frozen=True)
class _Route:
    method: str
    pattern: re.Pattern[str]
    handler: Handler


class Router:
    """Routes of one service. Templates are literal but for `{name}`, which matches one segment; case is ignored, and so
    is a slash at the end, as Microsoft's services ignore it.
    """

    def __init__(self) -> None:
        self._routes: list[_Route] = []

    def add(self, method: str, template: str, handler: Handler) -> None:
        """Routes are tried in the order in which they were added."""
        parts = re.split(r"\{(\w+)\}", template)
        pattern = "".join(f"(?P<{part}>[^/]+)" if at % 2 else re.escape(part) for at, part in enumerate(parts))
        self._routes.append(_Route(method, re.compile(pattern.rstrip("/") + "/?", re.IGNORECASE), handler))

    def route(self, method: str, template: str) -> Callable[[Handler], Handler]:
        """`add` as a decorator."""

        def register(handler: Handler) -> Handler:
            self.add(method, template, handler)
            return handler

        return register

    def find(self, call: Call) -> Handler | None:
        """The handler for this call, with `call.parameters` filled in; None if there is no such route."""
        for route in self._routes:
            matched = route.pattern.fullmatch(call.path) if route.method == call.method else None
            if matched:
                call.parameters = {name: unquote(value) for name, value in matched.groupdict().items()}
                return route.handler
        return None

    def templates(self) -> list[tuple[str, str]]:
        """Method and pattern of every route, for coverage lists."""
        return [(route.method, route.pattern.pattern) for route in self._routes]


class Service:
    """One emulated service: answers calls to its hosts."""

    hosts: tuple[str, ...] = ()
    """Host names; `*.` at the start stands for any one label."""

    def __init__(self) -> None:
        self.router = Router()

    def handle(self, call: Call) -> Answer:
        """Route the call; an unknown route answers 501 and says which, so that a gap never looks like a behaviour."""
        handler = self.router.find(call)
        if handler is None:
            message = f"The emulator has no {call.method} {call.host}{call.path}"
            return self.finish(call, Answer(501, {"error": {"code": "NotEmulated", "message": message}}))
        try:
            return self.finish(call, handler(call))
        except Refusal as refusal:
            return self.finish(call, refusal.answer)

    def finish(self, call: Call, answer: Answer) -> Answer:  # noqa: ARG002 for services that override it
        """Add what every answer of this service carries; faults that a test asked for pass through here as well."""
        return answer
