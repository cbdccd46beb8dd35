"""The administrator's view, profiles, available features."""

from __future__ import annotations

from typing import Any

import pytest

from tests.emulator.powerbi_driver import APPS, REFERENCE, SALES, Driver, Reply

ORPHANS = (
    "(not users/any()) or (not users/any(u: u/groupUserAccessRight eq "
    "Microsoft.PowerBI.ServiceContracts.Api.GroupUserAccessRight'Admin'))"
)


@pytest.fixture
def driver() -> Driver:
    return Driver()


def admin(driver: Driver, who: str = "admin", **query: str) -> Reply:
    return driver.call("GET", "/admin/groups", who=who, query={f"${name}": value for name, value in query.items()})


@pytest.mark.documented("Groups_GetGroupsAsAdmin")
def test_the_administrator_sees_every_workspace(driver: Driver) -> None:
    reply = admin(driver, top="100")
    assert [group["name"] for group in reply.value] == ["Sales Analytics", "Shared Reference", "Strangers"]
    assert reply.body["@odata.count"] == 3
    assert {"type", "state"} <= set(reply.value[0])
    assert "users" not in reply.value[0]


@pytest.mark.documented("Groups_GetGroupsAsAdmin: $top is mandatory, 1 to 5000")
@pytest.mark.assumed("the status without it (missingTopStatus)")
def test_top_is_mandatory(driver: Driver) -> None:
    assert [admin(driver, **query).status for query in ({}, {"top": "0"}, {"top": "5001"}, {"top": "x"})] == [400] * 4
    driver.switch(missingTopStatus=409)
    assert admin(driver).status == 409
    assert len(admin(driver, top="2").value) == 2
    assert [group["name"] for group in admin(driver, top="2", skip="2").value] == ["Strangers"]


@pytest.mark.documented("Groups_GetGroupsAsAdmin: $expand")
def test_what_is_expanded_is_there(driver: Driver) -> None:
    sales = admin(driver, top="1", expand="users, reports,datasets").value[0]
    assert [user["groupUserAccessRight"] for user in sales["users"]] == ["Admin", "Admin", "Member"]
    assert (len(sales["reports"]), len(sales["datasets"])) == (3, 2)
    assert "dashboards" not in sales
    assert admin(driver, top="1", expand="everything").status == 400


@pytest.mark.documented("Groups_GetGroupsAsAdmin: filters on state and orphans")
def test_deleted_and_orphaned_workspaces_are_found(driver: Driver) -> None:
    driver.call("DELETE", f"/groups/{SALES}")
    driver.patch(workspaces={REFERENCE: {"members": {"ana@contoso.com": None, APPS["operations"].object_id: None}}})
    assert [group["id"] for group in admin(driver, top="9", filter="state eq 'Deleted'").value] == [SALES]
    assert [group["id"] for group in admin(driver, top="9", filter=ORPHANS).value] == [SALES, REFERENCE]
    active = admin(driver, top="9", filter=f"({ORPHANS}) and state eq 'Active'").value
    assert [group["id"] for group in active] == [REFERENCE]


@pytest.mark.documented(
    "https://learn.microsoft.com/power-bi/enterprise/read-only-apis-service-principal-authentication"
)
def test_the_grant_is_for_administrators_and_apps_without_application_permissions(driver: Driver) -> None:
    for who in ("operations", "embed", "ana"):
        reply = admin(driver, who, top="1")
        assert (reply.status, reply.code) == (401, "PowerBINotAuthorizedException")
    roles = driver.call("GET", "/admin/groups", who="admin", query={"$top": "1"}, claims={"roles": ["Tenant.Read.All"]})
    assert roles.status == 401
    driver.switch(servicePrincipalsMayReadAdminApis=False)
    assert admin(driver, top="1").status == 401


@pytest.mark.documented("Groups_GetGroupsAsAdmin: 50 requests per hour or 15 per minute, per tenant")
def test_the_sixteenth_call_within_a_minute_is_throttled(driver: Driver) -> None:
    for _ in range(15):
        assert admin(driver, top="1").status == 200
    driver.pass_time(seconds=10)
    reply = admin(driver, top="1")
    assert (reply.status, reply.headers["Retry-After"]) == (429, "50")
    assert list(reply.body) == ["message"]
    assert reply.body["message"].endswith("Retry in 50 seconds.")
    driver.pass_time(seconds=50)
    assert admin(driver, top="1").status == 200


@pytest.mark.observed("RuiRomano/pbimonitor#58: the whole answer, Retry-After of almost an hour")
def test_the_fifty_first_call_within_an_hour_waits_for_the_hour_and_carries_its_headers(driver: Driver) -> None:
    for _ in range(50):
        assert admin(driver, top="1").status == 200
        driver.pass_time(seconds=10)
    reply = admin(driver, top="1")
    assert (reply.status, reply.headers["Retry-After"]) == (429, "3100")
    assert reply.headers["request-redirected"] == "true"
    assert reply.headers["home-cluster-uri"].startswith("https://wabi-")
    assert reply.headers["Cache-Control"] == "no-store, must-revalidate, no-cache"
    assert reply.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    assert reply.headers["Content-Type"] == "application/json; charset=utf-8"


@pytest.mark.observed("MicrosoftDocs/powerbi-docs#1840: 429 where no number is published (rateLimits)")
def test_a_test_may_limit_any_operation(driver: Driver) -> None:
    driver.switch(rateLimits={"POST /GenerateToken": [{"calls": 0, "seconds": 30}], "GET /admin/groups": None})
    assert driver.call("POST", "/GenerateToken", {}).headers["Retry-After"] == "30"
    assert {admin(driver, top="1").status for _ in range(20)} == {200}


@pytest.mark.documented("Profiles_GetProfiles, Profiles_CreateProfile and the others: 200 throughout")
def test_a_profile_is_made_renamed_found_and_removed(driver: Driver) -> None:
    made = driver.call("POST", "/profiles", {"displayName": "Customer 7"})
    path = f"/profiles/{made.body['id']}"
    assert (made.status, driver.call("GET", path).body["displayName"]) == (200, "Customer 7")
    assert driver.call("PUT", path, {"displayName": "Customer 8"}).body["displayName"] == "Customer 8"
    driver.call("POST", "/profiles", {"displayName": "Customer 9"})
    found = driver.call("GET", "/profiles", query={"$filter": "displayName eq 'Customer 8'"}).value
    assert [profile["id"] for profile in found] == [made.body["id"]]
    assert len(driver.call("GET", "/profiles", query={"$top": "1", "$skip": "1"}).value) == 1
    removed = driver.call("DELETE", path)
    assert (removed.status, removed.body) == (200, None)
    assert driver.call("GET", path).status == 404


@pytest.mark.documented("Profiles_GetProfiles: only service principals, each its own")
def test_profiles_belong_to_one_service_principal(driver: Driver) -> None:
    made = driver.call("POST", "/profiles", {"displayName": "Customer 7"}).body["id"]
    assert driver.call("GET", "/profiles", who="embed").value == []
    assert driver.call("DELETE", f"/profiles/{made}", who="embed").status == 404
    assert driver.call("GET", "/profiles", who="ana").status == 401
    driver.switch(servicePrincipalsMayUseProfiles=False)
    assert driver.call("GET", "/profiles").status == 401


@pytest.mark.observed("public clients: the code of a taken profile name ends in Exception")
def test_a_profiles_name_is_taken_once(driver: Driver) -> None:
    driver.call("POST", "/profiles", {"displayName": "Customer 7"})
    reply = driver.call("POST", "/profiles", {"displayName": "Customer 7"})
    assert (reply.status, reply.code) == (400, "PowerBIEntityAlreadyExistsException")
    assert driver.call("POST", "/profiles", {"displayName": "Customer 7"}, who="embed").status == 200


@pytest.mark.parametrize("body", [{}, {"displayName": " "}, {"name": "x"}])
def test_a_profile_needs_a_name(driver: Driver, body: dict[str, Any]) -> None:
    assert driver.call("POST", "/profiles", body).status == 400


@pytest.mark.documented("Profiles_CreateProfile: 100,000 profiles per service principal (profilesPerPrincipal)")
def test_profiles_have_an_end(driver: Driver) -> None:
    driver.switch(profilesPerPrincipal=1)
    driver.call("POST", "/profiles", {"displayName": "Customer 7"})
    assert driver.call("POST", "/profiles", {"displayName": "Customer 8"}).status == 400


@pytest.mark.documented("AvailableFeatures_GetAvailableFeatures")
def test_features_are_listed_under_features_and_found_by_name(driver: Driver) -> None:
    (trial,) = driver.call("GET", "/availableFeatures").body["features"]
    assert (trial["name"], trial["additionalInfo"]) == ("embedTrial", {"usage": 0})
    assert driver.call("GET", "/availableFeatures(featureName=%27embedTrial%27)").body["name"] == "embedTrial"
    assert driver.call("GET", "/availableFeatures(featureName='other')").status == 404
