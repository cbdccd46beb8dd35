"""Workspaces, which the API calls groups: list, get, create, update, delete."""

from __future__ import annotations

from datetime import datetime

from emulator.http import Answer, Json
from emulator.powerbi import answers
from emulator.powerbi.access import Caller, capacity_of, right_in
from emulator.powerbi.operation import Operation, Visit, both, writing
from emulator.powerbi.state import PERSONAL, SHARED, State
from emulator.powerbi.times import moment, stored

STORAGE_FORMATS = ("Small", "Large")
LONGEST_NAME = 200


def rendered(workspace: Json, now: datetime) -> Json:
    """A Group. What only workspaces on a capacity have is left out for the others; the capacity's id is in capitals."""
    capacity = capacity_of(workspace, now)
    group: Json = {
        "id": workspace["id"],
        "isReadOnly": False,
        "isOnDedicatedCapacity": capacity != SHARED,
        "type": workspace["type"],
        "name": workspace["name"],
    }
    if capacity != SHARED:
        group |= {"capacityId": capacity.upper(), "defaultDatasetStorageFormat": workspace["storageFormat"]}
    return group


def accessible(state: State, caller: Caller, now: datetime) -> list[Json]:
    """The active workspaces in which the caller has a role; nobody's own."""
    return [
        workspace
        for workspace in state.workspaces.values()
        if workspace["state"] == "Active"
        and workspace["type"] != PERSONAL
        and right_in(state, workspace, caller, now) != "None"
    ]


def list_groups(visit: Visit) -> Answer:
    """Only what the caller has access to, and new ones only after the lag."""
    lag = visit.state.lasts("workspaceListLag")
    seen = [
        rendered(workspace, visit.now)
        for workspace in accessible(visit.state, visit.caller, visit.now)
        if not workspace["created"] or visit.now >= moment(workspace["created"]) + lag
    ]
    found = visit.filtered(seen)
    page = visit.page(found, visit.switch("groupsPageSize"))
    return answers.listing("groups", page, **{"@odata.count": len(found)})


def get_group(visit: Visit) -> Answer:
    """One workspace."""
    return answers.entity("groups", rendered(visit.workspace(), visit.now))


def create_group(visit: Visit) -> Answer:
    """A new workspace on shared capacity; its creator becomes its only Admin."""
    if visit.caller.is_app and not visit.switch("servicePrincipalsMayCreateWorkspaces"):
        raise answers.not_authorized()
    name = _name(visit)
    held = accessible(visit.state, visit.caller, visit.now)
    if len(held) >= visit.switch("workspacesPerPrincipal"):
        raise answers.not_authorized(visit.switch("tooManyWorkspacesStatus"))
    since = stored(visit.now)
    members = {visit.caller.key: {"right": "Admin", "since": since}}
    workspace = visit.state.add("workspaces", {"name": name, "created": since, "members": members})
    return answers.entity("groups", rendered(workspace, visit.now))


def update_group(visit: Visit) -> Answer:
    """Another name; on a capacity also another default storage format."""
    workspace = visit.workspace("Admin")
    if "defaultDatasetStorageFormat" in visit.body and capacity_of(workspace, visit.now) == SHARED:
        raise answers.invalid("Parameter defaultDatasetStorageFormat needs a workspace on Premium capacity")
    if "name" in visit.body:
        workspace["name"] = _name(visit, workspace["id"])
    workspace["storageFormat"] = visit.body.get("defaultDatasetStorageFormat", workspace["storageFormat"])
    return answers.done()


def delete_group(visit: Visit) -> Answer:
    """The workspace is kept as deleted, for administrators to see; what was in it is gone, its name is free."""
    workspace = visit.workspace("Admin")
    workspace |= {"state": "Deleted", "members": {}}
    visit.state.empty(workspace["id"])
    return answers.done()


def _name(visit: Visit, own: str = "") -> str:
    """The name asked for, if it is free in the whole organisation."""
    name = str(visit.body.get("name", "")).strip()
    if not name or len(name) > LONGEST_NAME:
        raise answers.invalid("Parameter name is missing or invalid")
    fold = str.casefold if visit.switch("workspaceNamesIgnoreCase") else str
    taken = {fold(other["name"]) for other in visit.state.workspaces.values() if _counts(other, own)}
    if fold(name) in taken:
        raise answers.already_exists()
    return name


def _counts(workspace: Json, own: str) -> bool:
    return bool(workspace["state"] == "Active" and workspace["id"] != own)


OPERATIONS = (
    Operation("GET", "/groups", list_groups, both("Workspace")),
    Operation("GET", "/groups/{groupId}", get_group, both("Workspace")),
    Operation("POST", "/groups", create_group, writing("Workspace"), {"name": "string"}),
    Operation(
        "PATCH",
        "/groups/{groupId}",
        update_group,
        writing("Workspace"),
        {"name": "string", "defaultDatasetStorageFormat": STORAGE_FORMATS},
    ),
    Operation("DELETE", "/groups/{groupId}", delete_group, writing("Workspace")),
)
