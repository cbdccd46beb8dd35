"""One exchange with Power BI over HTTP: sent once, read within its deadline, and what it means where no answer came."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProxyError

if TYPE_CHECKING:
    from shared.auth.tokens import AccessToken

CONNECT_TIMEOUT = 5.0
LARGEST_ANSWER = 64 * 1024 * 1024
"""Bytes; more is taken for a fault rather than read into the memory that all functions share."""
_CONNECTIONS = 32
_CHUNK = 64 * 1024


@dataclass(frozen=True)
class Raw:
    """An answer of any status; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Dropped(Exception):
    """No answer. `sent`: Power BI may have seen the request; `again`: a second try may fare better."""

    def __init__(self, why: str, *, sent: bool, again: bool) -> None:
        super().__init__(why)
        self.why, self.sent, self.again = why, sent, again


class Wire:
    """Pooled connections; shared by all threads and all identities."""

    def __init__(self) -> None:
        self._session = _session()

    def send(
        self, method: str, url: str, token: AccessToken, *, query: Mapping[str, str] | None, json: object, ends: float
    ) -> Raw:
        """The answer, whatever its status; raises Dropped. `ends`: by the monotonic clock."""
        left = max(0.001, ends - time.monotonic())
        try:
            with self._session.request(
                method,
                url,
                params=query,
                json=json,
                auth=_Bearer(token),
                timeout=(min(CONNECT_TIMEOUT, left), left),
                allow_redirects=False,
                stream=True,
            ) as response:
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Raw(response.status_code, headers, _body(response, ends))
        except (requests.RequestException, HTTPError, OSError) as error:
            raise _dropped(error) from None


class _Bearer(AuthBase):
    """As an `auth` rather than a header, because requests lets ~/.netrc replace a header."""

    def __init__(self, token: AccessToken) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token.value}"
        return request


def _session() -> requests.Session:
    session = requests.Session()
    session.mount("https://", HTTPAdapter(pool_connections=_CONNECTIONS, pool_maxsize=_CONNECTIONS, max_retries=0))
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # identities share the session, not cookies
    session.headers["Accept"] = "application/json"
    return session


def _body(response: requests.Response, ends: float) -> bytes:
    """Everything, piece by piece as it comes: a socket's timeout alone would let a slow drip go on for ever."""
    pieces: list[bytes] = []
    size = 0
    while piece := response.raw.read1(_CHUNK, decode_content=True):
        pieces.append(piece)
        size += len(piece)
        if size > LARGEST_ANSWER:
            raise Dropped("answered with more than we read", sent=True, again=False)
        if time.monotonic() > ends:
            raise Dropped("took too long", sent=True, again=False)
    return b"".join(pieces)


def _dropped(error: Exception) -> Dropped:
    """What a failed exchange means. The exception itself goes no further: it carries the request and its token."""
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return Dropped("could not be reached: its certificate does not verify", sent=False, again=False)
    if isinstance(_reason(error), NewConnectionError | ConnectTimeoutError):
        return Dropped("could not be reached", sent=False, again=True)
    if "Tunnel connection failed" in str(error):
        return Dropped("could not be reached through the proxy", sent=False, again=True)
    if isinstance(error, requests.exceptions.Timeout | TimeoutError):
        return Dropped("took too long", sent=True, again=False)
    return Dropped("broke off", sent=True, again=True)


def _reason(error: Exception) -> object:
    """Why urllib3 gave up. It calls any error of a connection through a proxy that has been closed since a
    ProxyError, also one that came when the request was out: what lies within counts.
    """
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return reason.original_error if isinstance(reason, ProxyError) else reason
