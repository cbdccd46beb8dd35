"""Reports as they are changed; dashboards, dataflows, imports, apps, gateways and pipelines as they are read."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.tour_of_content import (
    APP,
    BOARD,
    DATASOURCE,
    FLOW,
    GATEWAY,
    HOME_BOARD,
    IMPORT,
    PIPELINE,
    SOURCE,
    TILE,
    furnish,
)
from tests.emulator.powerbi_driver import (
    CALENDAR_MODEL,
    INVOICE,
    REFERENCE,
    SALES,
    SALES_MODEL,
    SALES_REPORT,
    STRANGERS,
    Driver,
)

REPORT = f"/groups/{SALES}/reports/{SALES_REPORT}"


@pytest.fixture
def driver() -> Driver:
    made = Driver()
    furnish(made)
    return made


# ---- reports


@pytest.mark.documented("Reports_CloneReportInGroup")
def test_a_copy_is_a_report_of_its_own(driver: Driver) -> None:
    body = {"name": "Copy", "targetWorkspaceId": REFERENCE, "targetModelId": CALENDAR_MODEL}
    copy = driver.call("POST", f"{REPORT}/Clone", body).body
    assert (copy["name"], copy["datasetId"], copy["reportType"]) == ("Copy", CALENDAR_MODEL, "PowerBIReport")
    assert [report["id"] for report in driver.call("GET", f"/groups/{REFERENCE}/reports").value] == [copy["id"]]
    here = driver.call("POST", f"{REPORT}/Clone", {"name": "Second"}).body
    assert (here["datasetId"], here["id"] != SALES_REPORT) == (SALES_MODEL, True)


@pytest.mark.documented("Reports_CloneReportInGroup, Reports_RebindReportInGroup: name and dataset are required")
@pytest.mark.parametrize(("action", "body"), [("Clone", {}), ("Rebind", {}), ("Rebind", {"datasetId": ""})])
def test_a_copy_needs_a_name_and_a_rebind_a_dataset(driver: Driver, action: str, body: dict[str, str]) -> None:
    assert driver.call("POST", f"{REPORT}/{action}", body).status == 400


@pytest.mark.documented("Reports_CloneReportInGroup: write in both workspaces, build on the dataset")
def test_a_copy_goes_only_where_the_caller_may_write_and_build(driver: Driver) -> None:
    assert driver.call("POST", f"{REPORT}/Clone", {"name": "X", "targetWorkspaceId": STRANGERS}).status == 401
    assert driver.call("POST", f"{REPORT}/Clone", {"name": "X", "targetModelId": TILE}).status == 404
    driver.patch(workspaces={SALES: {"members": {"dev@contoso.com": {"right": "Viewer"}}}})
    assert driver.call("POST", f"{REPORT}/Clone", {"name": "X"}, who="dev").status == 403


@pytest.mark.documented("Reports_RebindReportInGroup: 200 with an empty body; not for paginated reports")
def test_a_rebound_report_shows_the_other_dataset(driver: Driver) -> None:
    reply = driver.call("POST", f"{REPORT}/Rebind", {"datasetId": CALENDAR_MODEL})
    assert (reply.status, reply.body) == (200, None)
    assert driver.call("GET", REPORT).body["datasetId"] == CALENDAR_MODEL
    paginated = f"/groups/{SALES}/reports/{INVOICE}/Rebind"
    assert driver.call("POST", paginated, {"datasetId": CALENDAR_MODEL}).status == 400


@pytest.mark.documented("Reports_DeleteReportInGroup")
@pytest.mark.assumed("its dataset stays")
def test_a_deleted_report_leaves_its_dataset(driver: Driver) -> None:
    assert driver.call("DELETE", REPORT).status == 200
    assert driver.call("GET", REPORT).status == 404
    assert driver.call("GET", f"/groups/{SALES}/datasets/{SALES_MODEL}").status == 200


@pytest.mark.documented("Reports_GetDatasourcesInGroup: paginated reports only")
def test_only_a_paginated_report_has_sources_of_its_own(driver: Driver) -> None:
    assert driver.call("GET", f"/groups/{SALES}/reports/{INVOICE}/datasources").value == [DATASOURCE]
    assert driver.call("GET", f"{REPORT}/datasources").status == 400


# ---- dashboards, dataflows, imports


@pytest.mark.documented("Dashboards_GetDashboardsInGroup, Dashboards_GetTilesInGroup and their examples")
def test_dashboards_and_tiles_are_those_of_the_workspace(driver: Driver) -> None:
    boards = f"/groups/{SALES}/dashboards"
    (board,) = driver.call("GET", boards).value
    assert (board["id"], board["displayName"], board["isReadOnly"]) == (BOARD, "Turnover", False)
    assert board["embedUrl"].startswith(f"https://app.powerbi.com/dashboardEmbed?dashboardId={BOARD}&groupId={SALES}")
    (tile,) = driver.call("GET", f"{boards}/{BOARD}/tiles").value
    assert (tile["id"], tile["reportId"], tile["datasetId"]) == (TILE, SALES_REPORT, SALES_MODEL)
    assert driver.call("GET", f"{boards}/{BOARD}/tiles/{TILE}").body["title"] == "Turnover"
    missing = (f"{boards}/{HOME_BOARD}", f"{boards}/{BOARD}/tiles/{BOARD}")
    assert [driver.call("GET", path).status for path in missing] == [404, 404]


@pytest.mark.documented("Dataflows_GetDataflows: the id is called objectId")
def test_dataflows_are_those_of_the_workspace(driver: Driver) -> None:
    (flow,) = driver.call("GET", f"/groups/{SALES}/dataflows").value
    assert (flow["objectId"], flow["name"], "id" in flow) == (FLOW, "Staging", False)
    assert driver.call("GET", f"/groups/{SALES}/dataflows/{FLOW}/datasources").value == [DATASOURCE]
    assert driver.call("GET", f"/groups/{REFERENCE}/dataflows").value == []


@pytest.mark.documented("Dataflows_RefreshDataflow: 200; Dataflows_GetDataflowTransactions")
@pytest.mark.observed("shipyard-microsoft-power-bi on PyPI: InProgress, then Success or Failed")
@pytest.mark.parametrize("end", ["Success", "Failed"])
def test_a_dataflow_is_refreshed_and_its_transaction_ends(driver: Driver, end: str) -> None:
    flow = f"/groups/{SALES}/dataflows/{FLOW}"
    driver.patch(dataflows={FLOW: {"nextStatus": end}})
    started = driver.call("POST", f"{flow}/refreshes", {"notifyOption": "MailOnFailure"})
    assert (started.status, started.body) == (200, None)
    (running,) = driver.call("GET", f"{flow}/transactions").value
    assert (running["status"], "endTime" in running) == ("InProgress", False)
    driver.pass_time(seconds=3)
    (ended,) = driver.call("GET", f"{flow}/transactions").value
    assert (ended["status"], ended["id"], "endTime" in ended) == (end, running["id"], True)
    assert driver.call("POST", f"{flow}/refreshes", {"notifyOption": "MailOnCompletion"}).status == 400


@pytest.mark.documented("Imports_GetImportInGroup: neither datasets nor reports while it is published")
@pytest.mark.parametrize(("state", "made"), [("Succeeded", 1), ("Publishing", 0), ("Failed", 0)])
def test_an_import_tells_what_it_made_once_it_has(driver: Driver, state: str, made: int) -> None:
    driver.patch(imports={IMPORT: {"importState": state}})
    (listed,) = driver.call("GET", f"/groups/{SALES}/imports").value
    assert (listed["importState"], len(listed["datasets"]), len(listed["reports"])) == (state, made, made)
    assert listed.items() <= driver.call("GET", f"/groups/{SALES}/imports/{IMPORT}").body.items()


# ---- apps, gateways, pipelines


@pytest.mark.documented("Apps_GetApps, Apps_GetApp; not for service principals (test_powerbi_my_workspace)")
def test_apps_are_those_that_were_given_to_the_caller(driver: Driver) -> None:
    assert [app["name"] for app in driver.call("GET", "/apps", who="ana").value] == ["Sales"]
    assert driver.call("GET", f"/apps/{APP}", who="ana").body["lastUpdate"] == "2026-11-01T00:00:00.000Z"
    assert driver.call("GET", "/apps", who="ben").value == []
    assert driver.call("GET", f"/apps/{APP}", who="ben").status == 404


@pytest.mark.documented("Gateways_GetGateways, Gateways_GetDatasources: gateway administrators")
def test_gateways_are_those_that_the_caller_administers(driver: Driver) -> None:
    assert [gateway["id"] for gateway in driver.call("GET", "/gateways").value] == [GATEWAY]
    assert driver.call("GET", f"/gateways/{GATEWAY}").body["publicKey"]["exponent"] == "AQAB"
    (source,) = driver.call("GET", f"/gateways/{GATEWAY}/datasources").value
    assert (source["id"], source["gatewayId"], source["credentialType"]) == (SOURCE, GATEWAY, "Basic")
    assert driver.call("GET", f"/gateways/{GATEWAY}/datasources/{SOURCE}").body["datasourceName"] == "Sales"
    assert driver.call("GET", f"/gateways/{GATEWAY}/datasources/{GATEWAY}").status == 404
    assert driver.call("GET", "/gateways", who="ana").value == []
    assert driver.call("GET", f"/gateways/{GATEWAY}", who="ana").status == 404


@pytest.mark.documented("Pipelines_GetPipeline: stages only where they are asked for; Pipelines_GetPipelineStages")
def test_pipelines_are_those_that_the_caller_administers(driver: Driver) -> None:
    (pipeline,) = driver.call("GET", "/pipelines").value
    assert pipeline == {"id": PIPELINE, "displayName": "Sales", "description": ""}
    stages: list[dict[str, Any]] = [
        {"order": 0, "workspaceId": SALES, "workspaceName": "Sales Analytics"},
        {"order": 1},
    ]
    assert driver.call("GET", f"/pipelines/{PIPELINE}/stages").value == stages
    assert driver.call("GET", f"/pipelines/{PIPELINE}", query={"$expand": "stages"}).body["stages"] == stages
    assert "stages" not in driver.call("GET", f"/pipelines/{PIPELINE}").body
    assert driver.call("GET", f"/pipelines/{PIPELINE}", who="embed").status == 404
