"""Datasets and reports: what is read of them."""

from __future__ import annotations

import base64
import json
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.emulator.powerbi_driver import (
    CALENDAR_MODEL,
    INVOICE,
    MARGIN_MODEL,
    MARGIN_REPORT,
    REFERENCE,
    SALES,
    SALES_MODEL,
    SALES_REPORT,
    Driver,
)


@pytest.fixture
def driver() -> Driver:
    return Driver()


@pytest.mark.documented("Datasets_GetDatasetsInGroup: all of the workspace, no paging")
def test_the_datasets_are_those_of_the_workspace(driver: Driver) -> None:
    listed = driver.call("GET", f"/groups/{SALES}/datasets", query={"$top": "1"}).value
    assert [dataset["id"] for dataset in listed] == [SALES_MODEL, MARGIN_MODEL]
    one = driver.call("GET", f"/groups/{SALES}/datasets/{MARGIN_MODEL}").body
    assert listed[1].items() <= one.items()


@pytest.mark.documented("Datasets_GetDatasetInGroup: a dataset is found in its own workspace only")
def test_an_item_is_found_in_its_own_workspace_only(driver: Driver) -> None:
    assert driver.call("GET", f"/groups/{SALES}/datasets/{CALENDAR_MODEL}").status == 404
    assert driver.call("GET", f"/groups/{REFERENCE}/reports/{SALES_REPORT}").status == 404


@pytest.mark.documented("Datasets_GetDatasetInGroup, example: camelCase, contrary to the schema")
@pytest.mark.parametrize(
    ("mode", "refreshable", "push"), [("Import", True, False), ("DirectQuery", False, False), ("Push", False, True)]
)
def test_a_dataset_tells_what_can_be_done_with_it(driver: Driver, mode: str, refreshable: bool, push: bool) -> None:
    driver.patch(datasets={SALES_MODEL: {"mode": mode, "targetStorageMode": "PremiumFiles"}})
    shown = driver.call("GET", f"/groups/{SALES}/datasets/{SALES_MODEL}").body
    assert (shown["isRefreshable"], shown["addRowsAPIEnabled"]) == (refreshable, push)
    assert (shown["targetStorageMode"], shown["isOnPremGatewayRequired"]) == ("PremiumFiles", False)


@pytest.mark.documented("Reports_GetReportsInGroup; a paginated report has no datasetId")
def test_the_reports_are_those_of_the_workspace_with_their_kind(driver: Driver) -> None:
    listed = driver.call("GET", f"/groups/{SALES}/reports").value
    assert [(report["id"], report["reportType"], report.get("datasetId")) for report in listed] == [
        (SALES_REPORT, "PowerBIReport", SALES_MODEL),
        (MARGIN_REPORT, "PowerBIReport", MARGIN_MODEL),
        (INVOICE, "PaginatedReport", None),
    ]
    assert driver.call("GET", f"/groups/{REFERENCE}/reports").value == []


@pytest.mark.observed("DataHub's source takes the first of GET reports?$filter=id eq '…' for the one it wants")
def test_a_report_can_be_asked_for_in_the_list(driver: Driver) -> None:
    listed = driver.call("GET", f"/groups/{SALES}/reports", query={"$filter": f"id eq '{INVOICE}'"}).value
    assert [report["id"] for report in listed] == [INVOICE]


@pytest.mark.documented("PushDatasets_GetTablesInGroup")
@pytest.mark.assumed("what it answers for a model, at which OpenMetadata asks it all the same")
def test_only_a_push_dataset_tells_its_tables(driver: Driver) -> None:
    tables = f"/groups/{SALES}/datasets/{MARGIN_MODEL}/tables"
    assert driver.call("GET", tables).status == 404
    driver.patch(datasets={MARGIN_MODEL: {"mode": "Push"}})
    assert [table["name"] for table in driver.call("GET", tables).value] == ["Margin", "Customer"]


@pytest.mark.observed("migueesc123/PowerBIRESTAPI#19: rdlEmbed, and a config in the embed URL")
@pytest.mark.parametrize(("report", "page"), [(MARGIN_REPORT, "reportEmbed"), (INVOICE, "rdlEmbed")])
def test_the_embed_url_names_report_workspace_and_cluster(driver: Driver, report: str, page: str) -> None:
    url = urlsplit(driver.call("GET", f"/groups/{SALES}/reports/{report}").body["embedUrl"])
    query = {name: values[0] for name, values in parse_qs(url.query, strict_parsing=True).items()}
    assert (url.netloc, url.path) == ("app.powerbi.com", f"/{page}")
    assert (query["reportId"], query["groupId"]) == (report, SALES)
    assert json.loads(base64.b64decode(query["config"]))["clusterUrl"].startswith("https://wabi-")


@pytest.mark.documented("Reports_GetPagesInGroup and Reports_GetPageInGroup: by internal name")
def test_pages_are_known_by_their_internal_names(driver: Driver) -> None:
    pages = f"/groups/{SALES}/reports/{SALES_REPORT}/pages"
    assert driver.call("GET", pages).value == [{"name": "ReportSection", "displayName": "Sales overview", "order": 0}]
    assert driver.call("GET", f"{pages}/ReportSection").body["displayName"] == "Sales overview"
    assert driver.call("GET", f"{pages}/Other").status == 404


@pytest.mark.observed("andrewvillazon/pbipy#35: a regional host; WeAreRetail/terraform-provider-powerbi: the group too")
def test_the_context_of_an_answer_names_the_region_and_the_workspace(driver: Driver) -> None:
    host = "http://wabi-west-europe-redirect.analysis.windows.net/v1.0/myorg"
    context = {
        path: driver.call("GET", path).body["@odata.context"].removeprefix(host)
        for path in ("/groups", f"/groups/{SALES}", f"/groups/{SALES}/reports", f"/groups/{SALES}/users")
    }
    assert list(context.values()) == [
        "/$metadata#groups",
        "/$metadata#groups/$entity",
        f"/groups/{SALES}/$metadata#reports",
        f"/groups/{SALES}/$metadata#users",
    ]
