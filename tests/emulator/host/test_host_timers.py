"""Timers: what was missed, what is kept, and that runs never overlap."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
import requests
from azure.core.exceptions import ServiceRequestError
from azure.storage.blob import BlobServiceClient

from emulator.host.cron import Schedule
from emulator.host.host import host_id
from emulator.host.indexing import Function
from emulator.host.invocation import Invoker
from emulator.host.threads import HostThreads
from emulator.host.timers import _NEVER, Status, StatusBlob, Timer, at_start
from tests.emulator.host.conftest import StartHost
from tests.emulator.host.processes import Storage, eventually, write_app

HOURLY = Schedule("0 0 * * * *")
NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)


def at(hour: int, minute: int = 0) -> datetime:
    return NOW.replace(hour=hour, minute=minute)


def test_a_timer_that_never_ran_is_not_due_and_its_next_occurrence_is_kept() -> None:
    start = at_start(HOURLY, None, NOW, run_on_startup=False)
    assert (start.changed, start.fire, start.status) == (True, False, Status(_NEVER, at(11), NOW))


@pytest.mark.parametrize("run_on_startup", [False, True])
def test_missed_occurrences_are_made_up_for_once(run_on_startup: bool) -> None:
    kept = Status(at(6), at(7), at(6))
    start = at_start(HOURLY, kept, NOW, run_on_startup=run_on_startup)
    assert (start.changed, start.fire, start.past_due) == (False, True, True)


def test_run_on_startup_fires_what_is_not_past_due() -> None:
    kept = Status(at(10), at(11), at(10))
    start = at_start(HOURLY, kept, NOW, run_on_startup=True)
    assert (start.changed, start.fire, start.past_due) == (False, True, False)
    assert not at_start(HOURLY, kept, NOW, run_on_startup=False).fire


def test_a_changed_schedule_has_missed_nothing() -> None:
    kept = Status(at(6), at(6, 30), at(6))
    start = at_start(HOURLY, kept, NOW, run_on_startup=False)
    assert (start.changed, start.fire, start.status.next) == (True, False, at(11))
    again = at_start(HOURLY, start.status, at(12), run_on_startup=False)
    assert (again.fire, again.past_due) == (True, True)


class _Clock:
    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        return self.time


class _SlowWork:
    """Stands for the invoker: each run takes its time on the clock, and the last one stops the timer."""

    def __init__(self, clock: _Clock, minutes: list[int]) -> None:
        self.clock, self.minutes = clock, minutes
        self.began: list[datetime] = []
        self.timer: Timer | None = None

    async def run(self, function: Function, argument: Any, **_: Any) -> None:
        self.began.append(self.clock.time)
        self.clock.time += timedelta(minutes=self.minutes.pop(0))
        if not self.minutes and self.timer is not None:
            self.timer.stop()


class _QuickTimer(Timer):
    """Waiting moves the clock."""

    clock: _Clock

    async def _stopped_within(self, seconds: float) -> None:
        self.clock.time += timedelta(seconds=seconds)


class _AwayThenKept:
    """A status blob that is away at first, and then remembers what was written."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.written: list[Status] = []

    def read(self) -> Status | None:
        self.failures -= 1
        if self.failures >= 0:
            raise ServiceRequestError("away")
        return self.written[-1] if self.written else None

    def write(self, status: Status) -> None:
        self.written.append(status)


def run_timer(schedule: Schedule, minutes: list[int], blob: _AwayThenKept) -> tuple[_SlowWork, _Clock]:
    async def run() -> tuple[_SlowWork, _Clock]:
        clock = _Clock()
        work = _SlowWork(clock, minutes)
        function = Function("tick", print, {"type": "timerTrigger", "name": "timer"}, {}, False, "")
        timer = _QuickTimer(
            function=function,
            schedule=schedule,
            blob=cast(StatusBlob, blob),
            invoker=cast(Invoker, work),
            threads=HostThreads(1),
            now=clock.now,
        )
        timer.clock, work.timer = clock, timer
        await asyncio.wait_for(timer.run(), 10)
        return work, clock

    return asyncio.run(run())


def test_a_run_that_overran_its_schedule_is_followed_by_one_at_once_and_none_overlaps() -> None:
    blob = _AwayThenKept()
    work, _ = run_timer(HOURLY, [1, 150, 1, 1], blob)
    assert work.began == [at(11), at(12), at(14, 30), at(15)]
    assert [status.last for status in blob.written] == [_NEVER, *work.began]
    assert [status.next for status in blob.written] == [at(11), at(12), at(13), at(15), at(16)]


def test_a_timer_waits_for_storage_that_is_away_at_start() -> None:
    blob = _AwayThenKept(failures=2)
    work, _ = run_timer(HOURLY, [1], blob)
    assert work.began == [at(11)]


APP = """
@app.timer_trigger("timer", "%SCHEDULE%", run_on_startup=os.environ.get("AT_ONCE") == "yes")
def yearly(timer: func.TimerRequest) -> None:
    logging.info("fired, past due: %s, next: %s", timer.past_due, timer.schedule_status.get("Next"))
    raise ValueError("failed, and is kept all the same")

@app.timer_trigger("timer", "* * * * * *")
def each_second(timer: func.TimerRequest) -> None:
    logging.info("tick %s", timer.schedule_status)
"""


def test_a_timer_catches_up_once_and_its_state_survives_a_restart(
    tmp_path: Path, storage: Storage, start_host: StartHost
) -> None:
    app = write_app(tmp_path / "app", APP)
    schedule = Schedule("0 0 0 1 1 *")
    blobs = BlobServiceClient.from_connection_string(storage.connection_string)
    blob = StatusBlob(blobs, host_id(app, {}), "yearly")
    years_ago = datetime(2020, 5, 5, tzinfo=UTC)
    blob.write(Status(years_ago, schedule.after(years_ago), years_ago))

    first = start_host(app, {**storage.settings, "SCHEDULE": schedule.text})
    first.printed("fired, past due: True, next: 2021-01-01T00:00:00")
    first.printed("yearly failed: ValueError")
    first.printed(r"^tick \{\}")
    kept = eventually("kept after the failure", lambda: _if_later(blob.read(), years_ago))
    assert kept.next == schedule.after(kept.last)
    first.kill()

    second = start_host(app, {**storage.settings, "SCHEDULE": schedule.text, "AT_ONCE": "yes"})
    second.printed(f"fired, past due: False, next: {kept.next.isoformat()[:19]}")
    second.printed("yearly failed")
    assert requests.get(second.url, timeout=5).status_code == 404
    second.terminate()
    assert second.exit_code() == 0


def _if_later(status: Status | None, moment: datetime) -> Status | None:
    return status if status is not None and status.last > moment else None


def test_two_folders_have_states_of_their_own_unless_a_setting_says_otherwise(tmp_path: Path) -> None:
    assert host_id(tmp_path / "a", {}) != host_id(tmp_path / "b", {})
    assert host_id(tmp_path, {"AzureFunctionsWebHost__hostid": "mine"}) == "mine"
