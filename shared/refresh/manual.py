"""What callers may do with runs: have one begun, or have one ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from shared import telemetry
from shared.errors import Ended, TooManyRequests, Unavailable, Unknown
from shared.refresh import endings, runs
from shared.refresh.context import Context
from shared.refresh.records import DatasetHead, Ending, Json, Queued, Run, RunStatus, Trigger

if TYPE_CHECKING:
    from shared.refresh.documents import DatasetPolicy

PAUSED = "Refreshes of this dataset are paused in refresh.yaml."


class ManualRuns:
    """Runs on request; shared by all threads."""

    def __init__(self, context: Context) -> None:
        self._context = context

    # ---- a beginning
    def start(self, policy: DatasetPolicy, *, run_id: str, caller: Json, body: Json | None, correlation_id: str) -> Run:
        """A refresh on request. Without a body it joins a run that waits already, and hurries it; with an enhanced one
        it queues behind. A repeat with the same id answers the same run. Raises TooManyRequests where too many wait.
        """
        context = self._context
        known = context.store.run(run_id)
        if known is not None:
            return known
        now, with_body = context.now(), body is not None
        entry = Queued(run_id, Trigger.MANUAL, now, correlation_id, caller, body=with_body, asked=True, urgent=True)
        if body is not None:
            context.store.put_body(run_id, body)
        joined = entry

        def enqueue(head: DatasetHead) -> DatasetHead:
            nonlocal joined
            joined = self._place(head, entry)
            return self._hurried(_with_entry(head, joined), policy)

        head = context.change_head(policy.dataset_id, enqueue)
        run = context.ensure_run(joined, policy.dataset_id, policy)
        if policy.paused:
            run = context.change_run(run, lambda each: runs.held_back(each, PAUSED))
        telemetry.event("refresh-start", "joined" if joined.run_id != run_id else "queued", target=policy.dataset_id)
        if head is None:
            raise Unavailable("The run could not be queued. Try again.")
        return run

    def _place(self, head: DatasetHead, entry: Queued) -> Queued:
        """The run that serves the request: one that waits, hurried, or a new one."""
        waiting = next((each for each in head.queue if each.run_id == entry.run_id), None)
        if waiting:
            return waiting
        if entry.joinable and head.joinable:
            return replace(head.joinable, asked=True, urgent=True)
        if head.flight and head.flight.entry.run_id == entry.run_id:
            return head.flight.entry
        if len(head.queue) >= self._context.timing.most_waiting:
            detail = f"{len(head.queue)} runs of this dataset wait already. Try again when some of them have ended."
            raise TooManyRequests(detail, retry_after=60)
        return entry

    def _hurried(self, head: DatasetHead, policy: DatasetPolicy) -> DatasetHead:
        """With a look as soon as one may do something."""
        now = self._context.now()
        if head.flight and head.due is not None and not head.overdue(now, self._context.timing.overdue):
            return head.calling(head.due)
        if policy.paused:
            return head.calling(head.due or now)
        bounds = (head.no_post_before, head.no_call_before)
        return head.calling(max([now, *(each for each in bounds if each)]))

    # ---- an end
    def cancel(self, run_id: str, act: str = "") -> Run:
        """Ask for a run's end. One that waits is cancelled at once; an enhanced refresh when Power BI says so; a
        standard one can't be, and runs out. `act`: the id by which a repeat is known, whatever has come of it since.

        Raises Unknown, or Ended.
        """
        context = self._context
        run = context.store.run(run_id)
        if run is None:
            raise Unknown("There is no such refresh run.")
        run = context.change_run(run, lambda each: runs.asked_to_cancel(each, act))
        if run.final and act in run.cancels:
            return run
        if run.final:
            raise Ended(f"The refresh run has ended as {run.status}; there is nothing to cancel.")
        ending: Ending | None = None

        def cancel(head: DatasetHead) -> DatasetHead | None:
            nonlocal ending
            now, flight = context.now(), head.flight
            if flight and flight.entry.run_id == run_id:
                due = now if flight.request_id else head.due or now
                return replace(head, flight=replace(flight, cancel_requested=True)).calling(due)
            entry = next((each for each in head.queue if each.run_id == run_id), None)
            if entry is None:
                return None
            ending = endings.not_begun(entry, RunStatus.CANCELLED, now, endings.NOT_BEGUN)
            return self._without(head, ending, now)

        context.change_head(run.dataset_id, cancel)
        telemetry.event("refresh-cancel", "at once" if ending else "asked", target=run.dataset_id, runId=run_id)
        if ending is not None:
            done = ending
            return context.change_run(run, lambda each: runs.ended(each, done))
        return run

    def _without(self, head: DatasetHead, ending: Ending, now: datetime) -> DatasetHead:
        """A run that waits is out; what has landed for it rests, or the next run would follow at once."""
        if head.flight:
            left = head.without(ending.entry.run_id)
            return replace(left, endings=(*left.endings, ending)).calling(head.due or now)
        policy = self._context.policies(head.dataset_id)
        return endings.after(head, ending, policy, now, self._context.timing).calling(now)


def _with_entry(head: DatasetHead, entry: Queued) -> DatasetHead:
    """With the run in its place, which it keeps if it has one."""
    if head.flight and head.flight.entry.run_id == entry.run_id:
        return head
    if any(each.run_id == entry.run_id for each in head.queue):
        return replace(head, queue=tuple(entry if each.run_id == entry.run_id else each for each in head.queue))
    return head.enqueued(entry)
