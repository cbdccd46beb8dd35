"""Capacities, and workspaces on their way to them."""

from __future__ import annotations

import pytest

from tests.emulator.powerbi_driver import CAPACITIES, REFERENCE, SALES, Driver

PREMIUM = CAPACITIES["premium-eu"]
ASSIGN, STATUS = f"/groups/{REFERENCE}/AssignToCapacity", f"/groups/{REFERENCE}/CapacityAssignmentStatus"
NOWHERE = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def driver() -> Driver:
    return Driver()


def status(driver: Driver) -> str:
    return str(driver.call("GET", STATUS).body["status"])


@pytest.mark.documented("Capacities_GetCapacities: those on which the caller has a right")
def test_a_caller_sees_the_capacities_on_which_it_has_a_right(driver: Driver) -> None:
    shown = driver.call("GET", "/capacities").value
    assert [(each["displayName"], each["capacityUserAccessRight"]) for each in shown] == [
        ("premium-eu", "Assign"),
        ("embedded-eu", "Assign"),
    ]
    assert driver.call("GET", "/capacities", who="embed").value == []
    driver.patch(capacities={PREMIUM: {"rights": {"ana@contoso.com": "Admin"}}})
    (own,) = driver.call("GET", "/capacities", who="ana").value
    assert (own["capacityUserAccessRight"], own["admins"]) == ("Admin", ["ana@contoso.com"])


@pytest.mark.documented("Groups_AssignToCapacity and Groups_CapacityAssignmentStatus")
@pytest.mark.assumed("how long it takes (capacityPending, capacityAssignment)")
def test_an_assignment_is_accepted_at_once_and_done_a_while_later(driver: Driver) -> None:
    driver.switch(capacityPending="PT10S", capacityAssignment="PT1M")
    reply = driver.call("POST", ASSIGN, {"capacityId": PREMIUM})
    assert (reply.status, reply.body) == (200, None)
    assert status(driver) == "Pending"
    driver.pass_time(seconds=10)
    assert status(driver) == "InProgress"
    assert driver.call("GET", f"/groups/{REFERENCE}").body["isOnDedicatedCapacity"] is False
    driver.pass_time(seconds=50)
    shown = driver.call("GET", STATUS).body
    assert (shown["status"], shown["capacityId"]) == ("CompletedSuccessfully", PREMIUM)
    assert shown["endTime"] == "2026-11-22T12:01:00.000Z"
    assert driver.call("GET", f"/groups/{REFERENCE}").body["capacityId"] == PREMIUM.upper()


@pytest.mark.documented("Groups_AssignToCapacity: the all-zero id takes the workspace off")
def test_the_all_zero_id_takes_a_workspace_off_its_capacity(driver: Driver) -> None:
    assert driver.call("POST", f"/groups/{SALES}/AssignToCapacity", {"capacityId": NOWHERE}).status == 200
    assert driver.call("GET", f"/groups/{SALES}").body["isOnDedicatedCapacity"] is True
    driver.pass_time(seconds=2)
    assert driver.call("GET", f"/groups/{SALES}").body["isOnDedicatedCapacity"] is False


@pytest.mark.documented("WorkspaceCapacityAssignmentStatus: AssignmentFailed")
def test_an_assignment_fails_once_if_the_test_says_so_and_always_to_a_capacity_that_is_not_active(
    driver: Driver,
) -> None:
    driver.patch(capacities={PREMIUM: {"nextAssignment": "AssignmentFailed"}})
    for state, expected in (("Active", "AssignmentFailed"), ("Suspended", "AssignmentFailed")):
        driver.patch(capacities={PREMIUM: {"state": state}})
        driver.call("POST", ASSIGN, {"capacityId": PREMIUM})
        driver.pass_time(seconds=2)
        assert status(driver) == expected
        assert driver.call("GET", f"/groups/{REFERENCE}").body["isOnDedicatedCapacity"] is False
    driver.patch(capacities={PREMIUM: {"state": "Active"}})
    driver.call("POST", ASSIGN, {"capacityId": PREMIUM})
    driver.pass_time(seconds=2)
    assert status(driver) == "CompletedSuccessfully"


@pytest.mark.assumed("what AssignToCapacity answers without a right on the capacity (capacityWithoutRightStatus)")
def test_a_right_on_the_capacity_is_needed(driver: Driver) -> None:
    assert driver.call("POST", ASSIGN, {"capacityId": PREMIUM}, who="ana").status == 401
    driver.switch(capacityWithoutRightStatus=403)
    assert driver.call("POST", ASSIGN, {"capacityId": PREMIUM}, who="ana").status == 403


@pytest.mark.documented("Groups_AssignToCapacity: the caller administers the workspace")
def test_only_admins_of_the_workspace_move_it(driver: Driver) -> None:
    assert driver.call("POST", ASSIGN, {"capacityId": PREMIUM}, who="embed").status == 403


def test_what_a_test_changes_afterwards_counts(driver: Driver) -> None:
    driver.call("POST", ASSIGN, {"capacityId": PREMIUM})
    driver.pass_time(seconds=2)
    driver.patch(workspaces={REFERENCE: {"capacityId": None}})
    assert driver.call("GET", f"/groups/{REFERENCE}").body["isOnDedicatedCapacity"] is False


@pytest.mark.assumed("the status of a workspace that was never assigned is not documented; not switchable")
def test_a_workspace_that_was_never_moved_counts_as_done(driver: Driver) -> None:
    assert driver.call("GET", STATUS).body["status"] == "CompletedSuccessfully"
