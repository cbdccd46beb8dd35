"""Reports: list, get, pages."""

from __future__ import annotations

import base64
import json

from emulator.http import Answer, Json
from emulator.powerbi import answers
from emulator.powerbi.answers import REGION_HOST
from emulator.powerbi.operation import Operation, Visit, both

POWER_BI, PAGINATED = "PowerBIReport", "PaginatedReport"


def kind_of(report: Json) -> str:
    """A report without a dataset is a paginated one."""
    return POWER_BI if report["datasetId"] else PAGINATED


def rendered(report: Json, api_host: str) -> Json:
    """A Report. Its embed URL carries the region's address, so nobody can build it without asking."""
    app = api_host.replace("api.", "app.", 1)
    paginated = kind_of(report) == PAGINATED
    group, key = report["workspaceId"], report["id"]
    config = base64.b64encode(json.dumps({"clusterUrl": f"https://{REGION_HOST}"}).encode()).decode()
    shown: Json = {
        "id": key,
        "reportType": kind_of(report),
        "name": report["name"],
        "webUrl": f"https://{app}/groups/{group}/{'rdlreports' if paginated else 'reports'}/{key}",
        "embedUrl": f"https://{app}/{'rdlEmbed' if paginated else 'reportEmbed'}?reportId={key}&groupId={group}"
        f"&config={config.replace('=', '%3D')}",
        "isOwnedByMe": True,
        "users": [],
        "subscriptions": [],
    }
    if report["description"]:
        shown["description"] = report["description"]
    return shown if paginated else shown | {"isFromPbix": True, "datasetId": report["datasetId"]}


def list_reports(visit: Visit) -> Answer:
    """All of the workspace; there is no paging."""
    workspace = visit.workspace()
    found = [record for record in visit.state.reports.values() if record["workspaceId"] == workspace["id"]]
    return answers.listing("reports", [rendered(record, visit.call.host) for record in found])


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


OPERATIONS = (
    Operation("GET", "/groups/{groupId}/reports", list_reports, both("Report")),
    Operation("GET", "/groups/{groupId}/reports/{reportId}", get_report, both("Report")),
    Operation("GET", "/groups/{groupId}/reports/{reportId}/pages", list_pages, both("Report")),
    Operation("GET", "/groups/{groupId}/reports/{reportId}/pages/{pageName}", get_page, both("Report")),
)
