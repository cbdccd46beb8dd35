"""What the emulated Power BI knows: JSON maps keyed by id, so that a test can read and change every bit of it."""

from __future__ import annotations

import uuid
from copy import deepcopy
from datetime import timedelta
from typing import Any

from emulator.durations import parse_duration
from emulator.http import Json
from emulator.merge import merge_patch, refuse_unknown
from emulator.powerbi import switches
from emulator.powerbi.times import moment

RIGHTS = ("None", "Viewer", "Contributor", "Member", "Admin")
"""In a workspace, weakest first."""
CAPACITY_RIGHTS = ("None", "Assign", "Admin")
OUTCOMES = ("Completed", "Failed", "Cancelled", "Disabled", "TimedOut")
PERSONAL = "PersonalGroup"
"""The type of somebody's own workspace, which the API calls "My workspace"."""
DATAFLOW_ENDS = ("Success", "Failed")
SHARED = ""
"""The capacity of a workspace that is on none."""

_DEFAULTS: dict[str, Json] = {
    "principals": {
        "kind": "User",
        "displayName": "",
        "upn": "",
        "clientId": "",
        "members": [],
        "allowedByTenant": True,
        "administrator": False,
        "permissionsRefreshed": "",
    },
    "capacities": {
        "displayName": "",
        "sku": "P1",
        "region": "West Europe",
        "state": "Active",
        "rights": {},
        "nextAssignment": "CompletedSuccessfully",
    },
    "workspaces": {
        "name": "",
        "description": "",
        "type": "Workspace",
        "state": "Active",
        "capacityId": SHARED,
        "storageFormat": "Small",
        "members": {},
        "created": "",
        "assignment": {},
    },
    "datasets": {
        "name": "",
        "workspaceId": "",
        "owner": "",
        "roles": [],
        "tables": [],
        "partitions": {},
        "parameters": [],
        "datasources": [],
        "upstreamDataflows": [],
        "queryResults": {},
        "users": {},
        "mode": "Import",
        "targetStorageMode": "Abf",
        "created": "",
        "schedule": {},
        "refreshDuration": "PT2S",
        "nextOutcome": "Completed",
        "nextError": {},
        "isEffectiveIdentityRequired": None,
        "isEffectiveIdentityRolesRequired": None,
    },
    "reports": {"name": "", "workspaceId": "", "datasetId": "", "pages": [], "datasources": [], "description": ""},
    "dashboards": {"displayName": "", "workspaceId": "", "isReadOnly": False, "tiles": []},
    "dataflows": {
        "name": "",
        "description": "",
        "workspaceId": "",
        "configuredBy": "",
        "datasources": [],
        "transactions": [],
        "nextStatus": "Success",
        "refreshDuration": "PT2S",
    },
    "imports": {
        "name": "",
        "workspaceId": "",
        "importState": "Succeeded",
        "created": "",
        "updated": "",
        "datasets": [],
        "reports": [],
    },
    "apps": {"name": "", "description": "", "workspaceId": "", "publishedBy": "", "updated": "", "members": []},
    "gateways": {"name": "", "type": "Resource", "publicKey": {}, "admins": [], "datasources": []},
    "pipelines": {"displayName": "", "description": "", "stages": [], "admins": []},
    "refreshes": {
        "datasetId": "",
        "refreshType": "ViaApi",
        "accepted": "",
        "started": "",
        "duration": "PT2S",
        "outcome": "Completed",
        "error": {},
        "request": {},
        "attempts": 1,
        "cancelled": "",
    },
    "profiles": {"displayName": "", "owner": ""},
    "embedTokens": {},
    "scans": {"workspaces": [], "options": [], "created": ""},
    "activityEvents": {"CreationTime": "", "Operation": "", "Activity": "", "UserId": ""},
}
MAPS = tuple(_DEFAULTS)
_REFERENCES = ("workspaceId", "datasetId", "capacityId", "owner")


class State:
    """The maps, as attributes' names say, and the switches. Ids are in lower case."""

    def __init__(self) -> None:
        self.maps: dict[str, dict[str, Json]] = {name: {} for name in MAPS}
        self.switches = switches.defaults()

    @property
    def principals(self) -> dict[str, Json]:
        """Users, groups and service principals, by object id."""
        return self.maps["principals"]

    @property
    def capacities(self) -> dict[str, Json]:
        """Capacities; `rights` is by principal key."""
        return self.maps["capacities"]

    @property
    def workspaces(self) -> dict[str, Json]:
        """Workspaces, deleted ones too; `members` is by principal key."""
        return self.maps["workspaces"]

    @property
    def datasets(self) -> dict[str, Json]:
        """Datasets with their knobs for tests."""
        return self.maps["datasets"]

    @property
    def reports(self) -> dict[str, Json]:
        """Reports; one without a dataset is paginated."""
        return self.maps["reports"]

    @property
    def refreshes(self) -> dict[str, Json]:
        """Refreshes of all datasets, by request id."""
        return self.maps["refreshes"]

    @property
    def profiles(self) -> dict[str, Json]:
        """Service principal profiles."""
        return self.maps["profiles"]

    @property
    def embed_tokens(self) -> dict[str, Json]:
        """What each embed token was made with, by token id."""
        return self.maps["embedTokens"]

    def lasts(self, switch: str) -> timedelta:
        """The value of a switch that is a duration."""
        return parse_duration(self.switches[switch])

    def add(self, name: str, record: Json, record_id: str = "") -> Json:
        """Put a record, completed with the map's defaults, under its id (a new one if it has none)."""
        key = (record_id or str(uuid.uuid4())).lower()
        self.maps[name][key] = _complete(name, key, record)
        return self.maps[name][key]

    def merge(self, patch: Json) -> None:
        """JSON merge patch (RFC 7396). Raises ValueError, and changes nothing, for what it does not know."""
        _demand_object(patch, "The patch")
        refuse_unknown(patch, (*MAPS, "switches"), "map of the state")
        maps = {name: _merged_map(name, self.maps[name], patch[name]) for name in MAPS if name in patch}
        values = _merged_switches(self.switches, patch.get("switches", {}))
        self.maps.update(maps)
        self.switches = values

    def blank(self, name: str) -> Json:
        """A record with the map's defaults, under an id of its own, that is in no map."""
        return _complete(name, str(uuid.uuid4()), {})

    def within(self, name: str, workspace_id: str) -> list[Json]:
        """The records of the map that lie in the workspace."""
        return [record for record in self.maps[name].values() if record.get("workspaceId") == workspace_id]

    def empty(self, workspace_id: str) -> None:
        """Remove all that lies in the workspace."""
        for records in self.maps.values():
            for key in [key for key, record in records.items() if record.get("workspaceId") == workspace_id]:
                del records[key]

    def snapshot(self) -> Json:
        """A copy of everything, with the switches."""
        return deepcopy({**self.maps, "switches": self.switches})


def _demand_object(value: object, what: str) -> None:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is a JSON object")  # noqa: TRY004  - the control API tells ValueErrors


def _complete(name: str, key: str, record: Json) -> Json:
    """With all that its map's records have; ids and principal keys in lower case, as they are looked up."""
    whole = {**deepcopy(_DEFAULTS[name]), **record, "id": key}
    whole |= {part: whole[part].lower() for part in _REFERENCES if isinstance(whole.get(part), str)}
    for part in ("members", "rights", "admins"):
        if isinstance(whole.get(part), dict):
            whole[part] = {held.lower(): right for held, right in whole[part].items()}
        elif isinstance(whole.get(part), list):
            whole[part] = [held.lower() for held in whole[part]]
    return whole


def _merged_map(name: str, records: dict[str, Json], patch: Any) -> dict[str, Json]:
    _demand_object(patch, name)
    merged = merge_patch(records, {key.lower(): value for key, value in patch.items()})
    for key in {key.lower() for key in patch} & set(merged):
        _demand_object(merged[key], f"{name}/{key}")
        merged[key] = _complete(name, key, merged[key])
        _check(f"{name}/{key}", merged[key])
    return dict(merged)


def _merged_switches(values: Json, patch: Any) -> Json:
    _demand_object(patch, "switches")
    merged = dict(merge_patch(values, patch))
    for name in patch:
        if merged.get(name) is None and name in switches.SWITCHES:
            merged[name] = switches.defaults()[name]
        switches.check(name, merged.get(name))
    return merged


def _check(place: str, record: Json) -> None:
    """The knobs whose misspelt value would otherwise show only much later."""
    for name in ("refreshDuration", "duration"):
        if name in record:
            parse_duration(record[name])
    for name in ("started", "accepted", "cancelled", "created", "updated", "CreationTime"):
        if record.get(name):
            moment(record[name])
    for names, words in ((record.get("members"), RIGHTS), (record.get("rights"), CAPACITY_RIGHTS)):
        for held in names.values() if isinstance(names, dict) else ():
            if (held.get("right") if isinstance(held, dict) else held) not in words:
                raise ValueError(f"{place}: a right is one of {', '.join(words)}")
    asked = record.get("nextOutcome", "Completed")
    for outcome in asked if isinstance(asked, list) else [asked]:
        if outcome not in OUTCOMES:
            raise ValueError(f"{place}: nextOutcome is one of {', '.join(OUTCOMES)}, or a list of them")
    if record.get("nextStatus", "Success") not in DATAFLOW_ENDS:
        raise ValueError(f"{place}: nextStatus is one of {', '.join(DATAFLOW_ENDS)}")
