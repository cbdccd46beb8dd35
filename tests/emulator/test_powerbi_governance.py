"""What administrators read of a tenant: items, scans, the activity log."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.tour_of_content import APP, BOARD, DATASOURCE, HOME, HOME_MODEL, PIPELINE, TILE, furnish
from tests.emulator.powerbi_driver import CAPACITIES, INVOICE, REFERENCE, SALES, SALES_MODEL, STRANGERS, Driver, Reply

WORKSPACES = "/admin/workspaces"
EVENTS = "/admin/activityevents"
OPTIONS = ("lineage", "datasourceDetails", "datasetSchema", "getArtifactUsers")


@pytest.fixture
def driver() -> Driver:
    made = Driver()
    furnish(made)
    return made


def read(driver: Driver, path: str, who: str = "admin", **query: str) -> Reply:
    return driver.call("GET", path, who=who, query={f"${name}": value for name, value in query.items()})


def scan(driver: Driver, *workspaces: str, **options: str) -> Reply:
    return driver.call("POST", f"{WORKSPACES}/getInfo", {"workspaces": list(workspaces)}, who="admin", query=options)


def events(driver: Driver, start: str, end: str, **more: str) -> Reply:
    window = {"startDateTime": f"'{start}'", "endDateTime": f"'{end}'"}
    return driver.call("GET", EVENTS, who="admin", query=window | {f"${name}": text for name, text in more.items()})


# ---- items


@pytest.mark.documented("Datasets_GetDatasetsAsAdmin and its like: $top, $skip, $filter, each with its workspaceId")
def test_an_administrator_finds_every_item_with_its_workspace(driver: Driver) -> None:
    found = {dataset["id"]: dataset["workspaceId"] for dataset in read(driver, "/admin/datasets").value}
    assert (found[SALES_MODEL], found[HOME_MODEL], len(found)) == (SALES, HOME, 4)
    assert len(read(driver, "/admin/datasets", top="2", skip="3").value) == 1
    named = read(driver, "/admin/datasets", filter=f"workspaceId eq '{HOME}'").value
    assert [dataset["id"] for dataset in named] == [HOME_MODEL]
    assert [len(read(driver, f"/admin/{kind}").value) for kind in ("reports", "dashboards", "dataflows")] == [4, 2, 1]


@pytest.mark.documented("Datasets_GetDatasetsInGroupAsAdmin and its like, for workspaces of others")
def test_an_administrator_needs_no_role_in_the_workspace(driver: Driver) -> None:
    kinds = ("datasets", "reports", "dashboards", "dataflows")
    assert [len(read(driver, f"/admin/groups/{SALES}/{kind}").value) for kind in kinds] == [2, 3, 1, 1]
    assert [user["identifier"] for user in read(driver, f"/admin/groups/{STRANGERS}/users").value] == [
        "ben@contoso.com"
    ]
    assert read(driver, f"/admin/groups/{STRANGERS}").body["name"] == "Strangers"
    assert "users" in read(driver, f"/admin/groups/{STRANGERS}", expand="users").body
    assert read(driver, f"/admin/groups/{APP}").status == 404


@pytest.mark.documented("Datasets_GetDatasetUsersAsAdmin, Datasets_GetDatasourcesAsAdmin, Dashboards_GetTilesAsAdmin")
def test_an_administrator_sees_who_uses_an_item_and_what_it_is_made_of(driver: Driver) -> None:
    users = read(driver, f"/admin/datasets/{SALES_MODEL}/users").value
    assert {user["displayName"]: user["datasetUserAccessRight"] for user in users}["Ana Ruiz"].startswith("ReadWrite")
    assert read(driver, f"/admin/datasets/{SALES_MODEL}/datasources").value == [DATASOURCE]
    assert [tile["id"] for tile in read(driver, f"/admin/dashboards/{BOARD}/tiles").value] == [TILE]
    assert read(driver, f"/admin/datasets/{APP}/users").status == 404
    boards, pages = (
        read(driver, f"/admin/{item}/users").value for item in (f"dashboards/{BOARD}", f"reports/{INVOICE}")
    )
    assert {user["displayName"]: user["dashboardUserAccessRight"] for user in boards}["Ana Ruiz"] == "Owner"
    assert {user["displayName"]: user["reportUserAccessRight"] for user in pages}["embed"] == "ReadReshare"
    (holder,) = read(driver, f"/admin/capacities/{CAPACITIES['premium-eu']}/users").value
    assert (holder["displayName"], holder["capacityUserAccessRight"]) == ("operations", "Assign")


@pytest.mark.documented("Apps_GetAppsAsAdmin: $top is mandatory; Pipelines_GetPipelinesAsAdmin: $expand")
def test_an_administrator_lists_apps_pipelines_and_capacities(driver: Driver) -> None:
    assert read(driver, "/admin/apps").status == 400
    assert [(app["id"], app["workspaceId"]) for app in read(driver, "/admin/apps", top="9").value] == [(APP, SALES)]
    (pipeline,) = read(driver, "/admin/pipelines", expand="stages,users").value
    assert (pipeline["id"], len(pipeline["stages"]), pipeline["users"][0]["accessRight"]) == (PIPELINE, 2, "Admin")
    assert read(driver, "/admin/pipelines", expand="everything").status == 400
    assert len(read(driver, "/admin/capacities").value) == 2


@pytest.mark.documented(
    "https://learn.microsoft.com/power-bi/enterprise/read-only-apis-service-principal-authentication"
)
@pytest.mark.parametrize(
    "path",
    [
        "/admin/datasets",
        f"/admin/groups/{SALES}",
        f"/admin/groups/{SALES}/reports",
        f"/admin/datasets/{SALES_MODEL}/users",
        "/admin/capacities",
        "/admin/apps",
        "/admin/pipelines",
        f"{WORKSPACES}/modified",
        f"{WORKSPACES}/scanStatus/{APP}",
        EVENTS,
    ],
)
def test_nobody_else_may(driver: Driver, path: str) -> None:
    for who in ("operations", "ana"):
        reply = read(driver, path, who)
        assert (reply.status, reply.code) == (401, "PowerBINotAuthorizedException")


@pytest.mark.documented("Datasets_GetDatasetsAsAdmin: 5 a minute; Groups_GetGroupAsAdmin: 200 an hour")
def test_each_operation_is_throttled_by_its_own_number(driver: Driver) -> None:
    assert [read(driver, "/admin/datasets").status for _ in range(6)] == [200] * 5 + [429]
    assert [read(driver, f"/admin/groups/{SALES}").status for _ in range(201)] == [200] * 200 + [429]


# ---- scans


@pytest.mark.documented("WorkspaceInfo_GetModifiedWorkspaces: a bare array; 30 minutes to 30 days ago")
def test_the_workspaces_to_scan_are_a_bare_array(driver: Driver) -> None:
    path = f"{WORKSPACES}/modified"
    everything = driver.call("GET", path, who="admin").body
    assert {workspace["id"] for workspace in everything} == {SALES, REFERENCE, STRANGERS, HOME}
    less = {"excludePersonalWorkspaces": "True", "modifiedSince": "2026-11-20T00:00:00Z"}
    assert driver.call("GET", path, who="admin", query=less).body == []
    made = driver.new_workspace("FIN-Margin-DEV")
    driver.pass_time(hours=1)
    assert driver.call("GET", path, who="admin", query=less).body == [{"id": made}]
    driver.call("DELETE", f"/groups/{made}")
    assert driver.call("GET", path, who="admin", query=less | {"excludeInActiveWorkspaces": "true"}).body == []
    for since in ("2026-11-22T12:59:00Z", "2026-10-01T00:00:00Z", "lately"):
        assert driver.call("GET", path, who="admin", query={"modifiedSince": since}).status == 400


@pytest.mark.documented("WorkspaceInfo_PostWorkspaceInfo, _GetScanStatus, _GetScanResult; the way from one to the next")
@pytest.mark.assumed("the word Running, and how long it takes (scanPending, scanDuration)")
def test_a_scan_takes_its_time_and_leads_to_its_result(driver: Driver) -> None:
    driver.switch(scanPending="PT10S", scanDuration="PT1M")
    started = scan(driver, SALES)
    status = f"{WORKSPACES}/scanStatus/{started.body['id']}"
    assert (started.status, started.body["status"]) == (202, "NotStarted")
    assert started.headers["Location"] == f"https://api.powerbi.com/v1.0/myorg{status}"
    driver.pass_time(seconds=30)
    assert read(driver, status).body["status"] == "Running"
    assert read(driver, status.replace("Status", "Result")).status == 404
    driver.pass_time(seconds=30)
    done = read(driver, status)
    assert (done.body["status"], done.headers["Location"].rpartition("myorg")[2]) == (
        "Succeeded",
        status.replace("Status", "Result"),
    )
    driver.pass_time(hours=25)
    assert read(driver, status.replace("Status", "Result")).status == 404


@pytest.mark.documented("WorkspaceInfo_GetScanResult")
@pytest.mark.assumed("tenant setting: enhancedAdminResponses")
def test_a_scan_finds_what_it_was_asked_for(driver: Driver) -> None:
    def found(*options: str) -> dict[str, Any]:
        started = scan(driver, SALES, TILE, **dict.fromkeys(options, "True"))
        driver.pass_time(seconds=2)
        return dict(read(driver, f"{WORKSPACES}/scanResult/{started.body['id']}").body)

    bare = found()
    (workspace,) = bare["workspaces"]
    assert (workspace["name"], workspace["state"], workspace["isOnDedicatedCapacity"]) == (
        "Sales Analytics",
        "Active",
        True,
    )
    assert [len(workspace[kind]) for kind in ("datasets", "reports", "dashboards", "dataflows")] == [2, 3, 1, 1]
    assert {"tables", "users", "upstreamDataflows", "datasourceUsages"}.isdisjoint(workspace["datasets"][0])
    whole = found(*OPTIONS)
    model = whole["workspaces"][0]["datasets"][0]
    assert {"tables", "users", "upstreamDataflows", "datasourceUsages"} <= set(model)
    assert whole["datasourceInstances"] == [DATASOURCE]
    assert len(whole["workspaces"][0]["users"]) == 3
    driver.switch(enhancedAdminResponses=False)
    assert "tables" not in found(*OPTIONS)["workspaces"][0]["datasets"][0]


@pytest.mark.documented("WorkspaceInfo_PostWorkspaceInfo: 1 to 100 workspaces, 16 scans at a time")
@pytest.mark.assumed("the status of too many (tooManyScanIdsStatus)")
def test_a_scan_has_its_limits(driver: Driver) -> None:
    assert [scan(driver, *[SALES] * count).status for count in (0, 100, 101)] == [400, 202, 400]
    driver.switch(tooManyScanIdsStatus=429)
    assert scan(driver).status == 429
    assert [scan(driver, SALES).status for _ in range(16)] == [202] * 15 + [429]


# ---- the activity log


@pytest.mark.documented("Admin_GetActivityEvents; track user activities: pages may be empty, the last has no token")
def test_the_log_is_read_page_by_page_until_there_is_no_token(driver: Driver) -> None:
    pages = [events(driver, "2026-11-22T07:00:00Z", "2026-11-22T09:59:59Z").body]
    while token := pages[-1]["continuationToken"]:
        assert f"'{token}'" in pages[-1]["continuationUri"]
        query = {"continuationToken": f"'{token}'"}
        pages.append(driver.call("GET", EVENTS, who="admin", query=query).body)
    found = [[event["UserId"] for event in page["activityEventEntities"]] for page in pages]
    assert found == [[], [], ["ana@contoso.com"]]
    assert {page["lastResultSet"] for page in pages} == {False}


@pytest.mark.documented("Admin_GetActivityEvents: $filter on Activity and UserId")
def test_the_log_can_be_filtered(driver: Driver) -> None:
    day = ("2026-11-22T09:00:00Z", "2026-11-22T09:59:59Z")
    wanted = "Activity eq 'ViewReport' and UserId eq 'ana@contoso.com'"
    assert len(events(driver, *day, filter=wanted).body["activityEventEntities"]) == 1
    assert events(driver, *day, filter="Activity eq 'DeleteReport'").body["activityEventEntities"] == []


@pytest.mark.observed(
    "microsoft/semantic-link-labs#211: an empty body of bytes; microsoft/fabric-toolbox#156: look-back"
)
@pytest.mark.parametrize(
    "query",
    [
        {},
        {"startDateTime": "'2026-11-22T00:00:00Z'"},
        {"startDateTime": "2026-11-22T00:00:00Z", "endDateTime": "2026-11-22T01:00:00Z"},
        {"startDateTime": "'2026-11-21T23:00:00Z'", "endDateTime": "'2026-11-22T01:00:00Z'"},
        {"startDateTime": "'2026-11-22T02:00:00Z'", "endDateTime": "'2026-11-22T01:00:00Z'"},
        {"startDateTime": "'2026-10-22T00:00:00Z'", "endDateTime": "'2026-10-22T01:00:00Z'"},
        {"startDateTime": "'yesterday'", "endDateTime": "'today'"},
        {"continuationToken": "'made up'"},
        {"continuationToken": "'W10='"},
    ],
    ids=["none", "half", "unquoted", "two days", "backwards", "too old", "words", "no token", "no window"],
)
def test_a_window_that_is_not_one_is_refused_with_nothing_to_read(driver: Driver, query: dict[str, str]) -> None:
    reply = driver.call("GET", EVENTS, who="admin", query=query)
    assert (reply.status, reply.body, reply.headers["Content-Type"]) == (400, None, "application/octet-stream")


@pytest.mark.assumed("how far back the log reaches (activityLogDays)")
def test_how_far_back_the_log_reaches_is_a_switch(driver: Driver) -> None:
    driver.switch(activityLogDays=1)
    assert events(driver, "2026-11-20T00:00:00Z", "2026-11-20T01:00:00Z").status == 400
