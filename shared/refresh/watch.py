"""Watching a refresh that was announced: what the history says of it, when to look again, and whether to cancel it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from shared import telemetry
from shared.errors import Rejected, Retryable
from shared.refresh import endings, runs
from shared.refresh.context import CANCEL, START, Context
from shared.refresh.documents import MARGIN
from shared.refresh.failures import Failure, failure_of, failure_of_refusal
from shared.refresh.history import State, covered_by, durations, state_of
from shared.refresh.pace import next_look
from shared.refresh.records import Change, DatasetHead, Ending, Flight, Landing
from shared.refresh.verdicts import Adopt, GiveUp, Going, NotYet, Over, Verdict, judge

if TYPE_CHECKING:
    from shared.powerbi.refreshes import RefreshEntry
    from shared.refresh.documents import DatasetPolicy

APPEARS_STEP = timedelta(minutes=2)
"""How far apart looks are, at most, for a refresh that the history does not show yet."""
REFUSED_STEP = timedelta(minutes=1)
STANDARD_STAYS = "It can't be cancelled, because it is a standard refresh: it runs out."
STRANGE_STAYS = "It is not cancelled, because it may be somebody else's: it runs out."


@dataclass(frozen=True)
class Seen:
    """What a look at the refresh came to: its end, or when to look again. `cancel`: it is to be cancelled now."""

    head: DatasetHead
    then: Ending | datetime
    why: str = ""
    cancel: bool = False


class Watcher:
    """The refresh in flight of one dataset, at one moment."""

    def __init__(self, context: Context, head: DatasetHead, policy: DatasetPolicy | None) -> None:
        if head.flight is None:
            raise ValueError("there is nothing to watch")
        self._context = context
        self._head = head
        self._flight: Flight = head.flight
        self._policy = policy
        self._margin = policy.margin if policy else MARGIN
        self._entries: Sequence[RefreshEntry] = ()

    def look(self) -> Seen:
        """Read the history and judge. Raises Away, or Retryable where storage is away."""
        powerbi, flight = self._context.powerbi, self._flight
        try:
            self._entries = self._context.ask(lambda: powerbi.history(flight.workspace_id, self._head.dataset_id))
        except Rejected as error:
            return self._refused(error)
        self._flight = replace(flight, refused_at=None)
        now = self._context.now()
        verdict = judge(flight, self._entries, now, self._margin, self._context.timing)
        return self._seen(verdict, now)

    def _seen(self, verdict: Verdict, now: datetime) -> Seen:
        match verdict:
            case NotYet(since, other):
                return self._not_yet(since, other, now)
            case Adopt(entry):
                return self._adopted(entry, now)
            case GiveUp():
                ending = endings.refused(self._flight, endings.NEVER_APPEARED, self._policy, now, skip=False)
                return Seen(self._with(self._flight), ending)
            case Going(entry):
                return self._going(entry, now)
            case Over():
                return self._over(verdict, now)

    def _refused(self, error: Rejected) -> Seen:
        """The dataset is gone, or our access: given up when that has lasted for long enough not to be a hiccup."""
        now = self._context.now()
        since = self._flight.refused_at or now
        if now - since >= self._context.timing.appears:
            failure = failure_of_refusal(error)
            return Seen(self._head, replace(self._failed(failure, now), request_id=self._flight.request_id))
        self._flight = replace(self._flight, refused_at=since)
        return self._again(now + REFUSED_STEP, error.detail)

    def _failed(self, failure: Failure, now: datetime) -> Ending:
        return endings.refused(self._flight, failure, self._policy, now, skip=False)

    # ---- it is not in the history
    def _not_yet(self, since: datetime, other: RefreshEntry | None, now: datetime) -> Seen:
        self._flight = replace(self._flight, since=since)
        if other is not None:
            elapsed = now - other.start_time if other.start_time else timedelta(0)
            step = next_look(elapsed, durations(self._entries, other.refresh_type), self._context.timing)
            return self._again(now + step, "another refresh is in progress; ours has not appeared")
        step = min(max((now - self._flight.claimed_at) / 2, self._context.timing.first_look), APPEARS_STEP)
        given_up = max(since + self._context.timing.appears, now + self._context.timing.shortest_step)
        return self._again(min(now + step, given_up), "it has not appeared in the history")

    def _adopted(self, entry: RefreshEntry, now: datetime) -> Seen:
        """Found: ours, or somebody else's that serves as well. Known from now on."""
        flight = self._flight = replace(self._flight, request_id=entry.request_id, adopted=True)
        run = self._context.store.run(flight.entry.run_id)
        if run is not None:
            run = self._context.change_run(run, lambda each: runs.known(each, flight.claim, entry.request_id))
            self._context.outside.changed(run, Change(START, flight.claim, "done", entry.request_id, endings.FOUND))
        step = self._pace(entry, now) if state_of(entry) is State.RUNNING else timedelta(0)
        return self._again(now + step, endings.FOUND)

    # ---- it is going on
    def _going(self, entry: RefreshEntry, now: datetime) -> Seen:
        flight, timing = self._flight, self._context.timing
        begun = entry.start_time or flight.claimed_at
        overrun = now - begun >= flight.timeout
        if not (overrun or flight.cancel_requested):
            ends = begun + flight.timeout if flight.enhanced else now + timing.longest_step
            return self._again(min(now + self._pace(entry, now), ends), "it is going on")
        self._explain(overrun)
        if flight.adopted or not flight.enhanced:
            return self._again(now + self._pace(entry, now), "it is going on, and can't be cancelled")
        sent = flight.cancel_sent_at
        if sent is not None and now - sent < timing.cancel_again:
            return self._again(now + max((now - sent) / 2, timing.first_look), "it is being cancelled")
        self._flight = replace(flight, cancel_sent_at=now, timed_out=flight.timed_out or not flight.cancel_requested)
        return Seen(self._with(self._flight), now + timing.first_look, "it is cancelled", cancel=True)

    def _explain(self, overrun: bool) -> None:
        """Tell the run's reader why it goes on."""
        stays = STRANGE_STAYS if self._flight.adopted else "" if self._flight.enhanced else STANDARD_STAYS
        late = "It takes longer than its timeout." if overrun else ""
        told = " ".join(each for each in (late, stays) if each)
        if told:
            self._context.tell_run(self._flight.entry.run_id, lambda each: runs.said(each, told))

    def cancel(self, head: DatasetHead) -> DatasetHead:
        """Write that it is cancelled, then cancel it: a crash in between leaves a refresh that is cancelled again.

        Raises Lost. What Power BI answers changes nothing: only the history says whether it was cancelled.
        """
        written, flight = self._context.write(head), self._flight
        run = self._context.store.run(flight.entry.run_id)
        if run is None:
            return written
        change = Change(CANCEL, flight.claim, "unknown", flight.request_id)
        self._context.outside.changed(run, change)
        try:
            self._context.powerbi.cancel(flight.workspace_id, head.dataset_id, flight.request_id)
        except (Rejected, Retryable) as error:
            known = isinstance(error, Rejected) or not getattr(error, "effect_unknown", False)
            change = replace(change, outcome="refused" if known else "unknown", detail=error.detail)
        else:
            change = replace(change, outcome="done")
        self._context.outside.changed(run, change)
        telemetry.event("refresh-look", f"cancel {change.outcome}", target=head.dataset_id, runId=run.id)
        return written

    # ---- it is over
    def _over(self, over: Over, now: datetime) -> Seen:
        failure = None
        if over.state is State.COMPLETED:
            self._cover(over.entry, now)
        else:
            failure = failure_of(self._in_detail(over))
        return Seen(self._with(self._flight), endings.ended(self._flight, over, failure, self._policy, now))

    def _in_detail(self, over: Over) -> RefreshEntry:
        """Enhanced refreshes say in their details why they failed."""
        flight = self._flight
        if not flight.enhanced or over.state is not State.FAILED:
            return over.entry
        powerbi, dataset_id = self._context.powerbi, self._head.dataset_id
        try:
            found = self._context.ask(lambda: powerbi.details(flight.workspace_id, dataset_id, flight.request_id))
        except Rejected:
            return over.entry
        known = over.entry
        return replace(
            found,
            service_exception=found.service_exception or known.service_exception,
            attempts=found.attempts or known.attempts,
        )

    def _cover(self, entry: RefreshEntry, now: datetime) -> None:
        """What it covers: what was read before its POST, or landed surely before it, or any other, began."""
        flight, landings = self._flight, self._context.store.landings
        dataset_id = self._head.dataset_id
        pending = landings.pending(dataset_id, self._context.timing.most_landings)
        covered = set(covered_by(self._entries, pending, self._margin))
        if flight.entry.joinable:
            keys = self._context.store.keys(flight.entry.run_id, flight.claim)
            covered |= self._surely(entry, [each for each in pending if each.key in keys])
        landings.cover(dataset_id, covered, now)

    def _surely(self, entry: RefreshEntry, ours: Sequence[Landing]) -> set[str]:
        """Of what was read before the POST, all. One that may be somebody else's began perhaps before some of it had
        landed, and, if it is an enhanced one, refreshed perhaps something else.
        """
        if not self._flight.adopted:
            return {each.key for each in ours}
        if not entry.start_time or (self._flight.enhanced and not self._same_objects(entry)):
            return set()
        return {each.key for each in ours if each.event_time < entry.start_time - self._margin}

    def _same_objects(self, entry: RefreshEntry) -> bool:
        """Whether it refreshed at least what ours was to; of the whole model nobody can tell."""
        wanted = {(each.table.casefold(), each.partition.casefold()) for each in self._flight.objects}
        if not wanted:
            return False
        powerbi, flight = self._context.powerbi, self._flight
        try:
            details = self._context.ask(
                lambda: powerbi.details(flight.workspace_id, self._head.dataset_id, entry.request_id)
            )
        except Rejected:
            return False
        done = {(table.casefold(), partition.casefold()) for table, partition in details.objects}
        return wanted <= done

    # ---- when to look again
    def _pace(self, entry: RefreshEntry, now: datetime) -> timedelta:
        elapsed = now - (entry.start_time or self._flight.claimed_at)
        return next_look(elapsed, durations(self._entries, self._flight.refresh_type), self._context.timing)

    def _again(self, at: datetime, why: str) -> Seen:
        return Seen(self._with(self._flight), at, why)

    def _with(self, flight: Flight) -> DatasetHead:
        return replace(self._head, flight=flight)
