"""Grants in workspaces: fields, refusals, and how long they take to show."""

from __future__ import annotations

from typing import Any

import pytest

from tests.emulator.powerbi_driver import APPS, GROUPS, SALES, STRANGERS, Driver

USERS = f"/groups/{SALES}/users"
OPERATOR = {"identifier": APPS["admin"].object_id, "principalType": "App", "groupUserAccessRight": "Contributor"}
ROLES = "https://learn.microsoft.com/power-bi/collaborate-share/service-roles-new-workspaces"


@pytest.fixture
def driver() -> Driver:
    return Driver()


def rights(driver: Driver) -> dict[str, str]:
    return {user["identifier"]: user["groupUserAccessRight"] for user in driver.call("GET", USERS).value}


@pytest.mark.documented("Groups_AddGroupUser: 200 with an empty body; people by address, others by object id")
def test_people_groups_and_apps_are_granted_and_listed_with_their_kind(driver: Driver) -> None:
    group = {"identifier": GROUPS["sales-analysts"], "principalType": "Group", "groupUserAccessRight": "Viewer"}
    person = {"identifier": "Dev@contoso.com", "principalType": "User", "groupUserAccessRight": "Member"}
    replies = [driver.call("POST", USERS, body) for body in (OPERATOR, group, person)]
    assert [(reply.status, reply.body) for reply in replies] == [(200, None)] * 3
    kinds = {user["identifier"]: user["principalType"] for user in driver.call("GET", USERS).value}
    assert (kinds[OPERATOR["identifier"]], kinds[group["identifier"]]) == ("App", "Group")
    assert kinds["dev@contoso.com"] == "User"
    addresses = {user["identifier"]: user.get("emailAddress") for user in driver.call("GET", USERS).value}
    assert (addresses["dev@contoso.com"], addresses[group["identifier"]]) == ("dev@contoso.com", None)


@pytest.mark.documented("Groups_AddGroupUser, example")
def test_a_person_may_be_named_by_address_alone(driver: Driver) -> None:
    body = {"emailAddress": "dev@contoso.com", "groupUserAccessRight": "Viewer"}
    assert driver.call("POST", USERS, body).status == 200
    assert rights(driver)["dev@contoso.com"] == "Viewer"


@pytest.mark.documented("GroupUser of the contract: the field is groupUserAccessRight")
@pytest.mark.parametrize(
    "change",
    [
        {"groupUserAccessRight": None, "accessRight": "Admin"},
        {"groupUserAccessRight": "None"},
        {"groupUserAccessRight": "Owner"},
        {"principalType": None},
        {"principalType": "Robot"},
        {"identifier": None},
        {"principalType": "User"},
    ],
)
def test_a_grant_with_missing_or_wrong_fields_is_400(driver: Driver, change: dict[str, Any]) -> None:
    reply = driver.call("POST", USERS, {**OPERATOR, **change})
    assert (reply.status, reply.code) == (400, "InvalidRequest")


@pytest.mark.observed("MicrosoftDocs/powerbi-docs#1441")
def test_a_person_without_an_address_is_refused_in_the_services_words(driver: Driver) -> None:
    reply = driver.call("POST", USERS, {"principalType": "User", "groupUserAccessRight": "Viewer"})
    assert reply.message == "Parameter userDetails.UserEmailAddress is missing or invalid"


@pytest.mark.observed("MicrosoftDocs/feedback#3955: object id of the enterprise application, not client id")
@pytest.mark.parametrize("identifier", [APPS["admin"].client_id, GROUPS["sales-analysts"], "stranger"])
def test_an_app_is_known_by_its_service_principals_object_id_only(driver: Driver, identifier: str) -> None:
    assert driver.call("POST", USERS, OPERATOR | {"identifier": identifier}).status == 400


@pytest.mark.assumed("the status for a principal that the directory does not know (unknownPrincipalStatus)")
def test_an_unknown_principal_is_refused_with_the_status_of_the_switch(driver: Driver) -> None:
    driver.switch(unknownPrincipalStatus=404)
    stranger = {"emailAddress": "zoe@contoso.com", "groupUserAccessRight": "Viewer"}
    assert driver.call("POST", USERS, stranger).status == 404


@pytest.mark.observed("six public clients: AddingAlreadyExistsGroupUserNotSupportedError")
def test_adding_one_who_is_there_is_refused_even_with_the_same_right(driver: Driver) -> None:
    driver.call("POST", USERS, OPERATOR)
    reply = driver.call("POST", USERS, OPERATOR)
    assert (reply.status, reply.code) == (400, "AddingAlreadyExistsGroupUserNotSupportedError")
    assert "message" not in reply.body["error"]


@pytest.mark.observed("public clients: PUT for a principal that is not in the workspace is 404")
def test_an_update_changes_the_right_of_one_who_is_there_and_is_404_for_others(driver: Driver) -> None:
    assert driver.call("PUT", USERS, OPERATOR).status == 404
    driver.call("POST", USERS, OPERATOR)
    reply = driver.call("PUT", USERS, OPERATOR | {"groupUserAccessRight": "Viewer"})
    assert (reply.status, reply.body) == (200, None)
    assert rights(driver)[OPERATOR["identifier"]] == "Viewer"


@pytest.mark.documented("Groups_DeleteUserInGroup: by address or object id")
def test_one_is_removed_by_address_or_object_id(driver: Driver) -> None:
    driver.call("POST", USERS, OPERATOR)
    assert driver.call("DELETE", f"{USERS}/{OPERATOR['identifier']}").status == 200
    assert driver.call("DELETE", f"{USERS}/ana%40contoso.com").status == 200
    assert set(rights(driver)) == {APPS["operations"].object_id, APPS["embed"].object_id}
    assert driver.call("DELETE", f"{USERS}/ana@contoso.com").status == 404


@pytest.mark.documented(ROLES)
def test_a_member_grants_up_to_member_and_a_contributor_nothing(driver: Driver) -> None:
    admin = OPERATOR | {"groupUserAccessRight": "Admin"}
    assert driver.call("POST", USERS, admin, who="embed").status == 403
    assert driver.call("POST", USERS, OPERATOR, who="embed").status == 200
    viewer = {"emailAddress": "dev@contoso.com", "groupUserAccessRight": "Viewer"}
    assert [driver.call("POST", USERS, body, who="admin").status for body in (admin, viewer)] == [403, 403]
    assert driver.call("DELETE", f"{USERS}/ana@contoso.com", who="embed").status == 403
    ana = {"emailAddress": "ana@contoso.com", "groupUserAccessRight": "Viewer"}
    assert driver.call("PUT", USERS, ana, who="embed").status == 403


@pytest.mark.documented("Groups_AddGroupUser: newly granted rights show late; Users_RefreshUserPermissions")
def test_a_grant_shows_after_the_lag_or_after_permissions_were_refreshed(driver: Driver) -> None:
    driver.switch(grantLag="PT30M")
    driver.call("POST", USERS, OPERATOR)
    assert driver.call("GET", f"/groups/{SALES}", who="admin").status == 401
    assert driver.call("POST", "/RefreshUserPermissions", who="admin").status == 200
    driver.pass_time(minutes=1)
    assert driver.call("GET", f"/groups/{SALES}", who="admin").status == 401
    driver.pass_time(minutes=1)
    assert driver.call("GET", f"/groups/{SALES}", who="admin").status == 200
    driver.switch(permissionRefreshDelay="PT1H")
    driver.call("POST", USERS, {"emailAddress": "dev@contoso.com", "groupUserAccessRight": "Viewer"})
    driver.pass_time(minutes=30)
    assert driver.call("GET", f"/groups/{SALES}", who="dev").status == 200


@pytest.mark.documented("Users_RefreshUserPermissions: one call per user per hour")
def test_permissions_are_refreshed_once_an_hour_for_each_caller(driver: Driver) -> None:
    assert driver.call("POST", "/RefreshUserPermissions").status == 200
    assert driver.call("POST", "/RefreshUserPermissions", who="embed").status == 200
    driver.pass_time(minutes=20)
    assert driver.call("POST", "/RefreshUserPermissions").headers["Retry-After"] == "2400"
    driver.pass_time(minutes=40)
    assert driver.call("POST", "/RefreshUserPermissions").status == 200


@pytest.mark.documented("GroupUser.profile and Groups_DeleteUserInGroup?profileId=")
def test_a_profile_is_granted_and_removed_beside_its_owner(driver: Driver) -> None:
    made = driver.call("POST", "/profiles", {"displayName": "Customer 7"}).body["id"]
    owner = APPS["operations"].object_id
    grant = {"identifier": owner, "principalType": "App", "groupUserAccessRight": "Viewer", "profile": {"id": made}}
    assert driver.call("POST", USERS, grant).status == 200
    assert driver.call("GET", f"/groups/{SALES}", headers={"x-powerbi-profile-id": made}).status == 200
    assert {"id": made, "displayName": "Customer 7"} in [
        user.get("profile") for user in driver.call("GET", USERS).value
    ]
    assert driver.call("DELETE", f"{USERS}/{owner}", query={"profileId": made}).status == 200
    assert rights(driver)[owner] == "Admin"
    assert driver.call("POST", USERS, grant | {"identifier": APPS["embed"].object_id}).status == 400


def test_the_users_of_a_workspace_without_access_are_not_told(driver: Driver) -> None:
    assert driver.call("GET", f"/groups/{STRANGERS}/users").status == 401
