"""Starting a refresh: keys, claim, POST, request id, in this order; and what each answer to the POST means.

From the claim on a crash leaves a refresh of which nobody knows whether it began. So nothing else is started until the
history has shown it, or has shown for long enough that it is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from shared import telemetry
from shared.errors import AppError, Conflict, Rejected, Retryable
from shared.powerbi.guardrails import Observed
from shared.refresh import endings, runs
from shared.refresh.context import START, Context
from shared.refresh.decision import Start
from shared.refresh.extent import Extent, extent
from shared.refresh.failures import Failure, failure_of_refusal, is_already_executing, is_daily_limit
from shared.refresh.history import durations
from shared.refresh.pace import next_look
from shared.refresh.records import Change, DatasetHead, Ending, Flight, Json, Run, RunStatus
from shared.times import to_text

if TYPE_CHECKING:
    from shared.powerbi.refreshes import RefreshEntry
    from shared.refresh.documents import DatasetPolicy

HeadChange = Callable[[DatasetHead, Flight], DatasetHead]
EXECUTING = "Another refresh of this dataset is executing; this one comes after it."
USED_UP = "The dataset's refreshes of the day are used up (daily limit of shared capacity); the next try is after"
LATER = "Power BI, or what is needed to call it, is not available; this goes on when it is."


class Starter:
    """One start of one run."""

    def __init__(self, context: Context, policy: DatasetPolicy, start: Start, entries: Sequence[RefreshEntry]) -> None:
        self._context = context
        self._policy = policy
        self._start = start
        self._entries = entries

    def go(self, head: DatasetHead) -> None:
        """Claim and start. Raises Lost where somebody else wrote the head, Retryable where storage is away."""
        entry, landings = self._start.entry, self._start.landings
        wanted = self._extent()
        if wanted is None:
            self._never(head)
            return
        claim = self._context.new_id()
        if entry.joinable:
            self._context.store.put_keys(entry.run_id, claim, (each.key for each in landings))
        flight = self._flight(claim, wanted)
        claimed = replace(head.without(entry.run_id), flight=flight).calling(flight.claimed_until)
        claimed = self._context.write(claimed)
        run = self._context.ensure_run(entry, head.dataset_id, self._policy)
        run = self._context.change_run(run, lambda each: runs.begun(each, flight, len(landings)))
        telemetry.event(
            "refresh-look",
            "starts",
            target=head.dataset_id,
            runId=run.id,
            events=len(landings),
            landedAt=min((each.event_time for each in landings), default=None),
        )
        self._post(claimed, flight, run, wanted.body)

    def _extent(self) -> Extent | None:
        """What to refresh; None if a caller's own body is lost."""
        entry = self._start.entry
        if not entry.body:
            return extent(entry, self._start.landings, self._policy, self._context.timing)
        body = self._context.store.body(entry.run_id)
        return None if body is None else Extent(body)

    def _never(self, head: DatasetHead) -> None:
        now = self._context.now()
        ending = endings.not_begun(self._start.entry, RunStatus.FAILED, now, "", endings.BODY_LOST)
        after = endings.after(head, ending, self._policy, now, self._context.timing)
        self._context.send(self._context.write(after.calling(now)))

    def _flight(self, claim: str, wanted: Extent) -> Flight:
        now, timing = self._context.now(), self._context.timing
        post_by = now + timing.post_within
        return Flight(
            entry=self._start.entry,
            claim=claim,
            workspace_id=self._policy.workspace_id,
            enhanced=wanted.body is not None,
            objects=wanted.objects,
            claimed_at=now,
            post_by=post_by,
            claimed_until=post_by + timing.claim_after_post,
            since=post_by + timing.claim_after_post,
            timeout=self._policy.timeout,
            known=tuple(each.request_id for each in self._entries),
        )

    # ---- the POST
    def _post(self, head: DatasetHead, flight: Flight, run: Run, body: Json | None) -> None:
        """Send it, unless the run was cancelled meanwhile or its time is over; then deal with the answer."""
        if run.cancel_requested:
            self._settle(head, flight, self._cancelled)
            return
        self._context.outside.changed(run, Change(START, flight.claim, "unknown"))
        if self._context.now() > flight.post_by:
            telemetry.event("refresh-look", "too late to start", target=head.dataset_id, runId=run.id)
            self._context.send(head)
            return
        deadline = self._context.timing.call.total_seconds()
        try:
            id = self._context.powerbi.start(flight.workspace_id, head.dataset_id, body, deadline=deadline)
        except (Retryable, Rejected) as error:
            self._not_taken(head, flight, run, error)
        else:
            if id:
                self._taken(head, flight, run, id)
            else:
                self._unanswered(head, run)

    def _taken(self, head: DatasetHead, flight: Flight, run: Run, id: str) -> None:
        first = next_look(timedelta(0), durations(self._entries, flight.refresh_type), self._context.timing)
        due = self._context.now() + first

        def take(head: DatasetHead, flight: Flight) -> DatasetHead:
            taken = replace(flight, request_id=id)
            return replace(head, flight=taken, refusals=0, no_call_before=None).calling(due)

        if self._settle(head, flight, take):
            self._context.change_run(run, lambda each: runs.known(each, flight.claim, id))
        self._context.outside.changed(run, Change(START, flight.claim, "done", id))
        telemetry.event("refresh-look", "started", target=head.dataset_id, runId=run.id, requestId=id)

    def _unanswered(self, head: DatasetHead, run: Run) -> None:
        """It may have begun: the history will tell, when the claim is over."""
        telemetry.event("refresh-look", "start unanswered", target=head.dataset_id, runId=run.id)
        self._context.send(head)

    def _not_taken(self, head: DatasetHead, flight: Flight, run: Run, error: Retryable | Rejected) -> None:
        """It had no effect, or nobody knows. Only what Power BI refuses for good counts as an attempt of the run."""
        now, timing = self._context.now(), self._context.timing
        if getattr(error, "effect_unknown", False):
            self._unanswered(head, run)
        elif is_daily_limit(error):
            free = now + max(timing.used_up, timedelta(seconds=getattr(error, "retry_after", 0)))
            held: HeadChange = lambda head, flight: endings.used_up(head, flight, free)  # noqa: E731
            self._withdraw(head, flight, run, error, held, f"{USED_UP} {to_text(free)}.")
        elif isinstance(error, Retryable):
            until = now + timedelta(seconds=max(1.0, error.retry_after))
            away: HeadChange = lambda head, flight: endings.away(head, flight, until)  # noqa: E731
            self._withdraw(head, flight, run, error, away, LATER)
        elif is_already_executing(error) or isinstance(error, Conflict):
            busy: HeadChange = lambda head, flight: endings.executing(head, flight, now, timing)  # noqa: E731
            self._withdraw(head, flight, run, error, busy, EXECUTING)
        else:
            self._note(run, flight, error)
            failure, skip = failure_of_refusal(error), isinstance(error, Observed)
            self._settle(head, flight, lambda head, flight: self._failed(head, flight, failure, skip))

    def _withdraw(  # noqa: PLR0917 - what was announced, and what comes instead
        self, head: DatasetHead, flight: Flight, run: Run, error: AppError, back: HeadChange, reason: str
    ) -> None:
        """The run goes back to where it waited, unless it was cancelled meanwhile."""
        change: HeadChange = lambda head, flight: (self._cancelled if flight.cancel_requested else back)(head, flight)  # noqa: E731
        if self._settle(head, flight, change):
            self._context.change_run(run, lambda each: runs.withdrawn(each, flight.claim, reason))
        self._note(run, flight, error)

    def _note(self, run: Run, flight: Flight, error: AppError) -> None:
        change = Change(START, flight.claim, "refused", error.request_id, error.detail)
        self._context.outside.changed(run, change)
        outcome = telemetry.words(error)
        telemetry.event("refresh-look", outcome, target=run.dataset_id, runId=run.id, why=error.detail)

    # ---- the head after the answer
    def _failed(self, head: DatasetHead, flight: Flight, failure: Failure, skip: bool) -> DatasetHead:
        now = self._context.now()
        return self._after(head, endings.refused(flight, failure, self._policy, now, skip=skip), now)

    def _cancelled(self, head: DatasetHead, flight: Flight) -> DatasetHead:
        now = self._context.now()
        ending = endings.not_begun(flight.entry, RunStatus.CANCELLED, now, endings.NOT_BEGUN)
        return self._after(head, replace(ending, claim=flight.claim), now)

    def _after(self, head: DatasetHead, ending: Ending, now: datetime) -> DatasetHead:
        return endings.after(head, ending, self._policy, now, self._context.timing).calling(now)

    def _settle(self, claimed: DatasetHead, flight: Flight, change: HeadChange) -> bool:
        """Write what came of it as long as the claim is still ours, whoever else writes the head; then the look."""

        def settle(head: DatasetHead) -> DatasetHead | None:
            held = head.flight
            ours = held is not None and held.claim == flight.claim and not held.request_id
            return change(head, held) if ours and held else None

        return self._context.change_head(claimed.dataset_id, settle, known=claimed) is not None
