"""Whether to start a refresh, to watch one, or to wait: pure functions of head, landings, policy and time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.refresh.records import DatasetHead, Json, Landing, Queued, Trigger
from shared.refresh.rules import RefreshObject, united
from shared.refresh.timing import Timing

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


# ---- what to refresh
@dataclass(frozen=True)
class Extent:
    """What a refresh takes in, and the body that asks for it (None: a standard refresh)."""

    body: Json | None
    objects: tuple[RefreshObject, ...] = ()
    """Empty: the whole model, or what the caller's own body says."""


def extent(entry: Queued, landings: Sequence[Landing], policy: DatasetPolicy, timing: Timing) -> Extent:
    """The tables and partitions of the landings; all of the model where one of them, the capacity, or somebody who
    asked without saying more, wants that.
    """
    if not policy.premium:
        return Extent(None)
    objects = () if entry.asked or not landings else united(each.objects for each in landings)
    if entry.to_tables:
        objects = _tables(objects)
    named = any(each.partition for each in objects)
    if len(objects) > timing.most_objects:
        objects = _tables(objects)
    if len(objects) > timing.most_objects:
        objects = ()
    return Extent(_body(policy, objects, as_they_are=named), objects)


def _tables(objects: Sequence[RefreshObject]) -> tuple[RefreshObject, ...]:
    return tuple(sorted({replace(each, partition="") for each in objects}))


def _body(policy: DatasetPolicy, objects: Sequence[RefreshObject], *, as_they_are: bool) -> Json:
    """An enhanced refresh that is all or nothing. Power BI ends an attempt after five hours unless it is told to wait.

    Partitions that rules name are refreshed `as_they_are`, also where so many are named that it is their tables: a
    refresh policy would replace them, and leave the older ones out.
    Source: Datasets - Refresh Dataset In Group; asynchronous refresh (Microsoft Learn)
    """
    body: Json = {"type": "Full", "commitMode": "Transactional"}
    if objects:
        body["objects"] = [
            {"table": each.table, **({"partition": each.partition} if each.partition else {})} for each in objects
        ]
    if as_they_are:
        body["applyRefreshPolicy"] = False
    hours, rest = divmod(int(policy.timeout.total_seconds()), 3600)
    if hours >= 5:
        body["timeout"] = f"{hours:02}:{rest // 60:02}:{rest % 60:02}"
    return body
