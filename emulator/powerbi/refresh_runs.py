"""What a refresh looks like at a moment: pure functions of its record and the time. Reading changes nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from emulator.durations import parse_duration
from emulator.http import Json
from emulator.powerbi.times import moment, wire

ENHANCED = "ViaEnhancedApi"
_STATUS = {"TimedOut": "Failed"}
"""How the history, which knows fewer words, calls an outcome."""
_DEFAULT_ERROR = {
    "Failed": {"code": "ModelRefresh_ShortMessage_ProcessingError"},
    "TimedOut": {"code": "ModelRefresh_ShortMessage_Timeout"},
}


@dataclass(frozen=True)
class Run:
    """A refresh at a moment. `ended` is None while it goes on; `outcome` is final only then."""

    record: Json
    started: datetime
    ends: datetime
    outcome: str
    running: bool
    begun: bool

    @property
    def status(self) -> str:
        """`Unknown` means in progress."""
        return "Unknown" if self.running else _STATUS.get(self.outcome, self.outcome)

    @property
    def extended_status(self) -> str:
        """The richer word of enhanced refreshes."""
        if not self.running:
            return self.outcome
        return "InProgress" if self.begun else "NotStarted"

    @property
    def error(self) -> Json:
        """Code and description of a failure; empty if there is none."""
        return {} if self.running else dict(self.record["error"] or _DEFAULT_ERROR.get(self.outcome, {}))


def run_at(record: Json, now: datetime, *, start: timedelta, cancel: timedelta) -> Run:
    """`start`: how long it is NotStarted; `cancel`: how long it goes on after it was cancelled."""
    started = moment(record["started"] or record["accepted"])
    start = start if record["refreshType"] == ENHANCED else timedelta(0)
    ends = started + start + parse_duration(record["duration"]) * record.get("attempts", 1)
    outcome = record["outcome"]
    if record["cancelled"] and moment(record["cancelled"]) + cancel < ends:
        ends, outcome = moment(record["cancelled"]) + cancel, "Cancelled"
    return Run(record, started, ends, outcome, running=now < ends, begun=now >= started + start)


def history_entry(run: Run) -> Json:
    """One row of the refresh history."""
    entry: Json = {
        "requestId": run.record["id"],
        "refreshType": run.record["refreshType"],
        "startTime": wire(run.started),
        "status": run.status,
    }
    if run.record["refreshType"] == ENHANCED:
        entry["extendedStatus"] = run.extended_status
    return entry | _ending(run, zone=True)


def details(run: Run, objects: list[Json]) -> Json:
    """The answer for one enhanced refresh; its times have no `Z`."""
    request = run.record["request"]
    kind = request.get("type", "Automatic")
    shown: Json = {
        "startTime": wire(run.started, zone=False),
        "type": kind,
        "commitMode": request.get("commitMode", "Transactional"),
        "status": run.status,
        "extendedStatus": run.extended_status,
        "currentRefreshType": kind,
        "numberOfAttempts": 0,
        "objects": [item | {"status": run.extended_status} for item in objects],
    }
    if run.error:
        text = run.error.get("description", run.error["code"])
        message = {"message": text, "type": "Error"}
        shown["messages"] = [message | ({"code": run.error["engineCode"]} if "engineCode" in run.error else {})]
    return shown | _ending(run, zone=False)


def exception_text(error: Json) -> str:
    """A failure as JSON in a string."""
    shown = {"errorCode": error["code"]}
    if error.get("description"):
        shown["errorDescription"] = error["description"]
    return json.dumps(shown)


def _ending(run: Run, *, zone: bool) -> Json:
    """What is there only once it is over."""
    if run.running:
        return {}
    shown: Json = {"endTime": wire(run.ends, zone=zone)}
    if run.error and zone:
        shown["serviceExceptionJson"] = exception_text(run.error)
    return shown | {"refreshAttempts": _attempts(run, zone=zone)}


def _attempts(run: Run, *, zone: bool) -> list[Json]:
    """One per try; the query phase follows only where the data phase succeeded."""
    count = run.record.get("attempts", 1)
    length = (run.ends - run.started) / count
    tries = [(number, run.started + length * (number - 1)) for number in range(1, count + 1)]
    shown = [_attempt(number, at, at + length, "Data", zone=zone) for number, at in tries]
    if run.outcome == "Completed":
        return [*shown, _attempt(count, run.ends, run.ends, "Query", zone=zone)]
    if not run.error:
        return shown
    return [attempt | {"serviceExceptionJson": exception_text(run.error)} for attempt in shown]


def _attempt(number: int, start: datetime, end: datetime, kind: str, *, zone: bool) -> Json:
    return {
        "attemptId": number,
        "startTime": wire(start, zone=zone),
        "endTime": wire(end, zone=zone),
        "type": kind,
    }
