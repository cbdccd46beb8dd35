"""How a run's document changes: pure, and each change made twice is the same as made once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from shared.refresh.records import Attempt, Ending, Flight, Queued, Run, RunStatus

if TYPE_CHECKING:
    from shared.refresh.documents import DatasetPolicy


MOST_CANCELS = 20
"""How many repeats of a cancel a run knows by itself; those before them have long been noted elsewhere."""


def new_run(entry: Queued, dataset_id: str, policy: DatasetPolicy | None) -> Run:
    """A run that waits for its turn."""
    return Run(
        id=entry.run_id,
        dataset=policy.alias if policy else "",
        workspace_id=policy.workspace_id if policy else "",
        dataset_id=dataset_id,
        trigger=entry.trigger,
        queued_at=entry.since,
        correlation_id=entry.correlation_id,
        caller=entry.caller,
    )


def begun(run: Run, flight: Flight, events: int) -> Run:
    """An attempt is announced. One before it that has no end was withdrawn, by somebody who died before he said so."""
    if run.final or _find(run, flight.claim):
        return run
    run = _only_ended(run)
    attempt = Attempt(len(run.attempts) + 1, flight.claim, flight.claimed_at)
    return replace(
        run,
        status=RunStatus.RUNNING,
        workspace_id=flight.workspace_id,
        request_id="",
        refresh_type=flight.refresh_type,
        attempts=(*run.attempts, attempt),
        events=events,
        objects=flight.objects,
        started_at=run.started_at or flight.claimed_at,
    )


def known(run: Run, claim: str, request_id: str) -> Run:
    """Power BI's request id of an attempt."""
    attempt = _find(run, claim)
    if run.final or attempt is None or attempt.ended_at or attempt.request_id == request_id:
        return run
    return replace(_with(run, replace(attempt, request_id=request_id)), request_id=request_id)


def withdrawn(run: Run, claim: str, reason: str) -> Run:
    """An attempt that was not taken, for a reason that is none of the run's: it does not count."""
    attempt = _find(run, claim)
    if run.final or attempt is None or attempt.ended_at:
        return run
    return replace(_only_ended(run), status=RunStatus.WAITING, reason=reason)


def said(run: Run, reason: str) -> Run:
    """What its reader should know."""
    return run if run.final else replace(run, reason=reason)


def held_back(run: Run, reason: str) -> Run:
    """It waits for longer than a quiet period."""
    if run.final or run.status is RunStatus.RUNNING:
        return run
    return replace(run, status=RunStatus.WAITING, reason=reason)


def asked_to_cancel(run: Run, act: str) -> Run:
    """Somebody wants it to end; `act` is the id of that wish, or empty."""
    if run.final or act in run.cancels:
        return run
    return replace(run, cancel_requested=True, cancels=(*run.cancels, act)[-MOST_CANCELS:] if act else run.cancels)


def ended(run: Run, ending: Ending) -> Run:
    """An attempt ended, or the run without one. What ended once stays as it is."""
    attempt = _find(run, ending.claim) if ending.claim else None
    if run.final or (ending.again and attempt and attempt.ended_at):
        return run
    if ending.claim:
        run = _with_end(run, attempt, ending)
    if ending.again:
        return replace(run, status=RunStatus.WAITING, reason=ending.reason, error=ending.error)
    return replace(
        run,
        status=ending.status,
        reason=ending.reason,
        request_id=ending.request_id or run.request_id,
        ended_at=ending.ended_at or ending.at,
        error=ending.error,
    )


def _with_end(run: Run, attempt: Attempt | None, ending: Ending) -> Run:
    """With the end of that attempt, or with the whole of it where whoever began it died before he wrote it down."""
    attempt = attempt or Attempt(len(run.attempts) + 1, ending.claim, ending.started_at or ending.at)
    done = replace(
        attempt,
        request_id=ending.request_id or attempt.request_id,
        ended_at=ending.ended_at or ending.at,
        status=ending.status.value,
        error=ending.error,
    )
    return replace(_with(run, done), started_at=run.started_at or done.started_at)


def _find(run: Run, claim: str) -> Attempt | None:
    return next((each for each in run.attempts if each.claim == claim), None)


def _only_ended(run: Run) -> Run:
    """Without attempts that have no end."""
    left = tuple(each for each in run.attempts if each.ended_at)
    return run if left == run.attempts else replace(run, attempts=left, started_at=run.started_at if left else None)


def _with(run: Run, attempt: Attempt) -> Run:
    others = [each for each in run.attempts if each.claim != attempt.claim]
    return replace(run, attempts=tuple(sorted([*others, attempt], key=lambda each: each.number)))
