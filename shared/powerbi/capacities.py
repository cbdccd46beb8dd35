"""Putting workspaces on capacities: accepted at once, done a while later."""

from __future__ import annotations

from dataclasses import dataclass

from shared.powerbi.answers import one
from shared.powerbi.groups import Group
from shared.powerbi.guardrails import Target
from shared.powerbi.transport import Transport, path_of

NO_CAPACITY = "00000000-0000-0000-0000-000000000000"
"""Puts a workspace back on shared capacity."""


@dataclass(frozen=True)
class Assignment:
    """How far the last assignment of a workspace is."""

    status: str
    """`Pending`, `InProgress`, `CompletedSuccessfully` or `AssignmentFailed`."""
    capacity_id: str
    """Where it goes; empty for shared capacity."""


def assign_to_capacity(transport: Transport, group: Group, capacity_id: str, *, identity: str) -> str:
    """Start moving the workspace to a capacity (empty: to shared); answers Power BI's request id.

    Raises   Forbidden without the right to assign to that capacity
    Source   Capacities - Groups AssignToCapacity. The answer comes long before the move is done.
    """
    answer = transport.call(
        "capacities.assign",
        "POST",
        path_of("groups", group.id, "AssignToCapacity"),
        identity=identity,
        target=Target(group.id, group.name, capacity_id),
        json={"capacityId": capacity_id or NO_CAPACITY},
    )
    return answer.request_id


def assignment_status(transport: Transport, workspace_id: str, *, identity: str) -> Assignment:
    """How far the last assignment is; a workspace that was never moved counts as done.

    Source   Capacities - Groups CapacityAssignmentStatus
    """
    path = path_of("groups", workspace_id, "CapacityAssignmentStatus")
    fields = one(transport.call("capacities.assignmentStatus", "GET", path, identity=identity))
    capacity_id = fields.text("capacityId").lower()
    return Assignment(fields.text("status"), "" if capacity_id == NO_CAPACITY else capacity_id)
