"""What all parts of the engine work with (storage, looks, Power BI, the clock), and the moves that all of them make."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from shared import telemetry
from shared.errors import AppError, Retryable, Unavailable
from shared.refresh import runs
from shared.refresh.ports import Outside, Policies, Refresher
from shared.refresh.records import Change, DatasetHead, Ending, Queued, Run
from shared.refresh.store import RefreshStore, Stale
from shared.refresh.timing import Timing
from shared.times import Now

if TYPE_CHECKING:
    from shared.refresh.documents import DatasetPolicy
    from shared.storage.queues import Queue

T = TypeVar("T")
NONE = timedelta(0)
START, CANCEL = "startRefresh", "cancelRefresh"


class Lost(Exception):
    """Somebody else wrote the head: this look ends here, and whoever wrote sends the next."""


class Away(Exception):
    """Power BI, or what we need to call it, must not be asked before `until`."""

    def __init__(self, error: Retryable, until: datetime) -> None:
        super().__init__(error.detail)
        self.error = error
        self.until = until


@dataclass(frozen=True)
class Context:
    """Of one instance of the app; shared by all threads."""

    store: RefreshStore
    looks: Queue
    powerbi: Refresher
    policies: Policies
    outside: Outside
    now: Now
    timing: Timing
    new_id: Callable[[], str]

    # ---- heads and looks
    def write(self, head: DatasetHead) -> DatasetHead:
        """Write the head. Raises Lost where somebody else was faster."""
        try:
            return self.store.put_head(head)
        except Stale:
            raise Lost(head.dataset_id) from None

    def send(self, head: DatasetHead) -> None:
        """Send the look that the head (as it was written) says is due."""
        due = head.due or self.now()
        message = {"datasetId": head.dataset_id, "number": head.number}
        self.looks.send(message, max(due - self.now(), NONE))

    def change_head(
        self,
        dataset_id: str,
        change: Callable[[DatasetHead], DatasetHead | None],
        known: DatasetHead | None = None,
    ) -> DatasetHead | None:
        """Change the head whoever else writes it; a `change` to None leaves it. The look that is due then is sent.

        `known` is tried first, without reading the head.
        """
        for _ in range(self.timing.writes):
            head, known = known or self.store.head(dataset_id) or DatasetHead(dataset_id), None
            wanted = change(head)
            if wanted is None:
                return None
            try:
                written = self.store.put_head(wanted)
            except Stale:
                continue
            self.send(written)
            return written
        raise Unavailable("The dataset's row is written by many at once. Try again.", retry_after=1)

    def ask(self, call: Callable[[], T]) -> T:
        """A call to Power BI that changes nothing. Raises Away, or Rejected."""
        try:
            return call()
        except Retryable as error:
            raise Away(error, self.now() + timedelta(seconds=max(1.0, error.retry_after))) from error

    # ---- runs
    def ensure_run(self, entry: Queued, dataset_id: str, policy: DatasetPolicy | None) -> Run:
        """The document of a run that the head knows: heads are written first, so it may be missing."""
        return self.store.run(entry.run_id) or self.store.add_run(runs.new_run(entry, dataset_id, policy))

    def ensure_runs(self, head: DatasetHead, policy: DatasetPolicy | None) -> None:
        """The documents of all runs that wait."""
        for entry in head.queue:
            self.ensure_run(entry, head.dataset_id, policy)

    def change_run(self, run: Run, change: Callable[[Run], Run]) -> Run:
        """Change the document whoever else writes it."""
        for _ in range(self.timing.writes):
            wanted = change(run)
            if wanted == run:
                return run
            try:
                return self.store.put_run(wanted)
            except Stale:
                run = self.store.run(run.id) or run
        raise Unavailable("The run's row is written by many at once. Try again.", retry_after=1)

    def tell_run(self, run_id: str, change: Callable[[Run], Run]) -> None:
        """Change the document if there is one."""
        run = self.store.run(run_id)
        if run is not None:
            self.change_run(run, change)

    def carry_out(self, dataset_id: str, ending: Ending, policy: DatasetPolicy | None) -> bool:
        """What the head says has ended: into the run's document, then to whoever is told; False where nobody could be
        told yet. Twice does no harm.
        """
        run = self.ensure_run(ending.entry, dataset_id, policy)
        run = self.change_run(run, lambda each: runs.ended(each, ending))
        if ending.request_id:
            self.outside.changed(run, Change(START, ending.claim, "done", ending.request_id))
        failed = ending.error is not None
        telemetry.event(
            "refresh-run",
            "again" if ending.again else ending.status.value,
            target=dataset_id,
            level=logging.WARNING if failed else logging.INFO,
            dataset=run.dataset,
            critical=policy is not None and policy.critical,
            runId=run.id,
            endedAt=run.ended_at,
            requestId=ending.request_id,
            why=ending.reason or (ending.error or {}).get("message", ""),
        )
        return ending.again or self._told(run)

    def _told(self, run: Run) -> bool:
        try:
            self.outside.ended(run)
        except AppError as error:
            said = telemetry.words(error)
            telemetry.event(
                "refresh-told", said, target=run.dataset_id, level=logging.ERROR, runId=run.id, why=error.detail
            )
            return False
        return True


def postponed(head: DatasetHead, until: datetime) -> DatasetHead:
    """Power BI said that it must not be asked before."""
    return replace(head, no_call_before=until).calling(until)
