"""The only code that speaks HTTP to Power BI: one pooled session, the right identity's token, errors as our tree."""

from __future__ import annotations

import json as jsonlib
import math
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProxyError

from shared import telemetry
from shared.errors import AppError, Evidence, Throttled, Unavailable
from shared.powerbi.errors import AWAY_FOR, from_answer, token_at_fault
from shared.powerbi.guardrails import Guard, Target
from shared.times import Now

if TYPE_CHECKING:
    from shared.auth.tokens import AccessToken
    from shared.settings import Cloud

DEADLINE = 30.0
"""Seconds for a whole call: token, connection, the answer to its last byte, and a second try if there is one."""
CONNECT_TIMEOUT = 5.0
TOKEN_TIMEOUT = 10.0
LARGEST_ANSWER = 64 * 1024 * 1024
"""Bytes; more is taken for a fault rather than read into the memory that all functions share."""
_CONNECTIONS = 32
_CHUNK = 64 * 1024


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


@dataclass(frozen=True)
class _Raw:
    status: int
    headers: Mapping[str, str]
    body: bytes


class _Bearer(AuthBase):
    """As an `auth` rather than a header, because requests lets ~/.netrc replace a header."""

    def __init__(self, token: AccessToken) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token.value}"
        return request


class _Dropped(Exception):
    """No answer. `sent`: Power BI may have seen the request; `again`: a second try may fare better."""

    def __init__(self, why: str, *, sent: bool, again: bool) -> None:
        super().__init__(why)
        self.why, self.sent, self.again = why, sent, again


class Transport:
    """Calls the Power BI REST API; shared by all threads.

    A call that may have been carried out is not sent again unless it is `repeatable`, and nothing is sent while Power
    BI's Retry-After for the same identity and operation runs.
    """

    def __init__(self, cloud: Cloud, tokens: Tokens, now: Now, guard: Guard | None = None) -> None:
        self._base = f"{cloud.powerbi_api}/v1.0/myorg"
        self._tokens = tokens
        self._now = now
        self._session = _session()
        self._gate = _Gate(now)
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

    def _judge(self, call: _Call, raw: _Raw, line: dict[str, object]) -> Answer:
        line["status"] = raw.status
        if not 200 <= raw.status < 300:
            raise self._refused(call, raw)
        request_id = raw.headers.get("requestid") or raw.headers.get("x-ms-request-id") or ""
        line["requestId"] = request_id
        return Answer(call.operation, raw.status, request_id, raw.headers, raw.body)

    def _refused(self, call: _Call, raw: _Raw) -> AppError:
        error = from_answer(call.operation, raw.status, raw.headers, raw.body, now=self._now())
        if isinstance(error, Throttled):
            self._gate.close(call.identity, call.operation, error.retry_after)
        return error

    def _with_token(self, call: _Call) -> _Raw:
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

    def _repeated(self, call: _Call, token: AccessToken) -> _Raw:
        """Send, and if the connection broke before an answer came, once more where that does no harm."""
        try:
            return self._send(call, token)
        except _Dropped as drop:
            if not (call.repeatable and drop.again):
                raise _unanswered(call, drop.why, sent=drop.sent) from None
        try:
            return self._send(call, token)
        except _Dropped as drop:
            raise _unanswered(call, drop.why, sent=drop.sent) from None

    def _send(self, call: _Call, token: AccessToken) -> _Raw:
        left = call.left()
        try:
            with self._session.request(
                call.method,
                self._base + call.path,
                params=call.query,
                json=call.json,
                auth=_Bearer(token),
                timeout=(min(CONNECT_TIMEOUT, left), left),
                allow_redirects=False,
                stream=True,
            ) as response:
                headers = {name.lower(): value for name, value in response.headers.items()}
                return _Raw(response.status_code, headers, _body(call, response))
        except (requests.RequestException, HTTPError, OSError) as error:
            raise _dropped(error) from None


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


class _Gate:
    """Closed for an identity and operation while Power BI's Retry-After runs."""

    def __init__(self, now: Now, entries: int = 256) -> None:
        self._now = now
        self._entries = entries
        self._lock = threading.Lock()
        self._until: dict[tuple[str, str], datetime] = {}

    def check(self, identity: str, operation: str) -> None:
        """Raise Throttled with the seconds that remain."""
        with self._lock:
            until = self._until.get((identity, operation))
            left = (until - self._now()).total_seconds() if until else 0.0
            if until and left <= 0:
                del self._until[identity, operation]
        if left > 0:
            detail = f"Power BI throttles {operation}. It may be called again in {math.ceil(left)} s."
            raise Throttled(detail, retry_after=left, evidence=Evidence(operation=operation))

    def close(self, identity: str, operation: str, seconds: float) -> None:
        """For so long; a longer time that runs already stays."""
        with self._lock:
            until = self._now() + timedelta(seconds=seconds)
            key = (identity, operation)
            self._until[key] = max(until, self._until.get(key, until))
            while len(self._until) > self._entries:
                del self._until[min(self._until, key=self._until.__getitem__)]


def _session() -> requests.Session:
    session = requests.Session()
    session.mount("https://", HTTPAdapter(pool_connections=_CONNECTIONS, pool_maxsize=_CONNECTIONS, max_retries=0))
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # identities share the session, not cookies
    session.headers["Accept"] = "application/json"
    return session


def _body(call: _Call, response: requests.Response) -> bytes:
    """Everything, piece by piece as it comes: a socket's timeout alone would let a slow drip go on for ever."""
    pieces: list[bytes] = []
    size = 0
    while piece := response.raw.read1(_CHUNK, decode_content=True):
        pieces.append(piece)
        size += len(piece)
        if size > LARGEST_ANSWER:
            raise _Dropped("answered with more than we read", sent=True, again=False)
        if time.monotonic() > call.ends:
            raise _Dropped("took too long", sent=True, again=False)
    return b"".join(pieces)


def _dropped(error: Exception) -> _Dropped:
    """What a failed exchange means. The exception itself goes no further: it carries the request and its token."""
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return _Dropped("could not be reached: its certificate does not verify", sent=False, again=False)
    if isinstance(_reason(error), NewConnectionError | ConnectTimeoutError):
        return _Dropped("could not be reached", sent=False, again=True)
    if "Tunnel connection failed" in str(error):
        return _Dropped("could not be reached through the proxy", sent=False, again=True)
    if isinstance(error, requests.exceptions.Timeout | TimeoutError):
        return _Dropped("took too long", sent=True, again=False)
    return _Dropped("broke off", sent=True, again=True)


def _reason(error: Exception) -> object:
    """Why urllib3 gave up. It calls any error of a connection through a proxy that has been closed since a
    ProxyError, also one that came when the request was out: what lies within counts.
    """
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return reason.original_error if isinstance(reason, ProxyError) else reason


def _unanswered(call: _Call, why: str, *, sent: bool) -> Unavailable:
    detail = f"Power BI gave no answer to {call.operation} (it {why}). Try again later."
    evidence = Evidence(call.operation, message=why)
    return Unavailable(detail, retry_after=AWAY_FOR, effect_unknown=sent and not call.repeatable, evidence=evidence)
