"""Refreshes over time: history, details, ends of every kind, cancelling. Reading changes nothing."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.emulator.powerbi_driver import (
    CALENDAR_MODEL,
    CAPACITIES,
    SALES_MODEL,
    SALES_REFRESHES,
    SHARED_REFRESHES,
    START,
    Driver,
    Reply,
)

ENHANCED_DOCS = "https://learn.microsoft.com/power-bi/connect-data/asynchronous-refresh"


@pytest.fixture
def driver() -> Driver:
    return Driver()


def begun(driver: Driver, body: Any, **knobs: Any) -> str:
    """Start a refresh after turning the dataset's knobs; gives its id."""
    driver.patch(datasets={SALES_MODEL: knobs})
    reply = driver.call("POST", SALES_REFRESHES, body)
    assert reply.status == 202, reply
    return reply.headers["RequestId"]


def details(driver: Driver, refresh_id: str) -> Reply:
    return driver.call("GET", f"{SALES_REFRESHES}/{refresh_id}")


def newest(driver: Driver, path: str = SALES_REFRESHES) -> dict[str, Any]:
    return driver.call("GET", path, query={"$top": "1"}).value[0]


@pytest.mark.documented("Datasets_GetRefreshHistoryInGroup: Unknown is in progress, without endTime")
def test_a_refresh_is_unknown_until_it_has_taken_its_time(driver: Driver) -> None:
    begun(driver, None, refreshDuration="PT1H")
    driver.pass_time(minutes=59)
    assert newest(driver)["status"] == "Unknown"
    assert "endTime" not in newest(driver)
    driver.pass_time(minutes=1)
    ended = newest(driver)
    assert (ended["status"], ended["endTime"]) == ("Completed", "2026-11-22T13:00:00.000Z")
    assert [(each["attemptId"], each["type"]) for each in ended["refreshAttempts"]] == [(1, "Data"), (1, "Query")]


@pytest.mark.documented("Datasets_GetRefreshHistoryInGroup: serviceExceptionJson is JSON in a string")
def test_a_failure_says_why_in_a_string_of_json(driver: Driver) -> None:
    error = {"code": "ModelRefreshFailed_CredentialsNotSpecified", "description": "No credentials"}
    begun(driver, None, nextOutcome="Failed", nextError=error)
    driver.pass_time(seconds=2)
    entry = newest(driver)
    told = json.loads(entry["serviceExceptionJson"])
    assert (entry["status"], told["errorCode"]) == ("Failed", error["code"])
    assert told["errorDescription"] == "No credentials"
    assert [each["type"] for each in entry["refreshAttempts"]] == ["Data"]


@pytest.mark.documented(ENHANCED_DOCS)
@pytest.mark.parametrize(
    ("outcome", "status", "extended"),
    [
        ("Completed", "Completed", "Completed"),
        ("Failed", "Failed", "Failed"),
        ("TimedOut", "Failed", "TimedOut"),
        ("Disabled", "Disabled", "Disabled"),
        ("Cancelled", "Cancelled", "Cancelled"),
    ],
)
def test_each_end_has_its_words(driver: Driver, outcome: str, status: str, extended: str) -> None:
    refresh_id = begun(driver, {"type": "Full"}, nextOutcome=outcome)
    driver.pass_time(seconds=2)
    shown = details(driver, refresh_id).body
    assert (shown["status"], shown["extendedStatus"]) == (status, extended)
    assert newest(driver)["status"] == status
    assert ("messages" in shown) is (status == "Failed")


def test_an_outcome_asked_for_is_used_once_and_a_list_of_them_in_turn(driver: Driver) -> None:
    driver.patch(datasets={SALES_MODEL: {"nextOutcome": ["Failed", "Failed", "Completed"], "refreshDuration": "PT1S"}})
    seen = []
    for _ in range(4):
        begun(driver, None)
        driver.pass_time(seconds=1)
        seen.append(newest(driver)["status"])
    assert seen == ["Failed", "Failed", "Completed", "Completed"]


@pytest.mark.documented("Datasets_GetRefreshExecutionDetailsInGroup: 202 while it runs, 200 after; times without Z")
def test_details_are_202_until_the_refresh_has_ended(driver: Driver) -> None:
    objects = [{"table": "Sales", "partition": "Sales-2026-11"}, {"table": "Date"}]
    driver.switch(refreshStart="PT1S")
    refresh_id = begun(driver, {"type": "dataOnly", "objects": objects})
    waiting = details(driver, refresh_id)
    assert (waiting.status, waiting.body["status"], waiting.body["extendedStatus"]) == (202, "Unknown", "NotStarted")
    driver.pass_time(seconds=1)
    assert details(driver, refresh_id).body["extendedStatus"] == "InProgress"
    driver.pass_time(seconds=2)
    ended = details(driver, refresh_id)
    assert (ended.status, ended.body["type"], ended.body["numberOfAttempts"]) == (200, "DataOnly", 0)
    assert (ended.body["startTime"], ended.body["endTime"]) == ("2026-11-22T12:00:00.000", "2026-11-22T12:00:03.000")
    assert ended.body["objects"] == [
        {"table": "Sales", "partition": "Sales-2026-11", "status": "Completed"},
        {"table": "Date", "partition": "Date", "status": "Completed"},
    ]


@pytest.mark.documented("Datasets_CancelRefreshInGroup: 200 with an empty body")
def test_a_cancelled_refresh_ends_as_cancelled_and_makes_room(driver: Driver) -> None:
    driver.switch(cancelDuration="PT5S")
    refresh_id = begun(driver, {"type": "Full"}, refreshDuration="PT1H")
    reply = driver.call("DELETE", f"{SALES_REFRESHES}/{refresh_id}")
    assert (reply.status, reply.body) == (200, None)
    assert details(driver, refresh_id).status == 202
    driver.pass_time(seconds=5)
    assert newest(driver)["status"] == "Cancelled"
    assert driver.call("POST", SALES_REFRESHES).status == 202


@pytest.mark.documented(ENHANCED_DOCS)
@pytest.mark.assumed("what details and cancel of another refresh answer (notEnhancedStatus)")
def test_only_an_enhanced_refresh_has_details_and_only_a_running_one_is_cancelled(driver: Driver) -> None:
    standard = begun(driver, None)
    assert details(driver, standard).status == 400
    assert driver.call("DELETE", f"{SALES_REFRESHES}/{standard}").status == 400
    driver.pass_time(seconds=2)
    enhanced = begun(driver, {"type": "Full"})
    driver.pass_time(seconds=2)
    driver.switch(notEnhancedStatus=409)
    assert driver.call("DELETE", f"{SALES_REFRESHES}/{enhanced}").status == 409


@pytest.mark.documented(ENHANCED_DOCS)
def test_a_timeout_per_attempt_and_retries_make_the_whole(driver: Driver) -> None:
    refresh_id = begun(driver, {"timeout": "00:10:00", "retryCount": 2}, refreshDuration="PT1H")
    driver.pass_time(minutes=29)
    assert details(driver, refresh_id).status == 202
    driver.pass_time(minutes=1)
    ended = details(driver, refresh_id).body
    assert (ended["extendedStatus"], len(ended["refreshAttempts"])) == ("TimedOut", 3)


@pytest.mark.documented(
    "https://learn.microsoft.com/power-bi/connect-data/refresh-data: 2 hours on shared, 5 on Premium"
)
def test_a_refresh_that_takes_too_long_fails_at_the_cap_of_its_capacity(driver: Driver) -> None:
    driver.patch(datasets={CALENDAR_MODEL: {"refreshDuration": "PT9H"}, SALES_MODEL: {"refreshDuration": "PT9H"}})
    driver.call("POST", SHARED_REFRESHES)
    driver.call("POST", SALES_REFRESHES)
    driver.pass_time(hours=2)
    assert (newest(driver, SHARED_REFRESHES)["status"], newest(driver)["status"]) == ("Failed", "Unknown")
    driver.pass_time(hours=3)
    assert newest(driver)["status"] == "Failed"


@pytest.mark.documented(ENHANCED_DOCS + ": on a paused capacity it stays in progress up to six hours")
def test_a_refresh_on_a_paused_capacity_goes_on_for_hours_and_times_out(driver: Driver) -> None:
    driver.patch(capacities={CAPACITIES["premium-eu"]: {"state": "Suspended"}})
    begun(driver, None)
    driver.pass_time(hours=5)
    assert newest(driver)["status"] == "Unknown"
    driver.pass_time(hours=1)
    assert newest(driver)["status"] == "Failed"


@pytest.mark.documented("Datasets_RefreshDatasetInGroup, example: accepted, and failed in the details")
def test_a_partial_batch_with_a_refresh_policy_is_accepted_and_fails(driver: Driver) -> None:
    refresh_id = begun(driver, {"commitMode": "partialBatch", "applyRefreshPolicy": True})
    driver.pass_time(seconds=2)
    shown = details(driver, refresh_id).body
    assert shown["extendedStatus"] == "Failed"
    assert "Transactional" in shown["messages"][0]["message"]


@pytest.mark.assumed("what becomes of objects that the model lacks (unknownRefreshObjects)")
@pytest.mark.parametrize("missing", [{"table": "Nothing"}, {"table": "Sales", "partition": "Sales-1999-01"}])
def test_objects_that_the_model_lacks_are_accepted_and_may_fail(driver: Driver, missing: dict[str, str]) -> None:
    begun(driver, {"objects": [missing]})
    driver.pass_time(seconds=2)
    assert newest(driver)["status"] == "Completed"
    driver.switch(unknownRefreshObjects="fail")
    begun(driver, {"objects": [missing]})
    driver.pass_time(seconds=2)
    assert newest(driver)["status"] == "Failed"


@pytest.mark.documented("Datasets_GetRefreshHistoryInGroup: $top; newest first")
def test_the_history_is_newest_first_and_cut_by_top(driver: Driver) -> None:
    ids = []
    for _ in range(3):
        ids.append(begun(driver, None))
        driver.pass_time(seconds=2)
    listed = driver.call("GET", SALES_REFRESHES, query={"$top": "2"}).value
    assert [entry["requestId"] for entry in listed] == [ids[2], ids[1]]
    assert driver.call("GET", SALES_REFRESHES, query={"$top": "0"}).status == 400


@pytest.mark.observed("microsoft/powerbi-powershell#377: some tenants ignore $top (historyIgnoresTop)")
def test_top_may_be_ignored(driver: Driver) -> None:
    for _ in range(3):
        begun(driver, None)
        driver.pass_time(seconds=2)
    driver.switch(historyIgnoresTop=True)
    assert len(driver.call("GET", SALES_REFRESHES, query={"$top": "1"}).value) == 3


@pytest.mark.documented("Datasets_GetRefreshHistoryInGroup: 60 at most, 20 of those older than three days")
def test_old_entries_leave_the_history(driver: Driver) -> None:
    runs = {
        f"00000000-0000-4000-8000-{hours:012d}": {
            "datasetId": SALES_MODEL,
            "started": (START - timedelta(hours=hours)).isoformat(),
        }
        for hours in range(1, 71)
    }
    driver.patch(refreshes=runs)
    assert len(driver.call("GET", SALES_REFRESHES).value) == 60
    driver.pass_time(hours=72)
    assert len(driver.call("GET", SALES_REFRESHES).value) == 20


@pytest.mark.assumed("whether a new refresh shows in the history at once (historyLag)")
def test_a_refresh_may_show_late_in_the_history_and_still_be_in_the_way(driver: Driver) -> None:
    driver.switch(historyLag="PT1M")
    begun(driver, None, refreshDuration="PT10M")
    assert driver.call("GET", SALES_REFRESHES).value == []
    assert driver.call("POST", SALES_REFRESHES).status == 400
    driver.pass_time(minutes=1)
    assert len(driver.call("GET", SALES_REFRESHES).value) == 1


def test_reading_changes_nothing(driver: Driver) -> None:
    refresh_id = begun(driver, {"type": "Full"})
    driver.pass_time(seconds=5)
    before = driver.service.state()
    details(driver, refresh_id)
    newest(driver)
    assert driver.service.state() == before
    assert before["refreshes"][refresh_id]["status"] == "Completed"
