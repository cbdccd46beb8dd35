"""The status document of a request: everything that the journal knows, in the caller's words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from shared.provisioning.orders import Order, orders
from shared.provisioning.principals import principal_of
from shared.times import to_text
from shared.workflow.records import Head, StepRow, StepStatus

Json = dict[str, Any]

PENDING = StepStatus.PENDING.value
NO_DESCRIPTION = "The description was not set: Power BI's API lets only administrators do that."


def status_document(head: Head, rows: Mapping[str, StepRow], body: Mapping[str, Any] | None) -> Json:
    """All of it. Without a body (a message that was never valid) there are no environments."""
    wanted = orders(body) if body else []
    steps = {order.environment: list(_rows_of(order, rows)) for order in wanted}
    every = [row for of_one in steps.values() for _, row in of_one]
    return {
        **summary(head),
        "progress": {"done": sum(row is not None and row.ended for row in every), "of": len(every)},
        "environments": {order.environment: _environment(order, steps[order.environment]) for order in wanted},
        "warnings": [*_warnings(body, [row for row in every if row is not None])],
        "cleanup": [entry for row in every if row is not None for entry in row.cleanup],
    }


def summary(head: Head) -> Json:
    """What a list shows of a request: all that stands in its head."""
    caller = {name: value for name, value in head.caller.items() if name != "requestedBy"}
    return {
        "id": head.id,
        "operation": head.kind,
        "project": head.project,
        "status": head.status.value,
        "waitingFor": head.why or None,
        "createdAt": to_text(head.created_at),
        "updatedAt": to_text(head.updated_at),
        "correlationId": head.correlation_id,
        "caller": caller,
        "requestedBy": head.caller.get("requestedBy"),
        "cancelRequested": head.cancel_requested,
        "error": _error(head),
    }


def _rows_of(order: Order, rows: Mapping[str, StepRow]) -> Iterator[tuple[str, StepRow | None]]:
    """Each step's name with its row, None where it has not begun. A row's key ends in environment and name."""
    for name in order.steps:
        ending = f"-{order.environment}-{name}"
        yield name, next((row for key, row in rows.items() if key.endswith(ending)), None)


def _environment(order: Order, steps: Sequence[tuple[str, StepRow | None]]) -> Json:
    by_name = dict(steps)
    of_access = by_name.get("access")
    of_workspace = by_name.get("workspace") or of_access
    made = of_workspace.outcome if of_workspace is not None else {}
    access = of_access.outcome.get("results", []) if of_access is not None else []
    return {
        "workspaceId": made.get("workspaceId"),
        "workspaceName": made.get("workspaceName") or order.workspace_name,
        "created": made.get("created", False),
        "steps": [_step(name, row) for name, row in steps],
        "access": [_access(entry) for entry in access],
    }


def _step(name: str, row: StepRow | None) -> Json:
    if row is None:
        return {"name": name, "status": PENDING, "attempts": 0, "startedAt": None, "endedAt": None, "detail": ""}
    return {
        "name": name,
        "status": row.status.value,
        "attempts": row.attempts,
        "startedAt": _time(row.started_at),
        "endedAt": _time(row.ended_at),
        "detail": row.detail,
    }


def _access(entry: Mapping[str, Any]) -> Json:
    principal = principal_of(entry["key"])
    return {
        "principal": principal.id,
        "principalType": principal.kind,
        "role": entry["role"] or entry["before"] or None,
        "status": entry["status"],
        "error": entry["error"] or None,
    }


def _warnings(body: Mapping[str, Any] | None, rows: Sequence[StepRow]) -> Iterator[str]:
    if body and body["request"].get("description"):
        yield NO_DESCRIPTION
    for row in rows:
        yield from row.outcome.get("warnings", ())


def _error(head: Head) -> Json | None:
    if head.error is None:
        return None
    return {name: head.error.get(name, "") for name in ("code", "message", "step", "requestId")}


def _time(moment: datetime | None) -> str | None:
    return to_text(moment) if moment else None
