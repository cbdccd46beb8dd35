"""What a path without a group is about: people's own workspaces, which applications don't have."""

from __future__ import annotations

import pytest

from tests.contract.tour_of_content import HOME, HOME_MODEL, HOME_REPORT, QUERY, furnish
from tests.emulator.powerbi_driver import SALES_MODEL, SALES_REPORT, Driver

IN_MY_WORKSPACE = [
    "/datasets",
    f"/datasets/{SALES_MODEL}",
    f"/datasets/{SALES_MODEL}/refreshes",
    "/reports",
    f"/reports/{SALES_REPORT}",
    "/dashboards",
    "/imports",
    "/apps",
]


@pytest.fixture
def driver() -> Driver:
    made = Driver()
    furnish(made)
    return made


@pytest.mark.observed("MicrosoftDocs/powerbi-docs-powershell#67: forbidden; the words by a fork of pbiapi")
@pytest.mark.assumed("the same status for all of them (myWorkspaceForApplicationsStatus)")
@pytest.mark.parametrize("path", IN_MY_WORKSPACE)
def test_an_application_has_no_workspace_of_its_own(driver: Driver, path: str) -> None:
    reply = driver.call("GET", path)
    assert (reply.status, reply.body) == (403, {"Message": "API is not accessible for application"})
    driver.switch(myWorkspaceForApplicationsStatus=401)
    assert driver.call("GET", path).status == 401


@pytest.mark.documented("Datasets_GetDatasets, Reports_GetReports: from My workspace")
def test_a_person_finds_what_is_in_her_own_workspace_and_nothing_else(driver: Driver) -> None:
    assert [dataset["id"] for dataset in driver.call("GET", "/datasets", who="ana").value] == [HOME_MODEL]
    assert [report["id"] for report in driver.call("GET", "/reports", who="ana").value] == [HOME_REPORT]
    assert driver.call("GET", f"/datasets/{SALES_MODEL}", who="ana").status == 404
    assert driver.call("GET", "/datasets", who="ben").value == []
    assert driver.call("GET", f"/datasets/{HOME_MODEL}", who="ben").status == 404


@pytest.mark.documented("Groups_GetGroups: My workspace is none of the listed ones")
def test_nobodys_own_workspace_is_among_the_groups(driver: Driver) -> None:
    assert HOME not in {group["id"] for group in driver.call("GET", "/groups", who="ana").value}


@pytest.mark.documented("Groups_GetGroupsAsAdmin: type, a PersonalGroup")
def test_an_administrator_sees_whose_workspaces_there_are(driver: Driver) -> None:
    query = {"$top": "9", "$filter": "type eq 'PersonalGroup'"}
    assert [group["id"] for group in driver.call("GET", "/admin/groups", who="admin", query=query).value] == [HOME]


@pytest.mark.documented("Reports_CloneReportInGroup: the all-zero id is My workspace")
def test_a_report_can_be_copied_home(driver: Driver) -> None:
    body = {"name": "Mine", "targetWorkspaceId": "00000000-0000-0000-0000-000000000000"}
    clone = f"/groups/{driver.service.state()['reports'][SALES_REPORT]['workspaceId']}/reports/{SALES_REPORT}/Clone"
    copy = driver.call("POST", clone, body, who="ana").body
    assert copy["id"] in {report["id"] for report in driver.call("GET", "/reports", who="ana").value}
    assert driver.call("POST", clone, body).status == 401


@pytest.mark.documented("Reports_CloneReportInGroup")
def test_whoever_has_nothing_at_home_gets_a_home_with_the_first_copy(driver: Driver) -> None:
    driver.patch(workspaces={HOME: None})
    body = {"name": "Mine", "targetWorkspaceId": "00000000-0000-0000-0000-000000000000"}
    home = driver.service.state()["reports"][SALES_REPORT]["workspaceId"]
    driver.call("POST", f"/groups/{home}/reports/{SALES_REPORT}/Clone", body, who="ana")
    assert [report["name"] for report in driver.call("GET", "/reports", who="ana").value] == ["Mine"]
    assert driver.call("GET", "/reports", who="ben").value == []


@pytest.mark.documented("Datasets_RefreshDataset, Datasets_GetRefreshHistory")
def test_a_person_refreshes_at_home(driver: Driver) -> None:
    assert driver.call("POST", f"/datasets/{HOME_MODEL}/refreshes", who="ana").status == 202
    (entry,) = driver.call("GET", f"/datasets/{HOME_MODEL}/refreshes", who="ana").value
    assert (entry["refreshType"], entry["status"]) == ("ViaApi", "Unknown")


@pytest.mark.observed("pbiapi's fork and yuppie-powerbi on PyPI query by service principal without a group")
def test_a_query_without_a_group_finds_the_dataset_wherever_it_is(driver: Driver) -> None:
    body = {"queries": [{"query": QUERY}]}
    assert driver.call("POST", f"/datasets/{SALES_MODEL}/executeQueries", body).status == 200
    assert driver.call("POST", f"/datasets/{HOME_MODEL}/executeQueries", body, who="ana").status == 200
    assert driver.call("POST", f"/datasets/{HOME_MODEL}/executeQueries", body).status == 404
