"""Timer triggers: when they fire, what happened while the host was away, and what is kept of it.

Source of the behaviour: Microsoft Learn, "Timer trigger for Azure Functions", and the extension's public source
(TimerListener, ScheduleMonitor, StorageScheduleMonitor). The lock that keeps a timer to one of several instances is
left out: one host runs here, and after a crash nobody should wait a minute for the lock of a dead one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError

from emulator.host.converters import converter, datum
from emulator.host.cron import Schedule
from emulator.host.indexing import Function
from emulator.host.invocation import Invoker
from emulator.host.log import say
from emulator.host.threads import HostThreads

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient, BlobServiceClient

CONTAINER = "azure-webjobs-hosts"
_NEVER = datetime(1, 1, 1, tzinfo=UTC)
_TRY_AGAIN = 5.0
_LONGEST_WAIT = timedelta(days=1)


@dataclass(frozen=True)
class Status:
    """What is kept of a timer: its last run (or never), the next occurrence, and when that was written."""

    last: datetime
    next: datetime
    last_updated: datetime

    def document(self) -> dict[str, str]:
        """As it stands in the blob, and as the function sees it."""
        return {
            "Last": self.last.isoformat(),
            "Next": self.next.isoformat(),
            "LastUpdated": self.last_updated.isoformat(),
        }


class StatusBlob:
    """The blob that holds a timer's status between two starts of the host. Blocking; raises AzureError."""

    def __init__(self, service: BlobServiceClient, host_id: str, function: str) -> None:
        self._container = service.get_container_client(CONTAINER)
        path = f"timers/{host_id}/Host.Functions.{function}/status"
        self._blob: BlobClient = service.get_blob_client(CONTAINER, path)

    def read(self) -> Status | None:
        """None if nothing was kept, or nothing that can be read."""
        try:
            found = json.loads(self._blob.download_blob().readall())
            last, following, updated = (_time(found[name]) for name in ("Last", "Next", "LastUpdated"))
        except ResourceNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            say(f"the timer status {self._blob.blob_name} can't be read and counts as none", "warning")
            return None
        return Status(last, following, updated)

    def write(self, status: Status) -> None:
        """Keep it, creating the container if need be."""
        content = json.dumps(status.document()).encode()
        try:
            self._blob.upload_blob(content, overwrite=True)
        except ResourceNotFoundError:
            try:
                self._container.create_container()
            except ResourceExistsError:
                say("another host created the container of timer states at the same moment")
            self._blob.upload_blob(content, overwrite=True)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass(frozen=True)
class Start:
    """What a timer does when the host starts: its status from now on, and whether it fires at once."""

    status: Status
    changed: bool
    fire: bool
    past_due: bool


def at_start(schedule: Schedule, kept: Status | None, now: datetime, *, run_on_startup: bool) -> Start:
    """However many occurrences were missed, one run makes up for them; a schedule that was changed has missed none."""
    status = kept
    if kept is not None:
        since = kept.last_updated if kept.last == _NEVER else kept.last
        status = kept if schedule.after(since) == kept.next else None
    if status is None:
        status = Status(_NEVER, schedule.after(now), now)
    past_due = now > status.next
    return Start(status, changed=status is not kept, fire=past_due or run_on_startup, past_due=past_due)


class Timer:
    """One timer: waits for its next occurrence, runs its function, keeps its status; runs never overlap."""

    def __init__(
        self,
        *,
        function: Function,
        schedule: Schedule,
        blob: StatusBlob | None,
        invoker: Invoker,
        threads: HostThreads,
        now: Callable[[], datetime],
    ) -> None:
        self._function = function
        self._schedule = schedule
        self._blob = blob
        self._invoker = invoker
        self._threads = threads
        self._now = now
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Fire at each occurrence until stopped."""
        start = await self._start()
        if start is None:
            return
        if start.changed:
            await self._keep(start.status)
        status = start.status
        if start.fire:
            status = await self._fire(status, past_due=start.past_due)
        while await self._wait_until(status.next):
            status = await self._fire(status, past_due=False)

    def stop(self) -> None:
        """Fire no more; a run that has begun goes on."""
        self._stopping.set()

    async def _start(self) -> Start | None:
        """None if the host is stopped before storage could be read."""
        run_on_startup = bool(self._function.trigger.get("runOnStartup"))
        while not self._stopping.is_set():
            try:
                kept = await self._threads.call(self._blob.read) if self._blob else None
                return at_start(self._schedule, kept, self._now(), run_on_startup=run_on_startup)
            except AzureError as error:
                say(f"the status of timer {self._function.name} can't be read: {type(error).__name__}", "error")
                await self._stopped_within(_TRY_AGAIN)
        return None

    async def _fire(self, status: Status, *, past_due: bool) -> Status:
        began = self._now()
        request = timer_request(status if self._blob else None, past_due=past_due)
        await self._invoker.run(self._function, request, shown={"pastDue": past_due})
        after = Status(began, self._schedule.after(began), self._now())
        await self._keep(after)
        return after

    async def _keep(self, status: Status) -> None:
        if self._blob is None:
            return
        blob = self._blob
        try:
            await self._threads.call(lambda: blob.write(status))
        except AzureError as error:
            say(f"the status of timer {self._function.name} can't be kept: {type(error).__name__}", "error")

    async def _wait_until(self, moment: datetime) -> bool:
        """True at `moment`, False as soon as the timer is stopped."""
        while not self._stopping.is_set():
            left = moment - self._now()
            if left <= timedelta(0):
                return True
            await self._stopped_within(min(left, _LONGEST_WAIT).total_seconds())
        return False

    async def _stopped_within(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return


def timer_request(status: Status | None, *, past_due: bool) -> Any:
    """What the function gets; without a status (run by hand, or not monitored) it sees none."""
    document = {
        "Schedule": {"AdjustForDST": True},
        "ScheduleStatus": status.document() if status else None,
        "IsPastDue": past_due,
    }
    return converter("timerTrigger").decode(datum(json.dumps(document), "json"), trigger_metadata=None)
