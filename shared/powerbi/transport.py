"""The only way to Power BI: the right identity's token, within the guardrails, errors as our tree."""

from __future__ import annotations

import json as jsonlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from shared import telemetry
from shared.errors import AppError, Evidence, Throttled, Unavailable
from shared.powerbi.errors import AWAY_FOR, from_answer, token_at_fault
from shared.powerbi.exchange import Dropped, Raw, Wire
from shared.powerbi.gate import Gate
from shared.powerbi.guardrails import Guard, Target
from shared.times import Now

if TYPE_CHECKING:
    from shared.auth.tokens import AccessToken
    from shared.settings import Cloud

DEADLINE = 30.0
"""Seconds for a whole call: token, connection, the answer to its last byte, and a second try if there is one."""
TOKEN_TIMEOUT = 10.0


class Tokens(Protocol):
    """Where the access tokens of the app's identities come from."""

    def token(self, identity: str, *, floor: timedelta = ..., timeout: float = ...) -> AccessToken: ...

    def renewed(self, refused: AccessToken, *, timeout: float = ...) -> AccessToken: ...


@dataclass(frozen=True)
class Answer:
    """An answer in 2xx. Header names are in lower case; the body may be empty, and may hold a token."""

    operation: str
    status: int
    request_id: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """The body as JSON, None where it is empty; raises Unavailable where it is something else."""
        try:
            return jsonlib.loads(self.body) if self.body else None
        except ValueError:
            raise self.odd("not JSON") from None

    def odd(self, what: str) -> Unavailable:
        """The error for an answer of 2xx that is not what the operation promises."""
        evidence = Evidence(self.operation, self.status, "", what, self.request_id)
        return Unavailable(f"Power BI's answer to {self.operation} is {what}. Try again later.", evidence=evidence)


@dataclass(frozen=True)
class _Call:
    operation: str
    method: str
    path: str
    identity: str
    json: object
    query: Mapping[str, str] | None
    repeatable: bool
    floor: timedelta | None
    ends: float
    """By the monotonic clock, which nobody can set back."""

    def left(self) -> float:
        """Seconds to the deadline; raises Unavailable when there are none."""
        left = self.ends - time.monotonic()
        if left <= 0:
            raise _unanswered(self, "took too long", sent=False)
        return left


class Transport:
    """Calls the Power BI REST API; shared by all threads.

    A call that may have been carried out is not sent again unless it is `repeatable`, and nothing is sent while Power
    BI's Retry-After for the same identity and operation runs.
    """

    def __init__(self, cloud: Cloud, tokens: Tokens, now: Now, guard: Guard | None = None) -> None:
        self._base = f"{cloud.powerbi_api}/v1.0/myorg"
        self._tokens = tokens
        self._now = now
        self._wire = Wire()
        self._gate = Gate(now)
        self._guard = guard or Guard(lambda: None)  # without a policy nothing is changed

    def call(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        identity: str,
        target: Target | None = None,
        json: object = None,
        query: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
        floor: timedelta | None = None,
        deadline: float = DEADLINE,
    ) -> Answer:
        """Send one request with the token of `identity`, and give the answer if it is one in 2xx.

        operation   our name for it, as in `reports.get`: in logs, and what a throttle applies to
        path        from `path_of`, below `/v1.0/myorg`
        target      what it changes; required of everything but a GET, and judged by the guardrails before it is sent
        repeatable  whether sending it twice does no harm; by default a GET is
        floor       least remaining life of the token, where the effect depends on it
        deadline    seconds for everything together
        Raises      Throttled, Unavailable (`effect_unknown` where it may have been carried out), NotFound, Forbidden,
                    Conflict, Invalid; and what the token source raises
        """
        if method != "GET":
            self._guard.check(operation, _declared(operation, target))
        with telemetry.timed(f"powerbi.{operation}", target=path) as line:
            self._gate.check(identity, operation)
            may_repeat = method == "GET" if repeatable is None else repeatable
            ends = time.monotonic() + deadline
            call = _Call(operation, method, path, identity, json, query, may_repeat, floor, ends)
            raw = self._with_token(call)
            return self._judge(call, raw, line)

    def _judge(self, call: _Call, raw: Raw, line: dict[str, object]) -> Answer:
        line["status"] = raw.status
        if not 200 <= raw.status < 300:
            raise self._refused(call, raw)
        request_id = raw.headers.get("requestid") or raw.headers.get("x-ms-request-id") or ""
        line["requestId"] = request_id
        return Answer(call.operation, raw.status, request_id, raw.headers, raw.body)

    def _refused(self, call: _Call, raw: Raw) -> AppError:
        error = from_answer(call.operation, raw.status, raw.headers, raw.body, now=self._now())
        if isinstance(error, Throttled):
            self._gate.close(call.identity, call.operation, error.retry_after)
        return error

    def _with_token(self, call: _Call) -> Raw:
        """Send; if the answer blames the token, send once more with another: nothing was done the first time.

        Some refusals only lack a reason, so the token source bounds how often Entra is asked for another one, and
        may give the same token again.
        """
        token = self._token(call)
        raw = self._repeated(call, token)
        if not token_at_fault(raw.status, raw.headers, raw.body):
            return raw
        renewed = self._tokens.renewed(token, timeout=min(TOKEN_TIMEOUT, call.left()))
        return raw if renewed.value == token.value else self._repeated(call, renewed)

    def _token(self, call: _Call) -> AccessToken:
        timeout = min(TOKEN_TIMEOUT, call.left())
        if call.floor is None:
            return self._tokens.token(call.identity, timeout=timeout)
        return self._tokens.token(call.identity, floor=call.floor, timeout=timeout)

    def _repeated(self, call: _Call, token: AccessToken) -> Raw:
        """Send, and if the connection broke before an answer came, once more where that does no harm."""
        try:
            return self._send(call, token)
        except Dropped as drop:
            if not (call.repeatable and drop.again):
                raise _unanswered(call, drop.why, sent=drop.sent) from None
        try:
            return self._send(call, token)
        except Dropped as drop:
            raise _unanswered(call, drop.why, sent=drop.sent) from None

    def _send(self, call: _Call, token: AccessToken) -> Raw:
        call.left()  # raises when there is none
        url = self._base + call.path
        return self._wire.send(call.method, url, token, query=call.query, json=call.json, ends=call.ends)


def _declared(operation: str, target: Target | None) -> Target:
    if target is None:
        message = f"{operation} is no GET and does not say what it changes"
        raise TypeError(message)
    return target


def path_of(*segments: str) -> str:
    """`/groups/…/reports/…` with every segment percent-encoded, so that no id can lead to another operation."""
    if any(segment in ("", ".", "..") for segment in segments):
        message = "a path segment is empty or made of dots"
        raise ValueError(message)
    return "".join("/" + quote(segment, safe="") for segment in segments)


def _unanswered(call: _Call, why: str, *, sent: bool) -> Unavailable:
    detail = f"Power BI gave no answer to {call.operation} (it {why}). Try again later."
    evidence = Evidence(call.operation, message=why)
    return Unavailable(detail, retry_after=AWAY_FOR, effect_unknown=sent and not call.repeatable, evidence=evidence)
