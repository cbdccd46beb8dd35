"""Who is told: each change in the table `audit`, each end as a CloudEvent."""

from __future__ import annotations

from shared.storage.audit import Audit
from shared.storage.events import Events
from shared.times import Now
from shared.workflow.records import Head
from shared.workflow.steps import Change


class Told:
    """What the engine tells of provisioning workflows."""

    def __init__(self, audit: Audit, events: Events, now: Now) -> None:
        self._audit = audit
        self._events = events
        self._now = now

    def changed(self, head: Head, act: str, change: Change) -> None:
        """One row for each change, with the caller who was verified and Power BI's request id."""
        caller = {**head.caller, "clientId": head.caller.get("clientId", head.client)}
        decision = f"{change.action} {change.outcome}"
        self._audit.record(
            head.id, act, caller, change.target, decision, change.request_id, head.correlation_id, self._now()
        )

    def ended(self, head: Head) -> None:
        """`provisioning.succeeded`, `provisioning.failed` …; a retry that ends as well is another event."""
        data = {
            "id": head.id,
            "operation": head.kind,
            "project": head.project,
            "status": head.status.value,
            "correlationId": head.correlation_id,
            "caller": {"clientId": head.client},
            "error": head.error,
        }
        event_id = f"{head.id}-{head.generation}-{head.status.value}"
        subject = f"provisioning-requests/{head.id}"
        self._events.tell(f"provisioning.{head.status.value}", subject, event_id, data, head.updated_at)
