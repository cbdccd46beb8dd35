"""Refreshes fired by landing data: land, look, sweep, and what callers may ask for.

The message of a look is only a hint: what is true stands in the dataset's head. So a lost one is found by the sweep,
and a doubled one dies out, because only the look whose number the head has may do anything.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from shared import telemetry
from shared.refresh.arrivals import Arrivals
from shared.refresh.context import Context
from shared.refresh.landings import due_for_cleaning
from shared.refresh.look import Look
from shared.refresh.manual import ManualRuns
from shared.refresh.ports import Outside, Policies, Refresher
from shared.refresh.records import DatasetHead, Json, Run
from shared.refresh.store import RefreshStore
from shared.refresh.timing import Timing, grown
from shared.storage.sweeping import sweep
from shared.times import Now

if TYPE_CHECKING:
    from shared.refresh.documents import DatasetPolicy
    from shared.refresh.events import Landed
    from shared.refresh.rules import Match
    from shared.storage.queues import Queue


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
        looks: Queue,
        powerbi: Refresher,
        policies: Policies,
        outside: Outside,
        now: Now,
        timing: Timing | None = None,
        datasets: Callable[[], Iterable[str]] = no_datasets,
        new_id: Callable[[], str] = new_id,
    ) -> None:
        self.store = store
        self._context = Context(store, looks, powerbi, policies, outside, now, timing or Timing(), new_id)
        self._datasets = datasets
        self._arrivals = Arrivals(self._context)
        self._manual = ManualRuns(self._context)

    def land(self, landed: Landed, matches: Sequence[Match]) -> int:
        """See `Arrivals.land`."""
        return self._arrivals.land(landed, matches)

    # ---- looks
    def look(self, dataset_id: str, number: int) -> None:
        """One message of the queue. One that is stale is dropped: there is another, or there will be."""
        head = self.store.head(dataset_id)
        if head is None or head.number != number or head.due is None:
            telemetry.event("refresh-look", "stale", target=dataset_id, number=number)
            return
        Look(self._context, head).run()

    def poisoned(self, dataset_id: str) -> None:
        """A look failed again and again, by a fault of this app: go on all the same, ever more slowly."""
        timing = self._context.timing

        def strike(head: DatasetHead) -> DatasetHead | None:
            strikes = head.strikes + 1
            pause = grown(timing.after_strike, strikes, timing.longest_strike)
            return replace(head, strikes=strikes).calling(self._context.now() + pause)

        if self.store.head(dataset_id) is None:
            return
        struck = self._context.change_head(dataset_id, strike)
        strikes = struck.strikes if struck else 0
        telemetry.event("refresh-look", "poisoned", target=dataset_id, level=logging.ERROR, strikes=strikes)

    # ---- the sweep
    def sweep(self) -> int:
        """Send a look wherever one is overdue, or is missing; answers how many."""
        return sweep("refresh-sweep", self._datasets_to_look_after(self._context.now()), self._context.now)

    def _datasets_to_look_after(self, began: datetime) -> Iterator[tuple[str, Callable[[], bool]]]:
        seen = set()
        for head in self.store.heads(began.minute):
            seen.add(head.dataset_id)
            yield head.dataset_id, partial(self._look_after, head, began)
        for dataset_id in self._datasets():
            if dataset_id not in seen:
                yield dataset_id, partial(self._look_after, DatasetHead(dataset_id), began)

    def _look_after(self, head: DatasetHead, began: datetime) -> bool:
        context, now = self._context, self._context.now()
        if due_for_cleaning(head.dataset_id, began):
            self.store.landings.forget(head.dataset_id, now - context.timing.tombstones)
        if not self._neglected(head, now):
            return False

        def call(found: DatasetHead) -> DatasetHead | None:
            return found.calling(now) if found.number == head.number and found.due == head.due else None

        return context.change_head(head.dataset_id, call, known=head) is not None

    def _neglected(self, head: DatasetHead, now: datetime) -> bool:
        """No look comes although one should."""
        if head.due is not None:
            return head.overdue(now, self._context.timing.overdue)
        if head.flight or head.endings:
            return True
        policy = self._context.policies(head.dataset_id)
        if policy is None:
            return bool(head.queue)
        return not policy.paused and (bool(head.queue) or self.store.landings.any_pending(head.dataset_id))

    # ---- callers
    def start(self, policy: DatasetPolicy, *, run_id: str, caller: Json, body: Json | None, correlation_id: str) -> Run:
        """See `ManualRuns.start`."""
        return self._manual.start(policy, run_id=run_id, caller=caller, body=body, correlation_id=correlation_id)

    def cancel(self, run_id: str, act: str = "") -> Run:
        """See `ManualRuns.cancel`."""
        return self._manual.cancel(run_id, act)

    def run(self, run_id: str) -> Run | None:
        """A run as it is now."""
        return self.store.run(run_id)

    def listed(self, dataset_id: str, after: str, top: int) -> list[tuple[str, Run | None]]:
        """Up to `top` runs, of one dataset or (empty) of all, the newest first, each with its place in the list, to go
        on after. A run whose document was never written has a place only.
        """
        return [(place, self.store.run(id)) for place, id in self.store.listed(dataset_id, after, top)]
