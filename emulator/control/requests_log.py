"""The list of requests that reached the emulated services: what was sent, without anything that is secret."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from emulator.http import Answer, Call, Json

KEPT = 20_000
_LONGEST_BODY = 64 * 1024
_REDACTED = "[redacted]"
_SECRET_HEADERS = frozenset({"authorization", "cookie", "x-identity-header", "proxy-authorization"})
_SECRET_FIELDS = frozenset(
    {"client_secret", "client_assertion", "password", "refresh_token", "assertion", "credentials"}
)


class RequestsLog:
    """A bounded ring; the sequence number never starts anew, so that a reader's place stays valid over a reset."""

    def __init__(self, kept: int = KEPT) -> None:
        self._entries: deque[Json] = deque(maxlen=kept)
        self._last = 0

    def begin(self, call: Call) -> Json:
        """Record a request as it arrives, so that one which never gets an answer is seen as well (status None)."""
        self._last += 1
        entry: Json = {
            "seq": self._last,
            "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "host": call.host,
            "method": call.method,
            "path": call.path,
            "query": dict(call.query),
            "headers": _safe_headers(call.headers),
            "body": _safe_body(call),
            "status": None,
            "requestId": call.request_id,
            "clientId": "",
            "notes": [],
        }
        self._entries.append(entry)
        return entry

    @staticmethod
    def end(entry: Json, call: Call, answer: Answer | None) -> None:
        """Add what came of it; no answer: the connection was dropped."""
        lower = {name.lower(): value for name, value in answer.headers.items()} if answer else {}
        entry["status"] = answer.status if answer else None
        entry["requestId"] = lower.get("requestid") or lower.get("x-ms-request-id") or call.request_id
        entry["clientId"] = call.client_id
        entry["notes"] = list(call.notes)

    def since(self, seq: int) -> Iterator[Json]:
        """Entries after this sequence number, oldest first."""
        return (entry for entry in self._entries if entry["seq"] > seq)

    @property
    def last(self) -> int:
        """The newest sequence number."""
        return self._last

    def clear(self) -> None:
        """Forget the entries, not the numbering."""
        self._entries.clear()


def _safe_headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: _REDACTED if name in _SECRET_HEADERS else value for name, value in headers.items()}


def _safe_body(call: Call) -> Any:
    """JSON and forms as objects, other text as it is, each without its secrets; None where there is none."""
    if not call.body:
        return None
    if len(call.body) > _LONGEST_BODY:
        return f"[{len(call.body)} bytes]"
    text = call.body.decode("utf-8", "replace")
    kind = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        return _without_secrets(dict(parse_qsl(text, keep_blank_values=True)), call)
    try:
        return _without_secrets(json.loads(text), call)
    except ValueError:
        return text if kind.startswith("text/") or kind == "application/json" else f"[{len(call.body)} bytes]"


def _without_secrets(value: Any, call: Call) -> Any:
    if isinstance(value, list):
        return [_without_secrets(item, call) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: _REDACTED if _is_secret(name, call) else _without_secrets(item, call) for name, item in value.items()}


def _is_secret(name: str, call: Call) -> bool:
    into_vault = call.method == "PUT" and ".vault." in call.host
    return name.lower() in _SECRET_FIELDS or (into_vault and name == "value")
