"""Workspaces: what a caller sees of them, and what may be done to them."""

from __future__ import annotations

import pytest

from tests.emulator.powerbi_driver import CAPACITIES, REFERENCE, SALES, SALES_REPORT, STRANGERS, Driver


@pytest.fixture
def driver() -> Driver:
    return Driver()


def names(driver: Driver, text: str = "", **query: str) -> list[str]:
    asked = ({"$filter": text} if text else {}) | {f"${name}": value for name, value in query.items()}
    return [group["name"] for group in driver.call("GET", "/groups", query=asked).value]


@pytest.mark.documented("Groups_GetGroups")
def test_the_list_holds_only_what_the_caller_has_access_to(driver: Driver) -> None:
    assert names(driver) == ["Sales Analytics", "Shared Reference"]
    assert [group["name"] for group in driver.call("GET", "/groups", who="ben").value] == ["Strangers"]
    assert driver.call("GET", "/groups", who="dev").value == []


@pytest.mark.documented("Groups_GetGroups: capacityId and defaultDatasetStorageFormat only on dedicated capacity")
def test_what_belongs_to_a_capacity_is_left_out_on_shared(driver: Driver) -> None:
    sales, shared = driver.call("GET", "/groups").value
    assert {"capacityId", "defaultDatasetStorageFormat"} <= set(sales)
    assert shared == {
        "id": REFERENCE,
        "isReadOnly": False,
        "isOnDedicatedCapacity": False,
        "type": "Workspace",
        "name": "Shared Reference",
    }


@pytest.mark.observed("WeAreRetail/terraform-provider-powerbi: captures; only the id of the capacity is in capitals")
def test_a_workspace_names_its_capacity_in_capitals(driver: Driver) -> None:
    sales = driver.call("GET", f"/groups/{SALES}").body
    assert (sales["capacityId"], sales["id"]) == (CAPACITIES["premium-eu"].upper(), SALES)
    for text in (sales["capacityId"], sales["capacityId"].lower()):
        assert names(driver, f"capacityId eq '{text}'") == ["Sales Analytics"]


@pytest.mark.documented("Groups_GetGroups, examples of $filter; case by public clients")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name eq 'Sales Analytics'", ["Sales Analytics"]),
        ("name eq 'sales analytics'", []),
        ("tolower(name) eq 'sales analytics'", ["Sales Analytics"]),
        ("contains(name,'Refer') or name eq 'Sales Analytics'", ["Sales Analytics", "Shared Reference"]),
        ("contains(name, 's') and not (name eq 'Sales Analytics')", []),
        ("contains(tolower(name),'s') and isOnDedicatedCapacity eq false", ["Shared Reference"]),
        (f"id eq '{SALES}'", ["Sales Analytics"]),
        ("startswith(name,'Shared') or endswith(name,'tics')", ["Sales Analytics", "Shared Reference"]),
        ("name eq 'it''s'", []),
        ("name ne 'Sales Analytics'", ["Shared Reference"]),
    ],
)
def test_the_filter_selects(driver: Driver, text: str, expected: list[str]) -> None:
    assert names(driver, text) == expected


@pytest.mark.parametrize(
    "text", ["name", "name eq", "name like 'x'", "contains(name", "name eq 'x' or", "name eq 'x')", "eq 'x'"]
)
def test_a_filter_that_can_not_be_read_is_400(driver: Driver, text: str) -> None:
    assert driver.call("GET", "/groups", query={"$filter": text}).status == 400


@pytest.mark.documented("Groups_GetGroups: $top and $skip, no next link")
def test_pages_are_cut_by_top_and_skip(driver: Driver) -> None:
    assert names(driver, top="1") == ["Sales Analytics"]
    assert names(driver, top="1", skip="1") == ["Shared Reference"]
    assert names(driver, top="5", skip="2") == []
    assert "@odata.nextLink" not in driver.call("GET", "/groups", query={"$top": "1"}).body
    assert driver.call("GET", "/groups", query={"$top": "-1"}).status == 400


@pytest.mark.observed(
    "pbiapi on PyPI looks there whether a name is free; captures of WeAreRetail/terraform-provider-powerbi"
)
def test_a_list_says_how_many_it_would_be(driver: Driver) -> None:
    free = driver.call("GET", "/groups", query={"$filter": "name eq 'FIN-Margin-DEV'"}).body
    assert (free["@odata.count"], free["value"]) == (0, [])
    assert driver.call("GET", "/groups").body["@odata.count"] == 2
    assert driver.call("GET", "/groups", query={"$top": "1"}).body["@odata.count"] == 2


@pytest.mark.observed("WeAreRetail/terraform-provider-powerbi: captures of GET /groups")
def test_a_workspace_tells_its_type(driver: Driver) -> None:
    assert driver.call("GET", f"/groups/{SALES}").body["type"] == "Workspace"


@pytest.mark.assumed("the default page size is not documented (groupsPageSize)")
def test_a_list_without_top_is_as_long_as_the_switch_says(driver: Driver) -> None:
    driver.switch(groupsPageSize=1)
    assert names(driver) == ["Sales Analytics"]


@pytest.mark.documented("Groups_CreateGroup: 200 and a bare Group, contrary to its example")
def test_a_new_workspace_is_bare_on_shared_capacity_and_its_creators(driver: Driver) -> None:
    reply = driver.call("POST", "/groups", {"name": "FIN-Margin-DEV"}, query={"workspaceV2": "True"})
    assert (reply.status, reply.body["name"], reply.body["isOnDedicatedCapacity"]) == (200, "FIN-Margin-DEV", False)
    users = driver.call("GET", f"/groups/{reply.body['id']}/users").value
    assert [(user["displayName"], user["groupUserAccessRight"]) for user in users] == [("operations", "Admin")]


@pytest.mark.observed("maikvandergaag/msft-extensions#532: 400, not 409")
@pytest.mark.parametrize("name", ["Strangers", "Sales Analytics"])
def test_a_name_that_is_taken_anywhere_in_the_organisation_is_refused(driver: Driver, name: str) -> None:
    reply = driver.call("POST", "/groups", {"name": name})
    twin = {"code": "PowerBIEntityAlreadyExists", "parameters": {}, "details": []}
    assert (reply.status, reply.body) == (400, {"error": {"code": twin["code"], "pbi.error": twin}})
    assert driver.call("PATCH", f"/groups/{REFERENCE}", {"name": name}).code == "PowerBIEntityAlreadyExists"


@pytest.mark.assumed("whether case counts when a name is taken (workspaceNamesIgnoreCase)")
def test_a_name_that_differs_in_case_is_taken_unless_the_switch_says_otherwise(driver: Driver) -> None:
    assert driver.call("POST", "/groups", {"name": "strangers"}).status == 400
    driver.switch(workspaceNamesIgnoreCase=False)
    assert driver.call("POST", "/groups", {"name": "strangers"}).status == 200


def test_a_workspace_may_keep_its_name_in_an_update(driver: Driver) -> None:
    assert driver.call("PATCH", f"/groups/{SALES}", {"name": "Sales Analytics"}).status == 200


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": "  "}, {"name": "x" * 201}, {"name": None}])
def test_a_workspace_needs_a_name(driver: Driver, body: dict[str, str | None]) -> None:
    assert driver.call("POST", "/groups", body).status == 400


@pytest.mark.documented(
    "https://learn.microsoft.com/power-bi/developer/embedded/embed-service-principal: 1,000 workspaces"
)
def test_a_principal_holds_no_more_workspaces_than_it_may(driver: Driver) -> None:
    driver.switch(workspacesPerPrincipal=3)
    driver.new_workspace("TOUR-1")
    assert driver.call("POST", "/groups", {"name": "TOUR-2"}).status == 403
    driver.switch(tooManyWorkspacesStatus=400)
    assert driver.call("POST", "/groups", {"name": "TOUR-2"}).status == 400
    assert driver.call("POST", "/groups", {"name": "TOUR-2"}, who="embed").status == 200


@pytest.mark.documented("Groups_UpdateGroup: on shared capacity only the name")
def test_the_storage_format_is_for_workspaces_on_a_capacity(driver: Driver) -> None:
    large = {"defaultDatasetStorageFormat": "Large"}
    reply = driver.call("PATCH", f"/groups/{SALES}", large)
    assert (reply.status, reply.body) == (200, None)
    assert driver.call("GET", f"/groups/{SALES}").body["defaultDatasetStorageFormat"] == "Large"
    assert driver.call("PATCH", f"/groups/{REFERENCE}", large).status == 400
    assert driver.call("PATCH", f"/groups/{SALES}", {"defaultDatasetStorageFormat": "Huge"}).status == 400


@pytest.mark.documented("Groups_DeleteGroup: 200 with an empty body")
def test_a_deleted_workspace_is_gone_with_its_content_and_its_name_is_free(driver: Driver) -> None:
    reply = driver.call("DELETE", f"/groups/{SALES}")
    assert (reply.status, reply.body) == (200, None)
    assert driver.call("GET", f"/groups/{SALES}").status == 401
    assert SALES_REPORT not in driver.service.state()["reports"]
    assert driver.call("POST", "/groups", {"name": "Sales Analytics"}).status == 200


@pytest.mark.assumed(
    "that lists lag behind a creation is documented, how long is not (workspaceListLag, workspaceAccessLag)"
)
def test_a_new_workspace_may_show_late_though_its_name_is_taken_at_once(driver: Driver) -> None:
    driver.switch(workspaceListLag="PT1M", workspaceAccessLag="PT10S")
    made = driver.new_workspace("FIN-Margin-DEV")
    assert driver.call("GET", f"/groups/{made}").status == 401
    assert driver.call("POST", "/groups", {"name": "FIN-Margin-DEV"}).code == "PowerBIEntityAlreadyExists"
    driver.pass_time(seconds=10)
    assert driver.call("GET", f"/groups/{made}").status == 200
    assert "FIN-Margin-DEV" not in names(driver)
    driver.pass_time(seconds=50)
    assert "FIN-Margin-DEV" in names(driver)


@pytest.mark.assumed("effect of the newer tenant setting on POST /groups (servicePrincipalsMayCreateWorkspaces)")
def test_a_tenant_setting_may_keep_service_principals_from_creating(driver: Driver) -> None:
    driver.switch(servicePrincipalsMayCreateWorkspaces=False)
    reply = driver.call("POST", "/groups", {"name": "X"})
    assert (reply.status, reply.code) == (401, "PowerBINotAuthorizedException")
    assert driver.call("POST", "/groups", {"name": "X"}, who="ana").status == 200


def test_ids_are_found_whatever_their_case(driver: Driver) -> None:
    assert driver.call("GET", f"/groups/{SALES.upper()}/reports/{SALES_REPORT.upper()}").status == 200
    assert driver.call("GET", f"/groups/{STRANGERS.upper()}").status == 401
