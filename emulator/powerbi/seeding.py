"""The organisation of emulator/seed.py as Power BI's state."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from emulator import seed
from emulator.http import Json
from emulator.powerbi.state import SHARED, State
from emulator.powerbi.times import stored


def seeded(kind: Literal["default", "empty"], now: datetime) -> State:
    """All of it; `empty` has its principals and capacities, but no content."""
    state = State()
    _seed_principals(state)
    if kind == "default":
        _seed_content(state, stored(now - timedelta(days=30)))
    return state


def _seed_principals(state: State) -> None:
    for app in seed.APPLICATIONS:
        state.add(
            "principals",
            {
                "kind": "App",
                "displayName": app.name,
                "clientId": app.client_id,
                "allowedByTenant": app.powerbi,
                "administrator": app.name == "admin",
            },
            app.object_id,
        )
    identity = {"kind": "App", "displayName": "managed identity", "clientId": seed.MANAGED_IDENTITY_CLIENT_ID}
    state.add("principals", identity | {"allowedByTenant": False}, seed.MANAGED_IDENTITY_OBJECT_ID)
    for person in seed.PEOPLE:
        state.add("principals", {"displayName": person.display_name, "upn": person.upn}, person.object_id)
    for group in seed.GROUPS:
        state.add("principals", {"kind": "Group", "displayName": group.name}, group.object_id)
    for capacity in seed.CAPACITIES:
        record: Json = {"displayName": capacity.name, "sku": capacity.sku, "region": capacity.region}
        rights = {_key(name): "Assign" for name in capacity.assign}
        state.add("capacities", record | {"rights": rights}, capacity.id)


def _seed_content(state: State, created: str) -> None:
    capacities = {capacity.name: capacity.id for capacity in seed.CAPACITIES}
    workspaces = {workspace.name: workspace for workspace in seed.WORKSPACES}
    for workspace in seed.WORKSPACES:
        roles = [(name, "Admin") for name in workspace.admins] + [(name, "Member") for name in workspace.members]
        members = {_key(name): {"right": right, "since": created} for name, right in roles}
        record: Json = {
            "name": workspace.name,
            "capacityId": capacities.get(workspace.capacity, SHARED),
            "created": created,
        }
        state.add("workspaces", record | {"members": members}, workspace.id)
    for dataset in seed.DATASETS:
        workspace = workspaces[dataset.workspace]
        model: Json = {
            "name": dataset.name,
            "workspaceId": workspace.id,
            "owner": _key(workspace.admins[0]),
            "roles": list(dataset.roles),
            "tables": list(dataset.tables),
            "partitions": {table: list(names) for table, names in dataset.partitions},
            "created": created,
        }
        state.add("datasets", model, dataset.id)
    ids = {(dataset.workspace, dataset.name): dataset.id for dataset in seed.DATASETS}
    for report in seed.REPORTS:
        shown: Json = {
            "name": report.name,
            "workspaceId": workspaces[report.workspace].id,
            "datasetId": ids[report.workspace, report.dataset] if report.dataset else "",
            "pages": [{"name": "ReportSection", "displayName": report.name, "order": 0}] if report.dataset else [],
        }
        state.add("reports", shown, report.id)


def _key(name: str) -> str:
    """The principal key of a seeded member: a person's UPN, an application's object id."""
    apps = {app.name: app.object_id for app in seed.APPLICATIONS}
    groups = {group.name: group.object_id for group in seed.GROUPS}
    return (apps | groups).get(name, name).lower()
