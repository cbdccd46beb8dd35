"""One look at one dataset: read head, landings and history, decide, act once, and see to it that the next look comes.

A look writes the head by its ETag before it sends the next one. Whoever loses the ETag drops: the winner sends.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from shared import telemetry
from shared.errors import Rejected, Unavailable
from shared.refresh import endings, runs
from shared.refresh.context import Away, Context, Lost, postponed
from shared.refresh.decision import Dismiss, Nothing, Start, WaitUntil, Watch, decide, with_run
from shared.refresh.failures import failure_of_refusal
from shared.refresh.history import covered_by, durations, running_now
from shared.refresh.pace import next_look
from shared.refresh.records import DatasetHead, Ending, Landing, RunStatus
from shared.refresh.start import Starter
from shared.refresh.watch import Watcher
from shared.times import to_text

if TYPE_CHECKING:
    from shared.powerbi.refreshes import RefreshEntry
    from shared.refresh.documents import DatasetPolicy

ROUNDS = 10
"""What one look may find and do before it leaves the rest to the next: an end, what others covered, a start."""

MOST_UNTOLD = 20
"""Ends of runs of which nobody could be told yet; the head has to hold them."""


class Look:
    """A look that somebody was called to. `head` is what stands in the table, as far as this look knows."""

    def __init__(self, context: Context, head: DatasetHead) -> None:
        self._context = context
        self.head = replace(head, strikes=0)  # if this look comes to its end
        self._stored = head
        self._policy: DatasetPolicy | None = None
        self._untold: tuple[Ending, ...] = ()

    def run(self) -> None:
        """Raises Retryable where storage is away (then the same message may come again)."""
        with telemetry.correlation(_correlation(self.head)):
            try:
                self._go()
            except Lost:
                self._tell("lost the head to another")
            except Away as away:
                self._tell(telemetry.words(away.error), why=away.error.detail, until=away.until, level=logging.WARNING)
                self._postpone(away.until)

    def _go(self) -> None:
        self._policy = self._context.policies(self.head.dataset_id)
        self._context.ensure_runs(self.head, self._policy)
        for _ in range(ROUNDS):
            if not self._round():
                return
        self._wait(self._context.now(), "there is more to do")

    def _round(self) -> bool:
        """Decide once, and act on it; True if there may be more to do at once."""
        self._carry_out()
        pending = self._pending()
        self._take_in(pending)
        decision = decide(self.head, pending, self._policy, self._context.now())
        match decision:
            case Nothing(why):
                self._rest(why)
            case WaitUntil(at, why):
                self._wait(at, why)
            case Dismiss(entry, reason):
                self._end(endings.not_begun(entry, RunStatus.SKIPPED, self._context.now(), reason), pauses=False)
                return True
            case Start():
                return self._start(decision)
            case Watch():
                return self._watch()
        return False

    # ---- what the head says has ended
    def _carry_out(self) -> None:
        """An end of which nobody could be told stays in the head for the next look: refreshes do not wait for those who
        listen, as long as there are not too many of them.
        """
        carried_out, left = self._context.carry_out, list(self._untold)
        for ending in self.head.endings:
            if ending not in left and not carried_out(self.head.dataset_id, ending, self._policy):
                left.append(ending)
        if len(left) > MOST_UNTOLD:
            raise Unavailable("Nobody can be told how refreshes end. Trying again.", retry_after=60)
        self._untold = tuple(left)
        self.head = replace(self.head, endings=self._untold)  # written with whatever is written next

    def _end(self, ending: Ending, *, pauses: bool = True) -> None:
        """Write that it ended; what follows from that is carried out by the next round, or by the next look."""
        now = self._context.now()
        if pauses:
            head = endings.after(self.head, ending, self._policy, now, self._context.timing)
        else:
            waiting = self.head.without(ending.entry.run_id)
            head = replace(waiting, endings=(*waiting.endings, ending), due=now)
        self._write(head)

    def _write(self, head: DatasetHead) -> None:
        self.head = self._stored = self._context.write(head)

    # ---- landings and the runs that are to cover them
    def _pending(self) -> list[Landing]:
        """What waits to be covered, or as much of it as a look handles; while a refresh is in flight, only what has no
        run yet.
        """
        if self.head.flight and self.head.joinable:
            return []
        found = self._context.store.landings.pending(self.head.dataset_id, self._context.timing.most_landings)
        flight = self.head.flight
        return [each for each in found if each.arrived_at > flight.claimed_at] if flight else found

    def _take_in(self, pending: Sequence[Landing]) -> None:
        """A run for what has landed: in the head with whatever is written next, its document when that is written."""
        if pending and self._policy and self.head.joinable is None:
            correlation_id = telemetry.correlation_id() or self._context.new_id()
            self.head = with_run(self.head, self._context.now(), self._context.new_id(), correlation_id)

    # ---- nothing to start or to watch
    def _rest(self, why: str) -> None:
        """First say that no look is due, then read what has landed: whoever lands later finds that none is due."""
        if self.head.due is None and self.head == self._stored:
            self._tell("nothing", why=why)
            return
        self._write(replace(self.head, due=None))
        self._context.ensure_runs(self.head, self._policy)
        pending = self._pending()
        self._take_in(pending)
        again = decide(self.head, pending, self._policy, self._context.now())
        if isinstance(again, Nothing):
            self._tell("nothing", why=why)
        else:
            self._wait(self._context.now(), "something landed meanwhile")

    def _wait(self, at: datetime, why: str) -> None:
        """The next look comes then."""
        self._write(self.head.calling(max(at, self._context.now())))
        self._context.ensure_runs(self.head, self._policy)
        self._tell("waits", why=why, until=self.head.due)
        self._context.send(self.head)
        self._explain()

    def _explain(self) -> None:
        """Tell the reader of a run why it waits for so long."""
        entry, until = self.head.joinable, self.head.rests_until
        if entry and until and not self.head.flight and not entry.urgent and until > self._context.now():
            reason = f"The last refresh did not complete, so the next one is tried after {to_text(until)}."
            self._context.tell_run(entry.run_id, lambda each: runs.held_back(each, reason))

    def _postpone(self, until: datetime) -> None:
        try:
            written = self._context.write(postponed(self.head, until))
        except Lost:
            return
        self._context.send(written)

    # ---- starting and watching
    def _start(self, start: Start) -> bool:
        """Start, unless the history shows that it is not needed, or that it is not our turn."""
        policy = self._policy
        if policy is None:
            return False
        try:
            entries = self._context.ask(lambda: self._context.powerbi.history(policy.workspace_id, policy.dataset_id))
        except Rejected as error:
            failure = failure_of_refusal(error)
            self._end(endings.not_begun(start.entry, RunStatus.FAILED, self._context.now(), "", failure))
            return True
        now = self._context.now()
        covered = covered_by(entries, start.landings, policy.margin)
        if covered:
            self._context.store.landings.cover(self.head.dataset_id, covered, now)
            self._tell("covered by another", events=len(covered))
            return True
        other = running_now(entries, now, self._context.timing)
        if other is not None:
            self._wait(now + self._pace(other, entries, now), "another refresh is in progress")
            return False
        Starter(self._context, policy, start, entries).go(self.head)
        return False

    def _watch(self) -> bool:
        watcher = Watcher(self._context, self.head, self._policy)
        seen = watcher.look()
        self.head = seen.head
        if isinstance(seen.then, Ending):
            self._end(seen.then)
            return True
        if seen.cancel:
            self.head = watcher.cancel(self.head.calling(seen.then))
            self._context.send(self.head)
            return False
        self._wait(seen.then, seen.why)
        return False

    def _pace(self, other: RefreshEntry, entries: Sequence[RefreshEntry], now: datetime) -> timedelta:
        elapsed = now - other.start_time if other.start_time else timedelta(0)
        return next_look(elapsed, durations(entries, other.refresh_type), self._context.timing)

    def _tell(
        self,
        outcome: str,
        *,
        level: int = logging.INFO,
        why: str = "",
        until: datetime | None = None,
        events: int | None = None,
    ) -> None:
        flight, entry = self.head.flight, self.head.joinable
        run = flight.entry.run_id if flight else entry.run_id if entry else ""
        telemetry.event(
            "refresh-look",
            outcome,
            target=self.head.dataset_id,
            level=level,
            runId=run,
            why=why,
            until=to_text(until) if until else None,
            events=events,
        )


def _correlation(head: DatasetHead) -> str:
    """That of the run which the look is about."""
    entries = [*([head.flight.entry] if head.flight else []), *head.queue]
    return entries[0].correlation_id if entries else telemetry.correlation_id()
