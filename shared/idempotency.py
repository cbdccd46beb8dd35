"""Requests that may come twice: the key by which a repeat is known, and the id that follows from it."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from shared.errors import Ended, Fault, InvalidRequest, Unavailable
from shared.storage.tables import Stale, Table
from shared.times import Now, from_text, to_text

KEY = re.compile(r"[A-Za-z0-9._-]{8,64}")
HEADER = "Idempotency-Key"
KEPT = timedelta(days=30)
REUSED = "This idempotency key was used for another request. Use a new key for a new request."
_NAMES = uuid.UUID("6f0f3c1e-55b7-5d0e-9a43-7b0d0b9f4a11")
_ROW = "key"


def key_of(header: str | None, in_body: str | None) -> str:
    """The idempotency key, or empty. Raises InvalidRequest where header and body differ, or the header's is none."""
    if header is not None and not KEY.fullmatch(header):
        fault = Fault(HEADER, f"Must match {KEY.pattern}")
        raise InvalidRequest("The idempotency key is not valid.", faults=[fault])
    if header is not None and in_body is not None and header != in_body:
        fault = Fault("requestId", f"Differs from the header {HEADER}. Send one of them, or the same in both.")
        raise InvalidRequest("Two different idempotency keys.", faults=[fault])
    return header or in_body or ""


def request_id(client: str, operation: str, key: str) -> str:
    """The id of a request: the same for the same client, operation and key; without a key, a new one."""
    return str(uuid.uuid5(_NAMES, f"{client}\n{operation}\n{key}")) if key else str(uuid.uuid4())


def body_hash(canonical: Any) -> str:
    """Equal for bodies that ask for the same; `canonical` is the validated body as JSON, without its key."""
    text = json.dumps(canonical, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class _Noted:
    """A key that is in use: the id of the request, and of what it led to once that is known."""

    row: str
    hashed: str
    id: str
    answered: str
    etag: str


class Keys:
    """The table `idempotency`: for requests that may lead to what another request began (a run that is joined), and for
    those that act on what is there (cancel, retry). Elsewhere the id is enough.
    """

    def __init__(self, table: Table, now: Now) -> None:
        self._table = table
        self._now = now

    def once(self, client: str, operation: str, key: str, hashed: str, act: Callable[[str], str]) -> str:
        """The id of what the request led to. `act` takes the request's id and gives that id; a repeat of a request that
        was answered does not call it, one whose answer was lost may call it again, with the same id.

        Raises Ended if the key was used for another body in the last 30 days, and what `act` raises.
        """
        if not key:
            return act(request_id(client, operation, key))
        noted = self._noted(request_id(client, operation, key), hashed)
        return noted.answered or self._answer(noted, act(noted.id))

    def act_once(self, client: str, operation: str, header: str | None, id: str, act: Callable[[str], object]) -> None:
        """`act` on the thing with this id; a repeat under the same key does not act again, whatever has come of it.

        `act` takes the id of the act, which is empty without a key. It is called again where its answer was lost: so it
        keeps that id with its effect, in one write, and does nothing where it finds it there.

        Raises InvalidRequest (key), Ended (a key that was used for another thing), and what `act` raises.
        """
        key = key_of(header, None)

        def acted(act_id: str) -> str:
            act(act_id if key else "")
            return id

        self.once(client, operation, key, body_hash(id), acted)

    def answered(self, client: str, operation: str, key: str, hashed: str) -> str:
        """What an equal request with this key has led to, if it was answered; else empty."""
        found = self._table.get(request_id(client, operation, key), _ROW) if key else None
        if found is None or found[0]["hash"] != hashed or self._is_over(found[0]):
            return ""
        return str(found[0]["answered"])

    def _noted(self, row: str, hashed: str) -> _Noted:
        for _ in range(5):
            found = self._table.get(row, _ROW)
            try:
                if found is None:
                    etag = self._table.insert(row, _ROW, self._values(row, hashed))
                    return _Noted(row, hashed, row, "", etag)
                values, etag = found
                if self._is_over(values):
                    id = str(uuid.uuid5(uuid.UUID(row), str(values["since"])))  # what the old one began is still there
                    etag = self._table.replace(row, _ROW, self._values(id, hashed), etag)
                    return _Noted(row, hashed, id, "", etag)
            except Stale:
                continue
            if values["hash"] != hashed:
                raise Ended(REUSED)
            return _Noted(row, hashed, str(values["id"]), str(values["answered"]), etag)
        raise Unavailable("Others use this idempotency key at this moment. Try again.", retry_after=1)

    def _answer(self, noted: _Noted, answered: str) -> str:
        """Write down what the request led to. Of two that were carried out at once the first one written counts."""
        values = self._values(noted.id, noted.hashed) | {"answered": answered}
        try:
            self._table.replace(noted.row, _ROW, values, noted.etag)
        except Stale:
            found = self._table.get(noted.row, _ROW)
            return str(found[0]["answered"] if found else "") or answered
        return answered

    def _values(self, id: str, hashed: str) -> dict[str, str]:
        return {"id": id, "hash": hashed, "answered": "", "since": to_text(self._now())}

    def _is_over(self, values: Mapping[str, Any]) -> bool:
        return self._now() - from_text(values["since"]) > KEPT
