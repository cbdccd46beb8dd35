"""Reports: list, get, pages, data sources, clone, rebind, delete."""

from __future__ import annotations

from copy import deepcopy

from emulator.http import Answer, Json
from emulator.powerbi import answers
from emulator.powerbi.access import is_at_least, new_personal_workspace
from emulator.powerbi.answers import region_config
from emulator.powerbi.operation import IN_GROUP, Operation, Visit, both, in_my_workspace, writing

POWER_BI, PAGINATED = "PowerBIReport", "PaginatedReport"
MY_WORKSPACE = "00000000-0000-0000-0000-000000000000"


def kind_of(report: Json) -> str:
    """A report without a dataset is a paginated one."""
    return POWER_BI if report["datasetId"] else PAGINATED


def rendered(report: Json, api_host: str) -> Json:
    """A Report. Its embed URL carries the region's address, so nobody can build it without asking."""
    app = api_host.replace("api.", "app.", 1)
    paginated = kind_of(report) == PAGINATED
    group, key = report["workspaceId"], report["id"]
    shown: Json = {
        "id": key,
        "reportType": kind_of(report),
        "name": report["name"],
        "webUrl": f"https://{app}/groups/{group}/{'rdlreports' if paginated else 'reports'}/{key}",
        "embedUrl": f"https://{app}/{'rdlEmbed' if paginated else 'reportEmbed'}?reportId={key}&groupId={group}"
        f"&config={region_config()}",
        "isOwnedByMe": True,
        "users": [],
        "subscriptions": [],
    }
    if report["description"]:
        shown["description"] = report["description"]
    return shown if paginated else shown | {"isFromPbix": True, "datasetId": report["datasetId"]}


def list_reports(visit: Visit) -> Answer:
    """All of the workspace; there is no paging, but a filter."""
    found = visit.state.within("reports", visit.workspace()["id"])
    return answers.listing("reports", visit.filtered([rendered(record, visit.call.host) for record in found]))


def get_report(visit: Visit) -> Answer:
    """One report."""
    return answers.entity("reports", rendered(visit.report(visit.workspace()), visit.call.host))


def list_pages(visit: Visit) -> Answer:
    """The pages by their internal names; a paginated report has none."""
    return answers.listing("pages", [dict(page) for page in visit.report(visit.workspace())["pages"]])


def get_page(visit: Visit) -> Answer:
    """One page by its internal name."""
    pages = visit.report(visit.workspace())["pages"]
    found = next((page for page in pages if page["name"] == visit.call.parameters["pageName"]), None)
    if found is None:
        raise answers.not_found()
    return answers.entity("pages", dict(found))


def list_datasources(visit: Visit) -> Answer:
    """Where a paginated report gets its data; other reports get it from their dataset."""
    report = visit.report(visit.workspace())
    if kind_of(report) != PAGINATED:
        raise answers.invalid("Invalid report. This API can only be called on a paginated report")
    return answers.listing("datasources", [dict(source) for source in report["datasources"]])


def clone_report(visit: Visit) -> Answer:
    """A copy under another name, here or in another workspace, upon the same dataset or another one."""
    workspace = visit.workspace("Contributor")
    report = visit.report(workspace)
    if not visit.body.get("name"):
        raise answers.invalid("Parameter name is missing or invalid")
    wanted = visit.body.get("targetWorkspaceId", "").lower()
    copy = deepcopy(report) | {
        "name": visit.body["name"],
        "workspaceId": (_target(visit, wanted) if wanted else workspace)["id"],
        "datasetId": _dataset_id(visit, report, str(visit.body.get("targetModelId", report["datasetId"]))),
    }
    return answers.entity("reports", rendered(visit.state.add("reports", copy), visit.call.host))


def rebind_report(visit: Visit) -> Answer:
    """Put it upon another dataset."""
    report = visit.report(visit.workspace("Contributor"))
    if not visit.body.get("datasetId"):
        raise answers.invalid("Parameter datasetId is missing or invalid")
    report["datasetId"] = _dataset_id(visit, report, visit.body["datasetId"])
    return answers.done()


def delete_report(visit: Visit) -> Answer:
    """Its dataset stays."""
    del visit.state.reports[visit.report(visit.workspace("Contributor"))["id"]]
    return answers.done()


def _target(visit: Visit, workspace_id: str) -> Json:
    """The workspace that a copy goes to; the all-zero id is the caller's own."""
    if workspace_id == MY_WORKSPACE and not visit.caller.is_app:
        return new_personal_workspace(visit.state, visit.caller)
    found = visit.state.workspaces.get(workspace_id)
    if found is None or found["state"] != "Active" or not is_at_least(visit.right(found), "Contributor"):
        raise answers.not_authorized()
    return found


def _dataset_id(visit: Visit, report: Json, wanted: str) -> str:
    """The dataset that a report is to show: one upon which the caller may build. A paginated report has none."""
    if wanted.lower() == report["datasetId"]:
        return wanted.lower()
    if kind_of(report) == PAGINATED:
        raise answers.invalid("Invalid report. This API can't be called on a paginated report")
    return str(visit.buildable_dataset(wanted)["id"])


_REPORT = IN_GROUP + "/reports/{reportId}"
_CLONE: Json = {"name": "string", "targetWorkspaceId": "string", "targetModelId": "string"}
_IN_GROUP = (
    Operation("GET", IN_GROUP + "/reports", list_reports, both("Report")),
    Operation("GET", _REPORT, get_report, both("Report")),
    Operation("DELETE", _REPORT, delete_report, writing("Report")),
    Operation("GET", _REPORT + "/pages", list_pages, both("Report")),
    Operation("GET", _REPORT + "/pages/{pageName}", get_page, both("Report")),
    Operation("GET", _REPORT + "/datasources", list_datasources, both("Report")),
    Operation("POST", _REPORT + "/Clone", clone_report, ("Content.Create",), _CLONE),
    Operation("POST", _REPORT + "/Rebind", rebind_report, writing("Report"), {"datasetId": "string"}),
)
OPERATIONS = (*_IN_GROUP, *in_my_workspace(_IN_GROUP))
