"""What Power BI's answer means: the error tree out of status, headers and whichever body shape came. Pure.

The service has five ways to say what is wrong (and gateways in front of it add HTML and plain text):

    {"error": {"code": "X", "pbi.error": {"code": "X", "details": [...]}}}      domain errors, without a message
    {"error": {"code": "InvalidRequest", "message": "..."}}                     validation
    {"message": "..."}                                                          throttling, content type
    {"Message": "..."}                                                          the app is not allowed
    nothing at all, the reason in the header X-PowerBI-Error-Info               token and workspace access

Its 401 means "no access" and its 403 may mean "bad token", the other way round than elsewhere.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from shared.errors import (
    AppError,
    Conflict,
    Evidence,
    Forbidden,
    Invalid,
    NotFound,
    Throttled,
    Unavailable,
)

THROTTLED_FOR = 30.0
"""Seconds, where Power BI throttles and does not say for how long."""
AWAY_FOR = 15.0
"""Seconds before a service that was away is worth another call."""
LONGEST_THROTTLE = 24 * 3600.0
"""A longer Retry-After is taken for a mistake: captures show up to an hour, the documented windows at most a day."""

_TOKEN_CODES = frozenset({"TokenExpired", "InvalidToken", "InvalidAuthenticationToken", "ExpiredAuthenticationToken"})
_MESSAGE_LIMIT = 500
_TAG = re.compile(r"<[^>]*>")

_REMEDIES = {
    "ServicePrincipalIsNotAllowedByTenantAdminSwitch": (
        "A Power BI administrator must allow it: tenant setting 'Allow service principals to use Power BI APIs' "
        "('Service principals can call Fabric public APIs' in newer tenants), for a security group that contains "
        "the service principal."
    ),
    "GroupNotAccessible": "Give the service principal the role Member on the workspace.",
    "PowerBINotAuthorizedException": (
        "Give the service principal the role Member on the workspace, and check the tenant settings for "
        "service principals."
    ),
    "PowerBIEntityNotFound": "Check the id, and that the service principal has access to it.",
    "TokenExpired": "A new token did not help: check the clock of this machine.",
    "InvalidToken": "A new token did not help: check the cloud and the tenant in the settings.",
    "API is not accessible for application": (
        "A Power BI administrator must allow service principals in the tenant settings for developers."
    ),
}


@dataclass(frozen=True)
class _Said:
    """What the answer names: a machine's code and a sentence, either may be empty."""

    code: str = ""
    message: str = ""


def from_answer(
    operation: str, status: int, headers: Mapping[str, str], body: bytes, *, now: datetime | None = None
) -> AppError:
    """The error that an answer outside 2xx stands for, with evidence and, where one is known, a remedy.

    Source  Microsoft's REST API reference for Power BI (errors and throttling), and captured answers.
    `now`   is needed for a Retry-After that is a date; the answer's own Date header is preferred to it.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    said = _said(lowered, body)
    evidence = Evidence(operation, status, said.code, said.message, _request_id(lowered))
    wait = _retry_after(lowered, now)
    if status == 429 or (status == 503 and wait is not None):
        seconds = THROTTLED_FOR if wait is None else wait
        return Throttled(
            f"Power BI throttles {operation}. It may be called again in {math.ceil(seconds)} s.",
            retry_after=seconds,
            evidence=evidence,
        )
    if status >= 500 or status == 408:
        detail = f"Power BI could not answer {operation} ({status}). Try again later."
        return Unavailable(detail, retry_after=wait or AWAY_FOR, effect_unknown=True, evidence=evidence)
    if status < 400:
        detail = f"Power BI answered {operation} with a redirect ({status}), which is not followed. Try again later."
        return Unavailable(detail, retry_after=AWAY_FOR, evidence=evidence)
    return _rejected(status, said)(_refusal(operation, status, said), evidence=evidence)


def token_at_fault(status: int, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether the answer blames the access token, so that a new one may help.

    Power BI says so with 403 (TokenExpired, InvalidToken, or nothing at all: no token). A 401 means "no access",
    unless it names no permission problem.
    """
    if status not in (401, 403):
        return False
    said = _said({name.lower(): value for name, value in headers.items()}, body)
    if said.code:
        return said.code in _TOKEN_CODES
    return not said.message


def _rejected(status: int, said: _Said) -> type[AppError]:
    if status in (401, 403):
        return Forbidden
    if status in (404, 410):
        return NotFound
    if status == 409 or "AlreadyExist" in said.code:
        return Conflict
    return Invalid


def _refusal(operation: str, status: int, said: _Said) -> str:
    reason = ": ".join(part for part in (said.code, said.message) if part) or f"status {status}"
    remedy = _REMEDIES.get(said.code) or _REMEDIES.get(said.message, "")
    return f"Power BI refused {operation} ({reason.rstrip('.')}). {remedy}".rstrip()


def _request_id(headers: Mapping[str, str]) -> str:
    return headers.get("requestid") or headers.get("x-ms-request-id") or ""


def _said(headers: Mapping[str, str], body: bytes) -> _Said:
    """Code and message in Microsoft's order of trust: header, `error.code`, its `pbi.error` twin, the messages."""
    document = _json(body)
    error = _mapping(document.get("error"), document)
    twin = _mapping(error.get("pbi.error"), {})
    code = headers.get("x-powerbi-error-info") or _text(error.get("code")) or _text(twin.get("code"))
    messages = (
        _text(error.get("message")),
        *_details(twin),
        _text(document.get("message")),
        _text(document.get("Message")),
        _text(document.get("error")),
        headers.get("x-powerbi-error-details", ""),
        "" if document else _plain(body),
    )
    return _Said(_cut(code), _cut(next((message for message in messages if message), "")))


def _details(twin: Mapping[str, Any]) -> Iterator[str]:
    """The texts in `pbi.error.details[]`, whose entries look like {code, detail: {type, value}}."""
    details = twin.get("details")
    for entry in details if isinstance(details, list) else []:
        yield _text(_mapping(_mapping(entry, {}).get("detail"), {}).get("value"))


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        return _mapping(json.loads(body), {})
    except (ValueError, RecursionError):
        return {}


def _mapping(value: object, otherwise: Mapping[str, Any]) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else otherwise


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _plain(body: bytes) -> str:
    """HTML or plain text as one line."""
    return _TAG.sub(" ", body[:4096].decode("utf-8", "replace"))


def _cut(text: str) -> str:
    return " ".join(text.split())[:_MESSAGE_LIMIT]


def _retry_after(headers: Mapping[str, str], now: datetime | None) -> float | None:
    """Seconds that Retry-After asks for (a number, or a date), or None if there is none that can be read."""
    asked = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", asked):
        seconds = float(asked)
    else:
        until, since = _date(asked), _date(headers.get("date", "")) or now
        if until is None or since is None:
            return None
        seconds = (until - since).total_seconds()
    return min(max(seconds, 1.0), LONGEST_THROTTLE)


def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
