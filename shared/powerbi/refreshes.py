"""Refreshes of a dataset: start, history, details, cancel."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared.errors import Unavailable
from shared.powerbi.answers import Fields, one, several
from shared.powerbi.groups import get_group
from shared.powerbi.guardrails import Target
from shared.powerbi.transport import Answer, Transport, path_of
from shared.times import Now, from_text

Json = dict[str, Any]

VIA_API = "ViaApi"
"""The refreshType of a standard refresh that was started through the API."""
VIA_ENHANCED_API = "ViaEnhancedApi"
"""The refreshType of an enhanced refresh."""
MOST_ENTRIES = 60
"""More the history never shows."""
NAMES_KEPT = timedelta(minutes=10)
"""How old a workspace's name may be that a guardrail is asked about."""

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class RefreshEntry:
    """A row of the refresh history; words are Power BI's own."""

    request_id: str
    """In lower case: the answer to the start spells it otherwise than the history."""
    refresh_type: str
    start_time: datetime | None
    end_time: datetime | None
    """None while it runs."""
    status: str
    """Unknown (in progress), Completed, Failed, Disabled, Cancelled."""
    extended_status: str = ""
    """For enhanced refreshes: NotStarted, InProgress, Completed, TimedOut, Failed, Disabled, Cancelled."""
    service_exception: str = ""
    """Of a failure: JSON as text, {"errorCode", "errorDescription"?}."""
    attempts: tuple[Json, ...] = ()
    """[{"attemptId", "startTime", "endTime", "type": "Data" | "Query", "serviceExceptionJson"?}]"""


@dataclass(frozen=True)
class RefreshDetails(RefreshEntry):
    """An enhanced refresh in detail."""

    objects: tuple[tuple[str, str], ...] = ()
    """(table, partition) that it refreshes."""
    messages: tuple[Json, ...] = ()
    """[{"code": "0x…"?, "message", "type": "Error" | "Warning"}]"""


def start_refresh(
    transport: Transport,
    target: Target,
    dataset_id: str,
    body: Json | None,
    *,
    identity: str,
    deadline: float = 30.0,
) -> str:
    """Ask for a refresh; its request id in lower case, or empty if Power BI sent none back.

    Sends    nothing for a standard refresh; {"type", "commitMode", "objects": [{"table", "partition"?}], …} for an
             enhanced one, which shared capacity refuses. A mail can't be sent to an application, so none is asked for.
    Returns  of an enhanced refresh what x-ms-request-id says, or the end of Location; of a standard one RequestId,
             which is the request id in the history
    Raises   Invalid ("Another refresh request is already executing", the daily limit, objects that make no sense),
             NotFound; Unavailable with `effect_unknown` where it may have begun. It is never sent twice.
    Source   Datasets - Refresh Dataset In Group
    """
    answer = transport.call(
        "refreshes.start",
        "POST",
        _path(target.workspace_id, dataset_id),
        identity=identity,
        target=target,
        json=body,
        repeatable=False,
        deadline=deadline,
    )
    return _request_id(answer, enhanced=body is not None)


def history(
    transport: Transport, workspace_id: str, dataset_id: str, *, identity: str, top: int = MOST_ENTRIES
) -> list[RefreshEntry]:
    """The last refreshes, whoever started them, the newest first. A new one may be missing for a moment.

    Returns  {"value": [{"requestId", "refreshType", "startTime", "endTime"?, "status", "serviceExceptionJson"?, …}]}
    Raises   NotFound where there is no such dataset (any more), Invalid (415) for one that has no refreshes
    Source   Datasets - Get Refresh History In Group; some tenants ignore $top
    """
    path = _path(workspace_id, dataset_id)
    answer = transport.call("refreshes.history", "GET", path, identity=identity, query={"$top": str(top)})
    entries = [_entry(fields) for fields in several(answer)]
    return sorted(entries, key=_began, reverse=True)[:top]


def details(
    transport: Transport, workspace_id: str, dataset_id: str, request_id: str, *, identity: str
) -> RefreshDetails:
    """One enhanced refresh: 202 while it runs, 200 afterwards, the same body.

    Returns  {"startTime", "endTime"?, "status", "extendedStatus", "objects": [{"table", "partition", "status"}],
             "messages"?: [{"code", "message", "type"}], …}
    Raises   Invalid for a standard refresh, NotFound
    Source   Datasets - Get Refresh Execution Details In Group
    """
    path = _path(workspace_id, dataset_id, request_id)
    fields = one(transport.call("refreshes.details", "GET", path, identity=identity))
    entry = _entry(fields)
    return RefreshDetails(
        request_id=request_id.lower(),
        refresh_type=VIA_ENHANCED_API,
        start_time=entry.start_time,
        end_time=entry.end_time,
        status=entry.status,
        extended_status=entry.extended_status,
        service_exception=entry.service_exception,
        attempts=entry.attempts,
        objects=tuple((item.text("table"), item.text("partition")) for item in fields.objects("objects")),
        messages=tuple(_message(item) for item in fields.objects("messages")),
    )


def cancel(transport: Transport, target: Target, dataset_id: str, request_id: str, *, identity: str) -> None:
    """Cancel an enhanced refresh; it may go on for a while.

    Raises   Invalid for a standard refresh and for one that has ended, NotFound
    Source   Datasets - Cancel Refresh In Group. Sending it twice does no harm.
    """
    path = _path(target.workspace_id, dataset_id, request_id)
    transport.call("refreshes.cancel", "DELETE", path, identity=identity, target=target, repeatable=True)


class Refreshes:
    """The same for one identity, with the names of workspaces that the guardrails ask for; shared by all threads."""

    def __init__(self, transport: Transport, identity: str, now: Now) -> None:
        self._transport = transport
        self._identity = identity
        self._now = now
        self._lock = threading.Lock()
        self._names: dict[str, tuple[str, datetime]] = {}

    def start(self, workspace_id: str, dataset_id: str, body: Json | None, *, deadline: float) -> str:
        """See `start_refresh`; `deadline` holds for all of it."""
        ends = time.monotonic() + deadline
        target = self._target(workspace_id)
        left = max(0.0, ends - time.monotonic())
        return start_refresh(self._transport, target, dataset_id, body, identity=self._identity, deadline=left)

    def history(self, workspace_id: str, dataset_id: str) -> list[RefreshEntry]:
        """See `history`."""
        return history(self._transport, workspace_id, dataset_id, identity=self._identity)

    def details(self, workspace_id: str, dataset_id: str, request_id: str) -> RefreshDetails:
        """See `details`."""
        return details(self._transport, workspace_id, dataset_id, request_id, identity=self._identity)

    def cancel(self, workspace_id: str, dataset_id: str, request_id: str) -> None:
        """See `cancel`."""
        cancel(self._transport, self._target(workspace_id), dataset_id, request_id, identity=self._identity)

    def _target(self, workspace_id: str) -> Target:
        """Policies name workspaces by the beginning of their names, so a name is looked up, and soon forgotten."""
        with self._lock:
            name, looked_at = self._names.get(workspace_id, ("", None))
        if looked_at is None or not timedelta(0) <= self._now() - looked_at < NAMES_KEPT:
            name = self._name(workspace_id)
            with self._lock:
                self._names[workspace_id] = (name, self._now())
        return Target(workspace_id=workspace_id, workspace_name=name)

    def _name(self, workspace_id: str) -> str:
        try:
            return get_group(self._transport, workspace_id, identity=self._identity).name
        except Unavailable as error:
            error.effect_unknown = False  # what it was asked for has not been begun
            raise


def _path(workspace_id: str, dataset_id: str, *more: str) -> str:
    return path_of("groups", workspace_id, "datasets", dataset_id, "refreshes", *more)


def _request_id(answer: Answer, *, enhanced: bool) -> str:
    """Only what looks like an id: a wrong one would be waited for in vain."""
    headers: Mapping[str, str] = answer.headers
    if enhanced:
        location = headers.get("location", "").partition("?")[0].rstrip("/")
        found = (headers.get("x-ms-request-id", ""), location.rpartition("/")[2])
    else:
        found = (headers.get("requestid", ""), headers.get("x-ms-request-id", ""))
    return next((text.strip().lower() for text in found if _ID.fullmatch(text.strip().lower())), "")


def _entry(fields: Fields) -> RefreshEntry:
    return RefreshEntry(
        request_id=fields.text("requestId").lower(),
        refresh_type=fields.text("refreshType"),
        start_time=_time(fields.text("startTime")),
        end_time=_time(fields.text("endTime")),
        status=fields.text("status"),
        extended_status=fields.text("extendedStatus"),
        service_exception=fields.text("serviceExceptionJson"),
        attempts=tuple(item.raw for item in fields.objects("refreshAttempts")),
    )


def _began(entry: RefreshEntry) -> float:
    """What has not begun yet is the newest."""
    return entry.start_time.timestamp() if entry.start_time else float("inf")


def _message(fields: Fields) -> Json:
    return {"code": fields.text("code"), "message": fields.text("message"), "type": fields.text("type")}


def _time(text: str) -> datetime | None:
    try:
        return from_text(text)
    except (ValueError, OverflowError):
        return None
