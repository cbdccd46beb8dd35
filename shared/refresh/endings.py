"""What follows when a refresh has ended, one way or another: pure functions of head, ending and policy."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from shared.refresh.failures import Failure, took_too_long
from shared.refresh.history import State
from shared.refresh.records import DatasetHead, Ending, Flight, Queued, RunStatus
from shared.refresh.timing import Timing, grown
from shared.refresh.verdicts import Over

if TYPE_CHECKING:
    from shared.powerbi.refreshes import RefreshEntry
    from shared.refresh.documents import DatasetPolicy

_MISSING = re.compile(
    r"has no partition|no such partition|partition\b.{0,200}\b(does not|doesn['’]t) exist"
    r"|(can ?not|can['’]t|could not|unable to) (find|locate)\b.{0,80}\bpartition|partition\b.{0,200}\bnot found"
    r"|PartitionNotFound",
    re.IGNORECASE | re.DOTALL,
)
TO_TABLES = "The model lacks a partition that the rules name: whole tables are refreshed instead."
NOT_BEGUN = "Cancelled before it began."
FOUND = "Its answer was lost; it was found in the refresh history."
NEVER_APPEARED = Failure(
    "neverAppeared",
    "unknown",
    "The refresh never appeared in the refresh history: Power BI did not take it, or dropped it.",
    True,
    "It is tried again. If this goes on, see whether the capacity is overloaded.",
)
BODY_LOST = Failure(
    "bodyLost",
    "unknown",
    "What was asked for is not in storage any more (container runs), so the refresh could not be started.",
    False,
    "Send the request again, with a new idempotency key.",
)
_STATUS = {
    State.COMPLETED: RunStatus.COMPLETED,
    State.CANCELLED: RunStatus.CANCELLED,
    State.TIMED_OUT: RunStatus.TIMED_OUT,
}


def attempts_left(entry: Queued, policy: DatasetPolicy | None) -> bool:
    """Whether the run may be tried once more."""
    return policy is not None and entry.attempts + 1 < policy.attempts


def ended(flight: Flight, over: Over, failure: Failure | None, policy: DatasetPolicy | None, now: datetime) -> Ending:
    """A refresh that the history shows as ended."""
    entry = over.entry
    status = _STATUS.get(over.state, RunStatus.FAILED)
    if status is RunStatus.CANCELLED and flight.timed_out and not flight.cancel_requested:
        status, failure = RunStatus.TIMED_OUT, took_too_long()
    may_retry = status is RunStatus.FAILED and not flight.cancel_requested
    to_tables = may_retry and lacks_partition(flight, entry, failure)
    again = to_tables or bool(may_retry and failure and failure.retryable and attempts_left(flight.entry, policy))
    return Ending(
        entry=replace(flight.entry, to_tables=flight.entry.to_tables or to_tables),
        status=status,
        at=now,
        claim=flight.claim,
        reason=_reason(flight, status, to_tables=to_tables),
        request_id=entry.request_id,
        started_at=entry.start_time,
        ended_at=entry.end_time,
        error=failure.document() if failure else None,
        again=again,
    )


def _reason(flight: Flight, status: RunStatus, *, to_tables: bool) -> str:
    told = [
        TO_TABLES if to_tables or flight.entry.to_tables else "",
        FOUND if flight.adopted else "",
        "It took longer than its timeout." if status is RunStatus.TIMED_OUT else "",
        "Cancelled by somebody else." if status is RunStatus.CANCELLED and not flight.cancel_requested else "",
    ]
    return " ".join(each for each in told if each)


def lacks_partition(flight: Flight, entry: RefreshEntry | None, failure: Failure | None) -> bool:
    """The refresh failed because a partition that it names is not in the model; that is tried only once."""
    if flight.entry.to_tables or not any(each.partition for each in flight.objects):
        return False
    said = " ".join((entry.service_exception if entry else "", failure.message if failure else ""))
    return bool(_MISSING.search(said))


def refused(flight: Flight, failure: Failure, policy: DatasetPolicy | None, now: datetime, *, skip: bool) -> Ending:
    """The POST was refused for good, or never had an effect; `skip`: the policy only lets us look on."""
    to_tables = lacks_partition(flight, None, failure)
    again = to_tables or (failure.retryable and not flight.cancel_requested and attempts_left(flight.entry, policy))
    return Ending(
        entry=replace(flight.entry, to_tables=flight.entry.to_tables or to_tables),
        status=RunStatus.SKIPPED if skip else RunStatus.FAILED,
        at=now,
        claim=flight.claim,
        reason=TO_TABLES if to_tables else failure.message if skip else "",
        error=failure.document(),
        again=again and not skip,
    )


def not_begun(entry: Queued, status: RunStatus, now: datetime, reason: str, failure: Failure | None = None) -> Ending:
    """A run that ends before an attempt of it began."""
    return Ending(entry, status, now, reason=reason, error=failure.document() if failure else None)


def after(
    head: DatasetHead, ending: Ending, policy: DatasetPolicy | None, now: datetime, timing: Timing
) -> DatasetHead:
    """The head once that has ended: the attempt that follows, or the pause, or a clean slate.

    It stays due, so that whoever dies before the ending is carried out is followed by somebody else.
    """
    entry, adopted = ending.entry, head.flight is not None and head.flight.adopted
    head = replace(head.without(entry.run_id), flight=None, endings=(*head.endings, ending), due=now)
    if adopted:
        head = replace(head, no_post_before=now + timing.after_adopted)
    if ending.again:
        return head.enqueued(_next_attempt(ending, policy, now), first=True)
    if not entry.joinable:
        return head
    if ending.status is RunStatus.COMPLETED:
        return replace(head, incidents=0, rests_until=None)
    incidents = head.incidents + 1
    return replace(
        head, incidents=incidents, rests_until=now + grown(timing.incident, incidents, timing.longest_incident)
    )


def _next_attempt(ending: Ending, policy: DatasetPolicy | None, now: datetime) -> Queued:
    entry = ending.entry
    if ending.reason.startswith(TO_TABLES) or policy is None:  # a wrong name is no failure of the refresh
        return replace(entry, urgent=False, not_before=now)
    delay = policy.retry_delay.total_seconds() * policy.backoff**entry.attempts
    bounded = timedelta(seconds=min(delay, timedelta(days=1).total_seconds()))
    return replace(entry, urgent=False, attempts=entry.attempts + 1, not_before=now + bounded)


def executing(head: DatasetHead, flight: Flight, now: datetime, timing: Timing) -> DatasetHead:
    """The POST was refused because another refresh is executing: that one is watched, and ours comes after it."""
    refusals = head.refusals + 1
    until = now + grown(timing.executing, refusals, timing.longest_executing)
    back = replace(head, flight=None, refusals=refusals, no_post_before=until)
    return back.enqueued(flight.entry, first=True).calling(until)


def used_up(head: DatasetHead, flight: Flight, until: datetime) -> DatasetHead:
    """The POST was refused because the day's refreshes are used up: no attempt of the run, which waits for one."""
    back = replace(head, flight=None, no_post_before=until)
    return back.enqueued(flight.entry, first=True).calling(until)


def away(head: DatasetHead, flight: Flight, until: datetime) -> DatasetHead:
    """The POST had no effect because Power BI, or what we need to call it, is away: no attempt of the run."""
    back = replace(head, flight=None, no_call_before=until)
    return back.enqueued(flight.entry, first=True).calling(until)
