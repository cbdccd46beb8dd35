"""What the refresh history says: how each entry ended, what is in progress, how long it takes, what it covers. Pure.

An entry's `status` is Unknown while it runs; enhanced refreshes say more in `extendedStatus`. What is not surely
completed covers nothing: a doubt costs a refresh, a mistake would cost data.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING

from shared.powerbi.refreshes import VIA_API
from shared.refresh.records import Landing
from shared.refresh.timing import Timing

if TYPE_CHECKING:
    from shared.powerbi.refreshes import RefreshEntry

WHOLE_MODEL = frozenset({VIA_API, "Scheduled", "OnDemand"})
"""Types of refreshes, whoever started them, that refresh all of the model. Enhanced ones and those through the XMLA
endpoint may have refreshed a single table."""
_RUNNING = frozenset({"", "unknown", "inprogress", "notstarted"})


class State(Enum):
    """What an entry of the history stands for. UNCLEAR: it has ended, and nobody says how."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    DISABLED = "disabled"
    CANCELLED = "cancelled"
    TIMED_OUT = "timedOut"
    UNCLEAR = "unclear"


_ENDS = {
    "completed": State.COMPLETED,
    "failed": State.FAILED,
    "disabled": State.DISABLED,
    "cancelled": State.CANCELLED,
    "timedout": State.TIMED_OUT,
}


def state_of(entry: RefreshEntry) -> State:
    """From both words and the end time, in favour of whichever says less."""
    status, extended = entry.status.strip().lower(), entry.extended_status.strip().lower()
    if status in _ENDS:
        return _ended(_ENDS[status], extended)
    if extended in _ENDS:
        end = _ENDS[extended]
        return State.RUNNING if end is State.COMPLETED and entry.end_time is None else end
    return State.RUNNING if entry.end_time is None else State.UNCLEAR


def _ended(state: State, extended: str) -> State:
    """A final status; the extended one may say more (the history calls a timeout Failed), or contradict it."""
    if state is State.COMPLETED and extended in {"inprogress", "notstarted"}:
        return State.RUNNING
    if state in {State.COMPLETED, State.FAILED} and _ENDS.get(extended, State.COMPLETED) is not State.COMPLETED:
        return _ENDS[extended]
    return state if extended in _RUNNING or extended in _ENDS or state is not State.COMPLETED else State.UNCLEAR


def in_progress(entry: RefreshEntry, now: datetime, timing: Timing) -> bool:
    """It runs. One that has been in progress for longer than Power BI lets any is a leftover of the history."""
    if state_of(entry) is not State.RUNNING:
        return False
    return entry.start_time is None or now - entry.start_time < timing.longest_refresh


def running_now(entries: Iterable[RefreshEntry], now: datetime, timing: Timing) -> RefreshEntry | None:
    """The refresh that is in progress, or None."""
    return next((each for each in entries if in_progress(each, now, timing)), None)


def durations(entries: Iterable[RefreshEntry], kind: str = "") -> list[timedelta]:
    """How long completed refreshes took: those of this type, or of all types where there is none of this."""
    taken = [
        (each.refresh_type, each.end_time - each.start_time)
        for each in entries
        if state_of(each) is State.COMPLETED and each.start_time and each.end_time
    ]
    return [took for name, took in taken if name == kind] or [took for _, took in taken]


def covered_by(entries: Sequence[RefreshEntry], landings: Iterable[Landing], margin: timedelta) -> list[str]:
    """Keys of landings that some completed refresh of the whole model covers: it started surely after they landed."""
    starts = [
        each.start_time
        for each in entries
        if each.refresh_type in WHOLE_MODEL and state_of(each) is State.COMPLETED and each.start_time
    ]
    if not starts:
        return []
    latest = max(starts) - margin
    return [each.key for each in landings if each.event_time < latest]
