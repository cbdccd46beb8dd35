"""The administrator's view of all workspaces."""

from __future__ import annotations

from emulator.http import Answer, Json
from emulator.powerbi import answers, datasets, groups, odata, reports
from emulator.powerbi.operation import Operation, Visit
from emulator.powerbi.users import members_of

MOST = 5000
EXPANDABLE = ("users", "reports", "dashboards", "datasets", "dataflows", "workbooks")


def list_groups(visit: Visit) -> Answer:
    """Every workspace, deleted ones too. `$top` is mandatory; the filter may look into `users`."""
    _check_grant(visit)
    top = _top(visit)
    expanded = _expanded(visit)
    text = visit.call.query.get("$filter")
    wanted = odata.compiled(text) if text else None
    everything = [_rendered(visit, workspace) for workspace in visit.state.workspaces.values()]
    found = [group for group in everything if wanted is None or wanted(group)]
    start = visit.whole_number("$skip", 0)
    hidden = set(EXPANDABLE) - expanded
    page = [{name: value for name, value in group.items() if name not in hidden} for group in found]
    return answers.listing("groups", page[start : start + top], **{"@odata.count": len(found)})


def _check_grant(visit: Visit) -> None:
    """Administrators; service principals of the group, if their app has no application permissions of Power BI."""
    caller = visit.caller
    granted = caller.principal["administrator"]
    if caller.is_app:
        granted = granted and visit.switch("servicePrincipalsMayReadAdminApis") and not caller.claims.get("roles")
    if not granted:
        raise answers.not_authorized()


def _top(visit: Visit) -> int:
    if "$top" not in visit.call.query:
        raise answers.invalid("Parameter $top is missing or invalid", status=visit.switch("missingTopStatus"))
    top = visit.whole_number("$top", MOST, lowest=1)
    if top > MOST:
        raise answers.invalid("Parameter $top is missing or invalid", status=visit.switch("missingTopStatus"))
    return top


def _expanded(visit: Visit) -> set[str]:
    names = {name.strip() for name in visit.call.query.get("$expand", "").split(",")} - {""}
    if names - set(EXPANDABLE):
        raise answers.invalid("Parameter $expand is missing or invalid")
    return names


def _rendered(visit: Visit, workspace: Json) -> Json:
    """An AdminGroup with all that can be expanded."""
    state, key = visit.state, workspace["id"]
    return groups.rendered(workspace, visit.now) | {
        "description": workspace["description"],
        "type": "Workspace",
        "state": workspace["state"],
        "hasWorkspaceLevelSettings": False,
        "users": members_of(state, workspace),
        "reports": [_report(report) for report in state.reports.values() if report["workspaceId"] == key],
        "datasets": [datasets.rendered(model) for model in state.datasets.values() if model["workspaceId"] == key],
        "dashboards": [],
        "dataflows": [],
        "workbooks": [],
    }


def _report(report: Json) -> Json:
    shown = {"id": report["id"], "reportType": reports.kind_of(report), "name": report["name"]}
    return shown | ({"datasetId": report["datasetId"]} if report["datasetId"] else {})


OPERATIONS = (Operation("GET", "/admin/groups", list_groups, ("Tenant.Read.All", "Tenant.ReadWrite.All")),)
