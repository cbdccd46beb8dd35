"""Capacities, and putting workspaces on them: accepted at once, done a while later."""

from __future__ import annotations

import uuid
from datetime import datetime

from emulator.http import Answer, Json
from emulator.powerbi import answers
from emulator.powerbi.access import capacity_of, groups_of
from emulator.powerbi.operation import Operation, Visit, both, writing
from emulator.powerbi.state import SHARED
from emulator.powerbi.times import moment, stored, wire

NO_CAPACITY = "00000000-0000-0000-0000-000000000000"
SUCCEEDED, FAILED = "CompletedSuccessfully", "AssignmentFailed"


def right_on(visit: Visit, capacity: Json) -> str:
    """`None`, `Assign` or `Admin`: the caller's own or through a group."""
    keys = {visit.caller.key} | (set() if visit.caller.profile else groups_of(visit.state, visit.caller.principal))
    held = {right for key, right in capacity["rights"].items() if key in keys}
    return next((right for right in ("Admin", "Assign") if right in held), "None")


def list_capacities(visit: Visit) -> Answer:
    """Those on which the caller has a right; there is no paging."""
    found = [(capacity, right_on(visit, capacity)) for capacity in visit.state.capacities.values()]
    return answers.listing("capacities", [rendered(capacity, right) for capacity, right in found if right != "None"])


def rendered(capacity: Json, right: str) -> Json:
    """A Capacity as one caller sees it."""
    return {
        "id": capacity["id"],
        "displayName": capacity["displayName"],
        "admins": [key for key, held in capacity["rights"].items() if held == "Admin"],
        "sku": capacity["sku"],
        "state": capacity["state"],
        "capacityUserAccessRight": right,
        "region": capacity["region"],
    }


def assign(visit: Visit) -> Answer:
    """Starts the move to the capacity, or off it with the all-zero id; 200 long before it is done."""
    workspace = visit.workspace("Admin")
    wanted = str(visit.body.get("capacityId", "")).lower()
    outcome = SUCCEEDED if wanted == NO_CAPACITY else _outcome(visit, wanted)
    previous = capacity_of(workspace, visit.now)
    workspace["assignment"] = {
        "capacityId": wanted,
        "previous": previous,
        "started": stored(visit.now),
        "pending": stored(visit.now + visit.state.lasts("capacityPending")),
        "ends": stored(visit.now + visit.state.lasts("capacityAssignment")),
        "outcome": outcome,
        "activityId": str(uuid.uuid4()),
    }
    target = SHARED if wanted == NO_CAPACITY else wanted
    workspace["capacityId"] = target if outcome == SUCCEEDED else previous
    return answers.done()


def _outcome(visit: Visit, wanted: str) -> str:
    """How the assignment will end; refuses a caller without a right on the capacity."""
    capacity = visit.state.capacities.get(wanted)
    if capacity is None or right_on(visit, capacity) == "None":
        raise answers.not_authorized(visit.switch("capacityWithoutRightStatus"))
    outcome = capacity["nextAssignment"] if capacity["state"] == "Active" else FAILED
    capacity["nextAssignment"] = SUCCEEDED
    return str(outcome)


def assignment_status(visit: Visit) -> Answer:
    """Of the last assignment."""
    return answers.entity("capacityAssignmentStatus", status_at(visit.workspace("Admin"), visit.now))


def status_at(workspace: Json, now: datetime) -> Json:
    """Pending, InProgress, and then its outcome; a workspace that was never moved counts as done."""
    assignment = workspace["assignment"]
    if not assignment:
        capacity = capacity_of(workspace, now)
        return {"status": SUCCEEDED} | ({"capacityId": capacity} if capacity != SHARED else {})
    shown: Json = {
        "status": _status(assignment, now),
        "startTime": wire(moment(assignment["started"])),
        "capacityId": assignment["capacityId"],
        "activityId": assignment["activityId"],
    }
    if shown["status"] in (SUCCEEDED, FAILED):
        shown["endTime"] = wire(moment(assignment["ends"]))
    return shown


def _status(assignment: Json, now: datetime) -> str:
    if now < moment(assignment["pending"]):
        return "Pending"
    return "InProgress" if now < moment(assignment["ends"]) else str(assignment["outcome"])


OPERATIONS = (
    Operation("GET", "/capacities", list_capacities, both("Capacity")),
    Operation(
        "POST",
        "/groups/{groupId}/AssignToCapacity",
        assign,
        writing("Workspace"),
        {"capacityId": "string"},
    ),
    Operation("GET", "/groups/{groupId}/CapacityAssignmentStatus", assignment_status, both("Workspace")),
)
