"""Event Grid for the landing zone: whoever puts a blob there finds a BlobCreated event on the queue `data-landed`.

Azurite tells nobody what happens in it, so the container is listed again and again; a blob with another ETag than last
time has landed. Of a blob that is overwritten twice between two looks one event is lost, where Event Grid would send
two for the same content.

Source  https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage
"""

from __future__ import annotations

import asyncio
import base64
import json
import math
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from emulator.clock import Clock
from emulator.clouds import PUBLIC
from emulator.durations import parse_duration
from emulator.http import Json
from emulator.seed import STORAGE_ACCOUNT

if TYPE_CHECKING:
    from azure.storage.blob import BlobProperties, ContainerClient
    from azure.storage.queue import QueueClient

CONTAINER = "landing"
QUEUE = "data-landed"
CREATED = "Microsoft.Storage.BlobCreated"
EVERY = 0.3
"""Seconds between two looks; a look may take no more than a quarter of the time."""
MOST_COPIES = 100
TOPIC = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/powerbi/providers/Microsoft.Storage"
    f"/storageAccounts/{STORAGE_ACCOUNT}"
)

EVENT_SWITCHES: Mapping[str, Any] = {
    "eventSchema": "eventGrid",  # or cloudEvents
    "eventBase64": True,  # reported of Event Grid since 2022; before that, plain text
    "eventDuplicates": 0,  # how many times more each event is delivered
    "eventDelay": "PT0S",  # how long events are under way
    "eventReorder": False,  # the later ones of those that are found together come first
}
_SCHEMAS = ("eventGrid", "cloudEvents")


class EventSettings:
    """The switches, as the control API sets them; null gives the default back."""

    def __init__(self) -> None:
        self._values = dict(EVENT_SWITCHES)

    def reset(self) -> None:
        """All of them at their defaults."""
        self._values = dict(EVENT_SWITCHES)

    def state(self) -> Json:
        """Their values."""
        return dict(self._values)

    def merged(self, patch: Json) -> Json:
        """The values with the patch; raises ValueError and then changes nothing."""
        values = {**self._values, **patch}
        for name, default in EVENT_SWITCHES.items():
            if values[name] is None:
                values[name] = default
            if type(values[name]) is not type(default):
                raise ValueError(f"Switch {name!r} takes a {type(default).__name__}, not {values[name]!r}")
        if values["eventSchema"] not in _SCHEMAS:
            raise ValueError(f"Switch 'eventSchema' takes one of {_SCHEMAS}, not {values['eventSchema']!r}")
        if not 0 <= values["eventDuplicates"] <= MOST_COPIES:
            raise ValueError(f"Switch 'eventDuplicates' takes a number from 0 to {MOST_COPIES}")
        parse_duration(values["eventDelay"])
        return values

    def adopt(self, values: Json) -> None:
        """Take over what `merged` gave."""
        self._values = values


@dataclass(frozen=True)
class Landed:
    """A blob that was not there before, or not with this content."""

    name: str
    etag: str
    size: int
    content_type: str
    modified: datetime


def found(before: Mapping[str, str], listed: Mapping[str, Landed]) -> list[Landed]:
    """What has landed since, in the order of time."""
    fresh = [blob for name, blob in listed.items() if before.get(name) != blob.etag]
    return sorted(fresh, key=lambda blob: (blob.modified, blob.name))


def messages(fresh: list[Landed], switches: Mapping[str, Any], ahead: timedelta, number: int) -> Iterator[str]:
    """The queue's messages about them. `ahead`: by which Power BI's clock is before the real one, so that files and
    refreshes keep their order. `number`: of the first event.
    """
    ordered = list(enumerate(fresh, number))
    for at, blob in reversed(ordered) if switches["eventReorder"] else ordered:
        event = _event(blob, switches["eventSchema"], blob.modified + ahead, at)
        text = json.dumps(event)
        copy = base64.b64encode(text.encode()).decode() if switches["eventBase64"] else text
        for _ in range(1 + switches["eventDuplicates"]):
            yield copy


class LandingEvents:
    """Watches the container for as long as it is told to."""

    def __init__(self, connection_string: str, ca_file: Path, clock: Clock, settings: EventSettings) -> None:
        self._connection_string = connection_string
        self._ca_file = ca_file
        self._clock = clock
        self._settings = settings
        self._known: dict[str, str] = {}
        self._number = 1
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to watch; what lies there already lands now."""
        self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _watch(self) -> None:
        from azure.core.exceptions import AzureError

        container, queue = await asyncio.to_thread(self._clients)
        while True:
            began = time.monotonic()
            with suppress(AzureError, OSError):  # storage is away, or a test has removed the container: look again
                await asyncio.to_thread(self._look, container, queue)
            await asyncio.sleep(max(EVERY, 3 * (time.monotonic() - began)))

    def _clients(self) -> tuple[ContainerClient, QueueClient]:
        from azure.storage.blob import ContainerClient
        from azure.storage.queue import QueueClient

        plain: dict[str, Any] = {
            "connection_verify": str(self._ca_file),
            "use_env_settings": False,
            "retry_total": 0,
            "logging_enable": False,
        }
        text = self._connection_string
        container = ContainerClient.from_connection_string(text, CONTAINER, **plain)
        return container, QueueClient.from_connection_string(text, QUEUE, **plain)

    def _look(self, container: ContainerClient, queue: QueueClient) -> None:
        """A blob counts as known once its events are on the queue: if storage fails before that, they come again."""
        listed = {blob.name: _landed(blob) for blob in container.list_blobs()}
        self._known = {name: etag for name, etag in self._known.items() if name in listed}
        fresh = found(self._known, listed)
        if not fresh:
            return
        switches, ahead = self._settings.state(), self._clock.now() - datetime.now(UTC)
        delay = math.ceil(parse_duration(switches["eventDelay"]).total_seconds())
        for text in messages(fresh, switches, ahead, self._number):
            queue.send_message(text, visibility_timeout=delay, time_to_live=-1)
        self._number += len(fresh)
        self._known.update({blob.name: blob.etag for blob in fresh})


def _landed(blob: BlobProperties) -> Landed:
    content_type = blob.content_settings.content_type or "application/octet-stream"
    return Landed(blob.name, blob.etag.strip('"'), blob.size, content_type, blob.last_modified)


def _event(blob: Landed, schema: str, when: datetime, number: int) -> Json:
    subject = f"/blobServices/default/containers/{CONTAINER}/blobs/{blob.name}"
    moment = f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"
    data = {
        "api": "PutBlob",
        "clientRequestId": str(uuid.uuid4()),
        "requestId": str(uuid.uuid4()),
        "eTag": blob.etag,
        "contentType": blob.content_type,
        "contentLength": blob.size,
        "blobType": "BlockBlob",
        "url": f"https://{PUBLIC.storage_host('blob')}/{CONTAINER}/{quote(blob.name)}",
        "sequencer": f"{number:048x}",
        "storageDiagnostics": {"batchId": str(uuid.uuid4())},
    }
    if schema == "cloudEvents":
        return {
            "specversion": "1.0",
            "source": TOPIC,
            "subject": subject,
            "type": CREATED,
            "time": moment,
            "id": str(uuid.uuid4()),
            "data": data,
        }
    return {
        "topic": TOPIC,
        "subject": subject,
        "eventType": CREATED,
        "eventTime": moment,
        "id": str(uuid.uuid4()),
        "data": data,
        "dataVersion": "",
        "metadataVersion": "1",
    }
