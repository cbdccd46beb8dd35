"""Who is told: each change in the table `audit`, each end as a CloudEvent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from shared.times import Now
from shared.workflow.records import Head
from shared.workflow.steps import Change


class AuditTable(Protocol):
    """The table `audit`: the same operation and act is the same row."""

    def record(  # noqa: PLR0917 - the table's columns
        self,
        operation: str,
        act: str,
        caller: Mapping[str, Any],
        target: str,
        decision: str,
        request_id: str,
        correlation_id: str,
        when: datetime,
    ) -> None: ...


class EventSink(Protocol):
    """Where events go; the same `id` is the same event."""

    def tell(self, type: str, subject: str, id: str, data: Mapping[str, Any], when: datetime) -> None: ...


class Told:
    """What the engine tells of provisioning workflows."""

    def __init__(self, audit: AuditTable, events: EventSink, now: Now) -> None:
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
