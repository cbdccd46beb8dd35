"""The scanner: which workspaces there are, a scan of up to a hundred of them, how it stands, what it found."""

from __future__ import annotations

from datetime import datetime, timedelta

from emulator.http import Answer, Json
from emulator.powerbi import answers, dashboards, dataflows, dataset_users, groups, reports, users
from emulator.powerbi.admin_items import SCOPES, check_grant
from emulator.powerbi.operation import BASE, Operation, Visit
from emulator.powerbi.state import PERSONAL
from emulator.powerbi.times import moment, stored, wire

MOST, SIMULTANEOUS, KEPT = 100, 16, timedelta(hours=24)
OPTIONS = ("lineage", "datasourceDetails", "datasetSchema", "datasetExpressions", "getArtifactUsers")
_SCANS = "/admin/workspaces"


def list_modified(visit: Visit) -> Answer:
    """A bare array of ids. The emulator does not know when a workspace was changed, so it takes its creation."""
    check_grant(visit)
    since = _since(visit)
    found = [
        {"id": workspace["id"]}
        for workspace in visit.state.workspaces.values()
        if not (_flag(visit, "excludePersonalWorkspaces") and workspace["type"] == PERSONAL)
        and not (_flag(visit, "excludeInActiveWorkspaces") and workspace["state"] != "Active")
        and (since is None or (workspace["created"] and moment(workspace["created"]) >= since))
    ]
    return Answer(200, found)


def start_scan(visit: Visit) -> Answer:
    """Accepted, not done."""
    check_grant(visit)
    wanted = visit.body.get("workspaces", [])
    if not 0 < len(wanted) <= MOST:
        raise answers.invalid("Parameter workspaces is missing or invalid", status=visit.switch("tooManyScanIdsStatus"))
    running = [scan for scan in visit.state.maps["scans"].values() if _status(visit, scan) != "Succeeded"]
    if len(running) >= SIMULTANEOUS:
        raise answers.throttled(1)
    options = [name for name in OPTIONS if _flag(visit, name)]
    ids = [workspace_id.lower() for workspace_id in wanted]
    record = {"workspaces": ids, "options": options, "created": stored(visit.now)}
    scan = visit.state.add("scans", record)
    return Answer(202, _rendered(visit, scan), _location(visit, "scanStatus", scan))


def scan_status(visit: Visit) -> Answer:
    """NotStarted, Running, Succeeded."""
    scan = _one(visit)
    done = _status(visit, scan) == "Succeeded"
    return Answer(200, _rendered(visit, scan), _location(visit, "scanResult", scan) if done else {})


def scan_result(visit: Visit) -> Answer:
    """What was found; only once the scan has succeeded, and for a day."""
    scan = _one(visit)
    if _status(visit, scan) != "Succeeded":
        raise answers.not_found()
    found = [visit.state.workspaces[key] for key in scan["workspaces"] if key in visit.state.workspaces]
    shown: Json = {"workspaces": [_workspace(visit, workspace, scan["options"]) for workspace in found]}
    if "datasourceDetails" in scan["options"]:
        sources = [source for workspace in found for source in _sources(visit, workspace)]
        shown["datasourceInstances"] = list({source["datasourceId"]: source for source in sources}.values())
    return Answer(200, shown)


def _since(visit: Visit) -> datetime | None:
    text = visit.call.query.get("modifiedSince")
    if not text:
        return None
    try:
        since = moment(text)
    except ValueError as fault:
        raise answers.invalid("Parameter modifiedSince is missing or invalid") from fault
    if not visit.now - timedelta(days=30) <= since <= visit.now - timedelta(minutes=30):
        raise answers.invalid("Parameter modifiedSince is missing or invalid")
    return since


def _flag(visit: Visit, name: str) -> bool:
    return visit.call.query.get(name, "").lower() == "true"


def _one(visit: Visit) -> Json:
    check_grant(visit)
    found = visit.state.maps["scans"].get(visit.parameter("scanId"))
    if found is None or visit.now > moment(found["created"]) + KEPT:
        raise answers.not_found()
    return found


def _status(visit: Visit, scan: Json) -> str:
    age = visit.now - moment(scan["created"])
    if age < visit.state.lasts("scanPending"):
        return "NotStarted"
    return "Running" if age < visit.state.lasts("scanDuration") else "Succeeded"


def _rendered(visit: Visit, scan: Json) -> Json:
    created = wire(moment(scan["created"]))
    return {"id": scan["id"], "createdDateTime": created, "status": _status(visit, scan)}


def _location(visit: Visit, what: str, scan: Json) -> dict[str, str]:
    return {"Location": f"https://{visit.call.host}{BASE}{_SCANS}/{what}/{scan['id']}"}


def _workspace(visit: Visit, workspace: Json, options: list[str]) -> Json:
    """A WorkspaceInfo."""
    state, home = visit.state, workspace["id"]
    group = groups.rendered(workspace, visit.now)
    names = ("id", "name", "type", "isOnDedicatedCapacity", "capacityId", "defaultDatasetStorageFormat")
    shown = {name: group[name] for name in names if name in group}
    shown |= {name: workspace[name] for name in ("state", "description") if workspace[name]}
    shown |= {
        "reports": [_report(report) for report in state.within("reports", home)],
        "dashboards": [_dashboard(board) for board in state.within("dashboards", home)],
        "datasets": [_dataset(visit, dataset, options) for dataset in state.within("datasets", home)],
        "dataflows": [dataflows.rendered(dataflow) for dataflow in state.within("dataflows", home)],
        "datamarts": [],
    }
    return shown | ({"users": users.members_of(state, workspace)} if "getArtifactUsers" in options else {})


def _report(report: Json) -> Json:
    shown: Json = {"id": report["id"], "name": report["name"], "reportType": reports.kind_of(report)}
    return shown | ({"datasetId": report["datasetId"]} if report["datasetId"] else {})


def _dashboard(dashboard: Json) -> Json:
    names = ("id", "title", "reportId", "datasetId")
    tiles = [{name: tile[name] for name in names if name in tile} for tile in dashboard["tiles"]]
    return dashboards.listed(dashboard) | {"tiles": tiles}


def _dataset(visit: Visit, dataset: Json, options: list[str]) -> Json:
    """With its tables only where they were asked for and the tenant allows it; else they are missing silently."""
    shown: Json = {name: dataset[name] for name in ("id", "name", "targetStorageMode")}
    shown["configuredBy"] = dataset["owner"]
    if "datasetSchema" in options and visit.switch("enhancedAdminResponses"):
        shown["tables"] = [{"name": table, "columns": [], "measures": []} for table in dataset["tables"]]
        shown["roles"] = [{"name": role} for role in dataset["roles"]]
    if "lineage" in options:
        shown["upstreamDataflows"] = [dict(link) for link in dataset["upstreamDataflows"]]
    if "datasourceDetails" in options:
        ids = [source["datasourceId"] for source in dataset["datasources"] if "datasourceId" in source]
        shown["datasourceUsages"] = [{"datasourceInstanceId": source_id} for source_id in ids]
    return shown | ({"users": dataset_users.users_of(visit.state, dataset)} if "getArtifactUsers" in options else {})


def _sources(visit: Visit, workspace: Json) -> list[Json]:
    models = visit.state.within("datasets", workspace["id"])
    return [dict(source) for model in models for source in model["datasources"] if "datasourceId" in source]


OPERATIONS = (
    Operation("GET", _SCANS + "/modified", list_modified, SCOPES),
    Operation("POST", _SCANS + "/getInfo", start_scan, SCOPES, {"workspaces": ["string"]}),
    Operation("GET", _SCANS + "/scanStatus/{scanId}", scan_status, SCOPES),
    Operation("GET", _SCANS + "/scanResult/{scanId}", scan_result, SCOPES),
)
