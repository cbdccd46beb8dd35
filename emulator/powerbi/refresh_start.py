"""How a refresh will go is settled when it starts: by the dataset's knobs, and by what its request can't do."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from emulator.durations import parse_duration
from emulator.http import Json
from emulator.powerbi.state import State
from emulator.powerbi.times import stored

SHARED_CAP, DEDICATED_CAP, TOTAL_CAP = timedelta(hours=2), timedelta(hours=5), timedelta(hours=24)
PAUSED = timedelta(hours=6)


@dataclass(frozen=True)
class Start:
    """One refresh about to start. `kind`: its refreshType; `at`: when it begins, later than `now` if it queues."""

    kind: str
    now: datetime
    at: datetime
    cap: timedelta = DEDICATED_CAP
    request: Json = field(default_factory=dict)
    paused: bool = False
    """The capacity is paused: the refresh stays in progress for hours and then times out."""


def begin(state: State, dataset: Json, start: Start, request_id: str = "") -> Json:
    """Record the refresh, and use up the dataset's `nextOutcome` and `nextError`."""
    outcome, error = _ending(state, dataset, start.request)
    lasts = parse_duration(dataset["refreshDuration"])
    if start.paused:
        lasts, outcome, error = PAUSED, "TimedOut", {}
    elif lasts > start.cap:
        lasts, outcome, error = start.cap, "TimedOut", {}
    retries = start.request.get("retryCount", 0) if outcome in ("Failed", "TimedOut") else 0
    record = {
        "datasetId": dataset["id"],
        "refreshType": start.kind,
        "accepted": stored(start.now),
        "started": stored(start.at),
        "duration": f"PT{lasts.total_seconds():.3f}S",
        "attempts": _attempts(lasts, retries),
        "outcome": outcome,
        "error": error,
        "request": start.request,
    }
    return state.add("refreshes", record, request_id)


def _attempts(lasts: timedelta, retries: int) -> int:
    """All attempts together take a day at most."""
    return max(1, min(1 + retries, int(TOTAL_CAP / lasts))) if lasts else 1 + retries


def _ending(state: State, dataset: Json, request: Json) -> tuple[str, Json]:
    """The outcome that the test asked for, once; else what the request brings about."""
    asked = dataset["nextOutcome"]
    queue = list(asked) if isinstance(asked, list) else [asked]
    outcome = queue.pop(0) if queue else "Completed"
    dataset["nextOutcome"] = queue if len(queue) > 1 else (queue or ["Completed"])[0]
    error, dataset["nextError"] = dataset["nextError"], {}
    if outcome != "Completed":
        return outcome, error
    if request.get("commitMode") == "PartialBatch" and request.get("applyRefreshPolicy"):
        text = "CommitMode must be Transactional when a refresh policy is applied"
        return "Failed", {"code": "ModelRefreshFailed", "description": text}
    if state.switches["unknownRefreshObjects"] == "fail" and (missing := _missing_object(dataset, request)):
        text = f"The model has no {missing}"
        return "Failed", {"code": "ModelRefreshFailed", "description": text}
    return outcome, {}


def _missing_object(dataset: Json, request: Json) -> str:
    """The first table or partition of the request that the model lacks, in words."""
    for item in request.get("objects", []):
        table, partition = item.get("table", ""), item.get("partition")
        if table not in dataset["tables"]:
            return f"table '{table}'"
        if partition and partition not in dataset["partitions"].get(table, []):
            return f"partition '{partition}' in table '{table}'"
    return ""
