"""What the refresh history says of a refresh of ours: that it goes on, is over, or has not appeared. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from shared.refresh.history import State, in_progress, running_now, state_of
from shared.refresh.records import Flight
from shared.refresh.timing import Timing

if TYPE_CHECKING:
    from shared.powerbi.refreshes import RefreshEntry


@dataclass(frozen=True)
class Adopt:
    """This one appeared after the claim: it is ours, or as good as ours."""

    entry: RefreshEntry


@dataclass(frozen=True)
class NotYet:
    """Nothing has appeared. `since`: from when that counts; `other`: what is in progress meanwhile."""

    since: datetime
    other: RefreshEntry | None = None


@dataclass(frozen=True)
class GiveUp:
    """It never began, and can't begin any more."""


@dataclass(frozen=True)
class Going:
    """It is in progress."""

    entry: RefreshEntry


@dataclass(frozen=True)
class Over:
    """It has ended, or has been in progress for longer than any refresh may."""

    entry: RefreshEntry
    state: State


Verdict = Adopt | NotYet | GiveUp | Going | Over


def judge(flight: Flight, entries: Sequence[RefreshEntry], now: datetime, margin: timedelta, timing: Timing) -> Verdict:
    """What has become of a refresh that was announced; asked when its claim is over, or when its id is known.

    Ours may wait behind another, so the time in which it has to appear begins when no other is in progress any more,
    whether or not somebody looked while it was.
    """
    if flight.request_id:
        found = next((each for each in entries if each.request_id == flight.request_id), None)
        if found is not None:
            return _of_ours(found, now, timing)
    elif (appeared := _appeared(flight, entries, margin)) is not None:
        return Adopt(appeared)
    other = running_now(entries, now, timing)
    if other is not None:
        return NotYet(max(now, flight.since), other)
    since = max([flight.since, *(min(each.end_time + margin, now) for each in entries if each.end_time)])
    return GiveUp() if now >= since + timing.appears else NotYet(since)


def _of_ours(entry: RefreshEntry, now: datetime, timing: Timing) -> Verdict:
    state = state_of(entry)
    if state is not State.RUNNING:
        return Over(entry, state)
    return Going(entry) if in_progress(entry, now, timing) else Over(entry, State.UNCLEAR)


def _appeared(flight: Flight, entries: Sequence[RefreshEntry], margin: timedelta) -> RefreshEntry | None:
    """The first refresh of our type that was not there before the claim, and started no earlier (clocks differ)."""
    earliest = flight.claimed_at - margin
    for entry in reversed(entries):
        ours = entry.refresh_type == flight.refresh_type and entry.request_id not in flight.known
        if ours and (entry.start_time is None or entry.start_time >= earliest):
            return entry
    return None
