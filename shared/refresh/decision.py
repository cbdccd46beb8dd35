"""Whether to start a refresh, to watch one, or to wait: pure functions of head, landings, policy and time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.refresh.records import DatasetHead, Landing, Queued, Trigger

if TYPE_CHECKING:
    from shared.refresh.documents import DatasetPolicy

NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Nothing:
    """There is nothing to do until something happens."""

    why: str


@dataclass(frozen=True)
class WaitUntil:
    """Look again then."""

    at: datetime
    why: str


@dataclass(frozen=True)
class Dismiss:
    """The run is not needed any more."""

    entry: Queued
    reason: str


@dataclass(frozen=True)
class Start:
    """Start a refresh for this run that covers these landings, unless the history forbids it."""

    entry: Queued
    landings: tuple[Landing, ...]


@dataclass(frozen=True)
class Watch:
    """Look into the history for the refresh in flight."""


Decision = Nothing | WaitUntil | Dismiss | Start | Watch


def decide(head: DatasetHead, pending: Sequence[Landing], policy: DatasetPolicy | None, now: datetime) -> Decision:
    """What a look at the dataset has to do, before it asks Power BI anything."""
    if head.flight:
        return _in_flight(head, now)
    if policy is None:
        if head.queue:
            return Dismiss(head.queue[0], "The dataset is not in refresh.yaml any more.")
        return Nothing("not in refresh.yaml")
    if policy.paused:
        return Nothing("paused")
    moments: list[tuple[datetime, Queued]] = []
    for entry in head.queue:
        if _needless(entry, pending):
            return Dismiss(entry, "Another refresh has covered everything that had landed.")
        moments.append((ready_at(entry, head, pending, policy), entry))
    return _first_ready(moments, pending, now) if moments else Nothing("nothing has landed")


def _in_flight(head: DatasetHead, now: datetime) -> Decision:
    """A claim without an id is left alone until it is over: whoever claimed may still be at it."""
    flight = head.flight
    if flight and not flight.request_id and now < flight.claimed_until:
        return WaitUntil(flight.claimed_until, "somebody is about to start a refresh")
    if head.no_call_before and now < head.no_call_before:
        return WaitUntil(head.no_call_before, "Power BI must not be asked yet")
    return Watch()


def _first_ready(
    moments: Sequence[tuple[datetime, Queued]], pending: Sequence[Landing], now: datetime
) -> WaitUntil | Start:
    """Those who wait are served in their order, and whoever is not ready holds up nobody."""
    for at, entry in moments:
        if at <= now:
            return Start(entry, tuple(pending) if entry.joinable else ())
    return WaitUntil(min(at for at, _ in moments), "quiet period, or a pause after a failure")


def _needless(entry: Queued, pending: Sequence[Landing]) -> bool:
    return entry.joinable and not entry.asked and not pending


def with_run(head: DatasetHead, now: datetime, run_id: str, correlation_id: str) -> DatasetHead:
    """The head with a run for what has landed, unless one is waiting that will cover it."""
    if head.joinable:
        return head
    return head.enqueued(Queued(run_id, Trigger.DATA_LANDED, now, correlation_id))


def ready_at(entry: Queued, head: DatasetHead, pending: Sequence[Landing], policy: DatasetPolicy) -> datetime:
    """When the run may begin."""
    if entry.urgent:
        return _latest(head.no_post_before, head.no_call_before)
    if not entry.joinable:
        return _latest(head.no_post_before, head.no_call_before, entry.not_before)
    return max(_settled_at(pending, policy) if pending else NEVER, held_until(head))


def held_until(head: DatasetHead) -> datetime:
    """Nothing is started before for what has landed, however long ago."""
    entry = head.joinable
    pauses = () if entry and entry.urgent else (head.rests_until, entry.not_before if entry else None)
    return _latest(head.no_post_before, head.no_call_before, *pauses)


def _latest(*moments: datetime | None) -> datetime:
    return max((each for each in moments if each), default=NEVER)


def needed_by(head: DatasetHead, landing: Landing, policy: DatasetPolicy) -> datetime:
    """When a look must come for a landing that has just arrived."""
    wait = policy.settle if landing.immediate else policy.quiet_period
    return max(landing.arrived_at + min(wait, policy.max_wait), held_until(head))


def _settled_at(pending: Sequence[Landing], policy: DatasetPolicy) -> datetime:
    """The quiet period after the last arrival, but never longer than the longest wait after the first; a marker waits
    for its settle time only, because events have no order.
    """
    arrivals = [each.arrived_at for each in pending]
    marked = [each.arrived_at + policy.settle for each in pending if each.immediate]
    return min([max(arrivals) + policy.quiet_period, min(arrivals) + policy.max_wait, *marked])
