"""Who is told: each change in the table `audit`, each end of a run as a CloudEvent."""

from __future__ import annotations

from shared.refresh.records import Change, Run
from shared.refresh.run_document import run_document
from shared.storage.audit import Audit
from shared.storage.events import Events
from shared.times import Now


class Told:
    """What the engine tells of refresh runs."""

    def __init__(self, audit: Audit, events: Events, now: Now) -> None:
        self._audit = audit
        self._events = events
        self._now = now

    def changed(self, run: Run, change: Change) -> None:
        """One row for each change, with the verified caller (or what set it off) and Power BI's request id."""
        caller = run.caller or {"kind": "app", "trigger": run.trigger.value}
        act = f"{change.claim} {change.action}"
        decision = f"{change.action} {change.outcome}" + (f": {change.detail}" if change.detail else "")
        target = f"workspace {run.workspace_id} dataset {run.dataset_id}"
        self._audit.record(run.id, act, caller, target, decision, change.request_id, run.correlation_id, self._now())

    def ended(self, run: Run) -> None:
        """`refresh.completed`, `refresh.failed` …, with the run document but for its lists, which may be too long."""
        subject, status = f"refresh-runs/{run.id}", run.status.value
        when = run.ended_at or self._now()
        data = {name: value for name, value in run_document(run).items() if name not in ("objects", "attempts")}
        self._events.tell(f"refresh.{status}", subject, f"{run.id}-{status}", data, when)
