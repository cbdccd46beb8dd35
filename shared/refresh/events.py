"""What Event Grid says about blobs: Event Grid schema and CloudEvents 1.0, one event or several. Pure.

    {"eventType": "Microsoft.Storage.BlobCreated", "id", "eventTime", "data": {"api", "url", "eTag", …}}
    {"specversion": "1.0", "type": "Microsoft.Storage.BlobCreated", "id", "time", "data": {…}}

Source  Microsoft Learn: Azure Blob Storage as an Event Grid source
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from shared.errors import Fault, InvalidRequest
from shared.storage.queues import decode
from shared.times import from_text

CREATED = "Microsoft.Storage.BlobCreated"
WHOLE = frozenset({"PutBlob", "PutBlockList", "FlushWithClose", "CopyBlob"})
"""After these a blob is complete. CreateFile, for one, is told of when the file is still empty."""
ROOT = "$root"
"""The container of blobs whose address names none."""
LONGEST_URL = 8192


@dataclass(frozen=True)
class Landed:
    """A blob that is there as a whole. `url` as the event has it, `path` container/blob, decoded."""

    url: str
    path: str
    etag: str
    event_time: datetime
    event_id: str
    api: str


@dataclass(frozen=True)
class Reading:
    """All that a message holds: what landed, and what about it can never be read. Nothing of both: none of ours."""

    landed: tuple[Landed, ...]
    faults: tuple[Fault, ...]


def landed(message: bytes) -> list[Landed]:
    """The blobs that a message tells of; none for events that don't matter here. Raises InvalidRequest."""
    found = read(message)
    if found.faults:
        raise InvalidRequest(f"Not an event: {found.faults[0].message}", faults=found.faults)
    return list(found.landed)


def read(message: bytes) -> Reading:
    """The same for a message of which one event may be good and another not."""
    try:
        document = json.loads(decode(message))
    except (ValueError, RecursionError):
        return Reading((), (Fault("", "The message is not JSON."),))
    events = document if isinstance(document, list) else [document]
    good: list[Landed] = []
    faults: list[Fault] = []
    for number, event in enumerate(events):
        try:
            good.extend(_landed(event))
        except ValueError as fault:
            faults.append(Fault(f"[{number}]" if isinstance(document, list) else "", str(fault)))
    return Reading(tuple(good), tuple(faults))


def path_of_blob(url: str) -> str:
    """`container/blob`, decoded, of a blob's address at blob or dfs endpoints, or of an account behind an IP address.

    Raises ValueError. Names are decoded once: `%2520` is the name `%20`.
    """
    if len(url) > LONGEST_URL:
        raise ValueError("data.url is longer than any address of a blob.")
    parts = urlsplit(url)  # raises ValueError as well
    segments = parts.path.removeprefix("/").split("/", 2 if _is_local(parts.hostname or "") else 1)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("data.url is no address of a blob.")
    if _is_local(parts.hostname):
        segments = segments[1:]  # the account comes first where the host's name does not say it
    if len(segments) == 1:
        segments = [ROOT, *segments]
    try:
        container, blob = (unquote(segment, errors="strict") for segment in segments)
    except ValueError:
        raise ValueError("data.url is no address of a blob: it does not name one in UTF-8.") from None
    if not container or not blob:
        raise ValueError("data.url names a container and no blob.")
    return f"{container}/{blob}"


def _landed(event: object) -> Iterator[Landed]:
    if not isinstance(event, dict):
        raise ValueError("An event must be an object.")  # noqa: TRY004 - one error for all that is no event
    cloud = "specversion" in event
    kind = _text(event, "type" if cloud else "eventType")
    if kind != CREATED:
        return
    data = event.get("data")
    if not isinstance(data, dict):
        raise ValueError("data is missing, or no object.")  # noqa: TRY004
    api = _text(data, "api")
    if api in WHOLE:
        yield _blob(event, data, api, cloud=cloud)


def _blob(event: Mapping[str, Any], data: Mapping[str, Any], api: str, *, cloud: bool) -> Landed:
    url, event_id = _text(data, "url"), _text(event, "id")
    etag = data.get("eTag")
    return Landed(
        url=url,
        path=path_of_blob(url),
        # some writers quote it; without one a repeat is still known by the event's own id
        etag=(etag.strip().strip('"') if isinstance(etag, str) else "") or event_id,
        event_time=_time(_text(event, "time" if cloud else "eventTime")),
        event_id=event_id,
        api=api,
    )


def _text(holder: Mapping[str, Any], name: str) -> str:
    value = holder.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is missing, or no text.")
    return value


def _time(text: str) -> datetime:
    try:
        return from_text(text)
    except (ValueError, OverflowError):
        raise ValueError("The event's time is no time in ISO 8601.") from None


def _is_local(host: str) -> bool:
    """An address without a name for the account in it."""
    if host == "localhost":
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
