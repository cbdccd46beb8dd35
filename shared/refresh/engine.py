"""Refreshes fired by landing data: land, look, sweep, and what callers may ask for.

A file that lands is one row, and a look at its dataset that comes when the files have stopped. The message of a look is
only a hint: what is true stands in the dataset's head, so a lost message is found by the sweep, and a doubled one dies
out, because only the look whose number the head has may do anything.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from shared import telemetry
from shared.errors import Ended, Retryable, TooManyRequests, Unavailable, Unknown
from shared.refresh import endings, runs
from shared.refresh.decision import needed_by, with_run
from shared.refresh.landings import landing_key
from shared.refresh.look import Look
from shared.refresh.ports import Looks, Outside, Policies, Refresher
from shared.refresh.recent import RecentlySeen
from shared.refresh.records import DatasetHead, Ending, Json, Landing, Queued, Run, RunStatus, Trigger
from shared.refresh.store import RefreshStore, due_for_cleaning
from shared.refresh.timing import Timing, grown
from shared.refresh.tools import Tools
from shared.times import Now

if TYPE_CHECKING:
    from shared.refresh.documents import DatasetPolicy
    from shared.refresh.events import Landed
    from shared.refresh.rules import Match

PAUSED = "Refreshes of this dataset are paused in refresh.yaml."


def no_datasets() -> Iterable[str]:
    """No document is in force."""
    return ()


def new_id() -> str:
    """For runs and claims."""
    return str(uuid.uuid4())


class RefreshEngine:
    """The refresh engine over storage, a queue and Power BI. Raises Retryable errors when storage is away.

    `datasets` gives the ids that refresh.yaml names: the sweep finds landings of datasets that have no head yet.
    """

    def __init__(  # noqa: PLR0917 - wiring names each of them
        self,
        store: RefreshStore,
        looks: Looks,
        powerbi: Refresher,
        policies: Policies,
        outside: Outside,
        now: Now,
        timing: Timing | None = None,
        datasets: Callable[[], Iterable[str]] = no_datasets,
        new_id: Callable[[], str] = new_id,
    ) -> None:
        self.store = store
        self._timing = timing or Timing()
        self._policies = policies
        self._now = now
        self._datasets = datasets
        self._new_id = new_id
        self._recent = RecentlySeen(self._timing)
        self._tools = Tools(store, looks, powerbi, policies, outside, now, self._timing, new_id)

    # ---- what lands
    def land(self, landed: Landed, matches: Sequence[Match]) -> int:
        """Record a file for every dataset that it concerns; answers how many looks it led to.

        When this returns, each dataset is sure to be looked at in time. A repeat changes nothing.
        """
        return sum(self._land(landed, match) for match in matches)

    def _land(self, landed: Landed, match: Match) -> bool:
        landing = Landing(
            key=landing_key(landed.url, landed.etag),
            objects=match.objects,
            immediate=match.immediate,
            event_time=landed.event_time,
            arrived_at=self._now(),
        )
        fresh = self.store.landings.add(match.dataset_id, landing)
        policy = self._policies(match.dataset_id)
        if policy is None or policy.paused:
            return False
        by = needed_by(DatasetHead(match.dataset_id), landing, policy)
        if fresh and self._recent.looked_after(match.dataset_id, by, landing.arrived_at):
            return False
        return self._call_for(landing, policy, fresh)

    def _call_for(self, landing: Landing, policy: DatasetPolicy, fresh: bool) -> bool:
        """See that a look comes in time; True if none was to come. One read of the head where one is."""
        dataset_id, timing = policy.dataset_id, self._timing
        known_pending = fresh

        def call(head: DatasetHead) -> DatasetHead | None:
            nonlocal known_pending
            now = self._now()
            by = now if head.flight else needed_by(head, landing, policy)
            if head.looked_after(by, now, timing.overdue):
                self._recent.note(head, now)
                return None
            known_pending = known_pending or self.store.landings.is_pending(dataset_id, landing.key)
            return self._with_run(head, landing).calling(max(by, now)) if known_pending else None

        written = self._tools.change_head(dataset_id, call)
        if written is None:
            return False
        self._recent.note(written, self._now())
        self._tools.ensure_runs(written, policy)
        telemetry.event("data-landed", "calls for a look", target=dataset_id, until=written.due)
        return True

    def _with_run(self, head: DatasetHead, landing: Landing) -> DatasetHead:
        """With a run that will cover the landing; a refresh in flight has its own way of finding what lands."""
        if head.flight or head.joinable:
            return head
        return with_run(head, landing.arrived_at, self._new_id(), telemetry.correlation_id() or self._new_id())

    # ---- looks
    def look(self, dataset_id: str, number: int) -> None:
        """One message of the queue. One that is stale is dropped: there is another, or there will be."""
        head = self.store.head(dataset_id)
        if head is None or head.number != number or head.due is None:
            telemetry.event("refresh-look", "stale", target=dataset_id, number=number)
            return
        Look(self._tools, head).run()

    def poisoned(self, dataset_id: str) -> None:
        """A look failed again and again, by a fault of this app: go on all the same, ever more slowly."""

        def strike(head: DatasetHead) -> DatasetHead | None:
            strikes = head.strikes + 1
            pause = grown(self._timing.after_strike, strikes, self._timing.longest_strike)
            return replace(head, strikes=strikes).calling(self._now() + pause)

        if self.store.head(dataset_id) is None:
            return
        struck = self._tools.change_head(dataset_id, strike)
        strikes = struck.strikes if struck else 0
        telemetry.event("refresh-look", "poisoned", target=dataset_id, level=logging.ERROR, strikes=strikes)

    # ---- the sweep
    def sweep(self) -> int:
        """Send a look wherever one is overdue, or is missing; answers how many. Bounded in time, and fair: where one
        sweep does not get through, the next begins elsewhere. A row that can't be handled stands in nobody's way.
        """
        began, sent, seen = self._now(), 0, set()
        for head in self.store.heads(began.minute):
            seen.add(head.dataset_id)
            sent += self._guarded(head.dataset_id, self._look_after, head)
            if self._out_of_time(began, sent):
                return sent
        for dataset_id in self._datasets():
            if dataset_id not in seen:
                sent += self._guarded(dataset_id, self._look_after, DatasetHead(dataset_id))
                if self._out_of_time(began, sent):
                    break
        return sent

    def _out_of_time(self, began: datetime, sent: int) -> bool:
        if self._now() - began <= self._timing.sweep:
            return False
        telemetry.event("refresh-sweep", "out of time", sent=sent, level=logging.WARNING)
        return True

    def _guarded(self, dataset_id: str, act: Callable[[DatasetHead], bool], head: DatasetHead) -> bool:
        try:
            return act(head)
        except Retryable as error:
            telemetry.event("refresh-sweep", "later", target=dataset_id, level=logging.WARNING, why=error.detail)
        except Exception:
            logging.getLogger(telemetry.LOGGER).exception("Dataset %s can't be looked after.", dataset_id)
        return False

    def _look_after(self, head: DatasetHead) -> bool:
        now = self._now()
        if due_for_cleaning(head.dataset_id, now):
            self.store.landings.forget(head.dataset_id, now - self._timing.tombstones)
        if not self._neglected(head, now):
            return False

        def call(found: DatasetHead) -> DatasetHead | None:
            return found.calling(now) if found.number == head.number and found.due == head.due else None

        return self._tools.change_head(head.dataset_id, call, known=head) is not None

    def _neglected(self, head: DatasetHead, now: datetime) -> bool:
        """No look comes although one should."""
        if head.due is not None:
            return head.overdue(now, self._timing.overdue)
        if head.flight or head.endings:
            return True
        policy = self._policies(head.dataset_id)
        if policy is None:
            return bool(head.queue)
        return not policy.paused and (bool(head.queue) or self.store.landings.any_pending(head.dataset_id))

    # ---- callers
    def start(self, policy: DatasetPolicy, *, run_id: str, caller: Json, body: Json | None, correlation_id: str) -> Run:
        """A refresh on request. Without a body it joins a run that waits already, and hurries it; with an enhanced one
        it queues behind. A repeat with the same id answers the same run. Raises TooManyRequests where too many wait.
        """
        known = self.store.run(run_id)
        if known is not None:
            return known
        entry = Queued(
            run_id, Trigger.MANUAL, self._now(), correlation_id, caller, body=body is not None, asked=True, urgent=True
        )
        if body is not None:
            self.store.put_body(run_id, body)
        joined = entry

        def enqueue(head: DatasetHead) -> DatasetHead:
            nonlocal joined
            joined = self._place(head, entry)
            return self._hurried(self._joined(head, joined), policy)

        head = self._tools.change_head(policy.dataset_id, enqueue)
        run = self._tools.ensure_run(joined, policy.dataset_id, policy)
        if policy.paused:
            run = self._tools.change_run(run, lambda each: runs.held_back(each, PAUSED))
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
        if len(head.queue) >= self._timing.most_waiting:
            detail = f"{len(head.queue)} runs of this dataset wait already. Try again when some of them have ended."
            raise TooManyRequests(detail, retry_after=60)
        return entry

    @staticmethod
    def _joined(head: DatasetHead, entry: Queued) -> DatasetHead:
        """With the run in its place, which it keeps if it has one."""
        if head.flight and head.flight.entry.run_id == entry.run_id:
            return head
        if any(each.run_id == entry.run_id for each in head.queue):
            return replace(head, queue=tuple(entry if each.run_id == entry.run_id else each for each in head.queue))
        return head.enqueued(entry)

    def _hurried(self, head: DatasetHead, policy: DatasetPolicy) -> DatasetHead:
        """With a look as soon as one may do something."""
        now = self._now()
        if head.flight and head.due is not None and not head.overdue(now, self._timing.overdue):
            return head.calling(head.due)
        if policy.paused:
            return head.calling(head.due or now)
        bounds = (head.no_post_before, head.no_call_before)
        return head.calling(max([now, *(each for each in bounds if each)]))

    def cancel(self, run_id: str) -> Run:
        """Ask for a run's end. One that waits is cancelled at once; an enhanced refresh when Power BI says so; a
        standard one can't be, and runs out. Raises Unknown, or Ended.
        """
        run = self.store.run(run_id)
        if run is None:
            raise Unknown("There is no such refresh run.")
        if run.final:
            raise Ended(f"The refresh run has ended as {run.status}; there is nothing to cancel.")
        run = self._tools.change_run(run, _asked_to_cancel)
        ending: Ending | None = None

        def cancel(head: DatasetHead) -> DatasetHead | None:
            nonlocal ending
            now, flight = self._now(), head.flight
            if flight and flight.entry.run_id == run_id:
                due = now if flight.request_id else head.due or now
                return replace(head, flight=replace(flight, cancel_requested=True)).calling(due)
            entry = next((each for each in head.queue if each.run_id == run_id), None)
            if entry is None:
                return None
            ending = endings.not_begun(entry, RunStatus.CANCELLED, now, "Cancelled before it began.")
            return self._without(head, ending, now)

        self._tools.change_head(run.dataset_id, cancel)
        telemetry.event("refresh-cancel", "at once" if ending else "asked", target=run.dataset_id, runId=run_id)
        if ending is not None:
            done = ending
            return self._tools.change_run(run, lambda each: runs.ended(each, done))
        return run

    def _without(self, head: DatasetHead, ending: Ending, now: datetime) -> DatasetHead:
        """A run that waits is out; what has landed for it rests, or the next run would follow at once."""
        if head.flight:
            left = head.without(ending.entry.run_id)
            return replace(left, endings=(*left.endings, ending)).calling(head.due or now)
        policy = self._policies(head.dataset_id)
        return endings.after(head, ending, policy, now, self._timing).calling(now)

    def run(self, run_id: str) -> Run | None:
        """A run as it is now."""
        return self.store.run(run_id)

    def listed(self, dataset_id: str, after: str, top: int) -> list[tuple[str, Run | None]]:
        """Up to `top` runs, of one dataset or (empty) of all, the newest first, each with its place in the list, to go
        on after. A run whose document was never written has a place only.
        """
        return [(place, self.store.run(id)) for place, id in self.store.listed(dataset_id, after, top)]


def _asked_to_cancel(run: Run) -> Run:
    return run if run.final else replace(run, cancel_requested=True)
