"""HTTPS to Entra ID with an end: no call outlives its deadline, no answer is larger than a megabyte.

Connections are not kept: a token is asked for about once an hour and keys once a day, and a connection that lay idle
longer than the four minutes of Azure's load balancers would only cost a time-out.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.util import Retry

_CONNECT_SECONDS = 3.0
_LARGEST_ANSWER = 1 << 20
_LONGEST_PAUSE = 3600.0


@dataclass(frozen=True)
class Reply:
    """An answer of Entra ID; the shape that MSAL wants of a response."""

    status_code: int
    text: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    def retry_after(self, now: datetime) -> float | None:
        """Seconds to wait, from `Retry-After` in either of its forms, an hour at most; None where it is not sent."""
        value = self.headers.get("Retry-After", "").strip()
        if value.isascii() and value.isdigit():
            return min(float(value[:6]), _LONGEST_PAUSE)
        try:
            seconds = (parsedate_to_datetime(value) - now).total_seconds() if value else None
        except (ValueError, TypeError):
            return None
        return None if seconds is None else min(max(seconds, 1.0), _LONGEST_PAUSE)


class EntraHttp:
    """Sends one request at a time or many; the session is kept for its proxy and CA settings only."""

    def __init__(self) -> None:
        self._session = requests.Session()
        self._session.headers["Connection"] = "close"
        # a connection that fails is tried once more; an answer is an answer, with or without Retry-After
        again = Retry(total=1, connect=1, read=0, status=0, redirect=0, other=0, respect_retry_after_header=False)
        self._session.mount("https://", HTTPAdapter(max_retries=again))

    def send(
        self,
        method: str,
        url: str,
        *,
        deadline: float,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """The answer, whatever its status. Redirects are not followed.

        `deadline` is a moment of `time.monotonic`. Raises `requests.RequestException`: no connection, or too late.
        """
        left = _left(deadline)
        with self._session.request(
            method,
            url,
            params=dict(params or {}),
            data=dict(data or {}),
            headers=dict(headers or {}),
            timeout=(min(_CONNECT_SECONDS, left / 2), left),
            allow_redirects=False,
            stream=True,
        ) as response:
            body = _body(response, deadline)
            return Reply(response.status_code, body.decode("utf-8", "replace"), CaseInsensitiveDict(response.headers))

    def close(self) -> None:
        """Drop what the session holds."""
        self._session.close()


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise requests.Timeout("the deadline has passed")
    return left


def _body(response: requests.Response, deadline: float) -> bytes:
    body = bytearray()
    for chunk in response.iter_content(1 << 14):
        _left(deadline)
        body += chunk
        if len(body) > _LARGEST_ANSWER:
            raise requests.ConnectionError("the answer is too large")
    return bytes(body)
