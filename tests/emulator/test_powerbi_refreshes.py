"""Starting refreshes: standard and enhanced, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.emulator.powerbi_driver import (
    CALENDAR_MODEL,
    REFERENCE,
    SALES_MODEL,
    SALES_REFRESHES,
    SHARED_REFRESHES,
    Driver,
    Reply,
)

ENHANCED_DOCS = "https://learn.microsoft.com/power-bi/connect-data/asynchronous-refresh"
FULL = {"type": "full"}


@pytest.fixture
def driver() -> Driver:
    return Driver()


def outcome(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.message


def history(driver: Driver, path: str = SALES_REFRESHES, **query: str) -> list[dict[str, Any]]:
    return driver.call("GET", path, query={f"${name}": value for name, value in query.items()}).value


@pytest.mark.documented("Datasets_RefreshDatasetInGroup: 202 with an empty body")
@pytest.mark.parametrize("body", [None, {}, {"notifyOption": "NoNotification"}])
def test_a_standard_refresh_is_accepted_and_found_by_its_request_id(driver: Driver, body: Any) -> None:
    reply = driver.call("POST", SALES_REFRESHES, body)
    assert (reply.status, reply.body) == (202, None)
    assert "x-ms-request-id" not in reply.headers
    assert "Location" not in reply.headers
    (entry,) = history(driver)
    assert entry == {
        "requestId": reply.headers["RequestId"],
        "refreshType": "ViaApi",
        "startTime": "2026-11-22T12:00:00.000Z",
        "status": "Unknown",
    }


@pytest.mark.documented("Datasets_RefreshDatasetInGroup: x-ms-request-id and Location of an enhanced refresh")
def test_an_enhanced_refresh_is_told_where_it_is_found(driver: Driver) -> None:
    reply = driver.call("POST", SALES_REFRESHES, FULL)
    refresh_id = reply.headers["x-ms-request-id"]
    assert (reply.status, reply.body, reply.headers["RequestId"]) == (202, None, refresh_id)
    assert reply.headers["Location"] == f"https://api.powerbi.com/v1.0/myorg{SALES_REFRESHES}/{refresh_id}"
    (entry,) = history(driver)
    assert (entry["refreshType"], entry["extendedStatus"]) == ("ViaEnhancedApi", "InProgress")


@pytest.mark.documented("Datasets_RefreshDatasetInGroup: any field beyond notifyOption makes it an enhanced one")
@pytest.mark.parametrize(
    ("body", "enhanced"),
    [
        ({"notifyOption": "NoNotification"}, False),
        ({"retryCount": 0}, True),
        ({"applyRefreshPolicy": False}, True),
        ({"madeUp": 1}, False),
    ],
)
def test_which_refresh_it_is_follows_from_the_declared_fields(driver: Driver, body: Any, enhanced: bool) -> None:
    assert ("Location" in driver.call("POST", SALES_REFRESHES, body).headers) is enhanced


@pytest.mark.documented(ENHANCED_DOCS)
@pytest.mark.parametrize("body", [None, FULL])
def test_a_second_refresh_while_one_runs_is_400(driver: Driver, body: Any) -> None:
    driver.call("POST", SALES_REFRESHES)
    reply = driver.call("POST", SALES_REFRESHES, body)
    message = "Invalid dataset refresh request. Another refresh request is already executing"
    assert reply.body == {"error": {"code": "InvalidRequest", "message": message}}
    assert reply.status == 400
    driver.pass_time(seconds=2)
    assert driver.call("POST", SALES_REFRESHES, body).status == 202
    assert len(history(driver)) == 2


@pytest.mark.documented("Datasets_RefreshDatasetInGroup: eight a day on shared capacity, scheduled and API combined")
@pytest.mark.assumed("the status, and which day it is (dailyLimitStatus, dailyLimitWindow)")
def test_the_ninth_refresh_within_a_day_on_shared_capacity_is_refused(driver: Driver) -> None:
    scheduled = {"datasetId": CALENDAR_MODEL, "refreshType": "Scheduled", "started": "2026-11-22T11:00:00Z"}
    portal = {"datasetId": CALENDAR_MODEL, "refreshType": "OnDemand", "started": "2026-11-22T11:30:00Z"}
    driver.patch(refreshes={"11110000-0000-4000-8000-000000000001": scheduled, "aaaa": portal})
    for _ in range(7):
        assert driver.call("POST", SHARED_REFRESHES).status == 202
        driver.pass_time(minutes=10)
    message = "Invalid dataset refresh request. Number of refresh requests in last 24 hours exceeded limit"
    assert outcome(driver.call("POST", SHARED_REFRESHES)) == (400, message)
    driver.switch(dailyLimitStatus=429)
    assert driver.call("POST", SHARED_REFRESHES).status == 429
    driver.switch(dailyLimitWindow="day")
    driver.pass_time(hours=11)
    assert driver.call("POST", SHARED_REFRESHES).status == 202
    driver.switch(dailyLimitWindow="rolling")
    driver.pass_time(hours=12)
    assert driver.call("POST", SHARED_REFRESHES).status == 202


@pytest.mark.documented("Datasets_RefreshDatasetInGroup: no count limit on Premium")
def test_there_is_no_daily_limit_on_a_capacity(driver: Driver) -> None:
    for _ in range(9):
        assert driver.call("POST", SALES_REFRESHES).status == 202
        driver.pass_time(seconds=2)


@pytest.mark.documented(ENHANCED_DOCS)
@pytest.mark.assumed("the status of an enhanced refresh on shared capacity (enhancedOnSharedStatus)")
def test_an_enhanced_refresh_needs_a_capacity(driver: Driver) -> None:
    assert driver.call("POST", SHARED_REFRESHES, FULL).status == 400
    driver.switch(enhancedOnSharedStatus=403)
    assert driver.call("POST", SHARED_REFRESHES, FULL).status == 403
    assert history(driver, SHARED_REFRESHES) == []


@pytest.mark.documented(
    "Datasets_RefreshDatasetInGroup: notifyOption is left out of an enhanced refresh, contrary to an example"
)
def test_an_enhanced_refresh_takes_no_notify_option(driver: Driver) -> None:
    both = {"notifyOption": "NoNotification", "retryCount": 3}
    assert driver.call("POST", SALES_REFRESHES, both).status == 400
    driver.switch(notifyOptionWithEnhanced="ignore")
    assert driver.call("POST", SALES_REFRESHES, both).status == 202


@pytest.mark.assumed("what becomes of a mail that a service principal asks for (mailByServicePrincipal)")
def test_a_service_principal_can_not_ask_for_mail_but_a_person_can(driver: Driver) -> None:
    mail = {"notifyOption": "MailOnFailure"}
    message = "Invalid NotifyOption value 'MailOnFailure' for app only owner requests"
    assert outcome(driver.call("POST", SALES_REFRESHES, mail)) == (400, message)
    assert driver.call("POST", SALES_REFRESHES, mail, who="ana").status == 202
    driver.pass_time(seconds=2)
    driver.switch(mailByServicePrincipal="ignore")
    assert driver.call("POST", SALES_REFRESHES, mail).status == 202


@pytest.mark.documented(ENHANCED_DOCS)
@pytest.mark.parametrize(
    "body",
    [
        {"type": "add"},
        {"commitMode": "sometimes"},
        {"objects": [{"partition": "p"}]},
        {"objects": "Sales"},
        {"timeout": "PT5H"},
        {"maxParallelism": 0},
        {"retryCount": -1},
        {"retryCount": "3"},
        {"effectiveDate": "yesterday"},
    ],
)
def test_an_enhanced_refresh_with_wrong_values_is_400(driver: Driver, body: Any) -> None:
    assert driver.call("POST", SALES_REFRESHES, body).status == 400
    assert history(driver) == []


@pytest.mark.observed("four public clients: 415 for a dataset that is no model")
def test_a_push_dataset_has_no_refreshes(driver: Driver) -> None:
    driver.patch(datasets={SALES_MODEL: {"mode": "Push"}})
    message = "Invalid dataset. This API can only be called on a Model-based dataset"
    for method in ("GET", "POST"):
        assert outcome(driver.call(method, SALES_REFRESHES)) == (415, message)


@pytest.mark.observed("microsoft/PowerBI-CSharp#120")
def test_a_model_without_data_of_its_own_is_not_refreshed(driver: Driver) -> None:
    driver.patch(datasets={SALES_MODEL: {"mode": "DirectQuery"}})
    assert driver.call("POST", SALES_REFRESHES).status == 400


@pytest.mark.documented(ENHANCED_DOCS + ": of a burst one runs, one waits, the rest are dropped (refreshWhileRunning)")
def test_refreshes_may_wait_or_get_lost_behind_one_that_runs(driver: Driver) -> None:
    driver.switch(refreshWhileRunning="queue")
    first, second, third = (driver.call("POST", SALES_REFRESHES) for _ in range(3))
    assert {first.status, second.status, third.status} == {202}
    assert [entry["requestId"] for entry in history(driver)] == [first.headers["RequestId"]]
    driver.pass_time(seconds=3)
    ids = [entry["requestId"] for entry in history(driver)]
    assert ids == [second.headers["RequestId"], first.headers["RequestId"]]
    assert history(driver)[0]["startTime"] == "2026-11-22T12:00:02.000Z"
    driver.switch(refreshWhileRunning="drop")
    assert driver.call("POST", SALES_REFRESHES).status == 202
    assert len(history(driver)) == 2


@pytest.mark.documented(ENHANCED_DOCS)
def test_somebody_else_refreshes_from_the_portal(driver: Driver) -> None:
    request_id = driver.service.somebody_else_refreshes(REFERENCE, CALENDAR_MODEL)
    (entry,) = history(driver, SHARED_REFRESHES)
    assert (entry["requestId"], entry["refreshType"], entry["status"]) == (request_id, "OnDemand", "Unknown")
    assert driver.call("POST", SHARED_REFRESHES).status == 400
    with pytest.raises(ValueError, match="already executing"):
        driver.service.somebody_else_refreshes(REFERENCE, CALENDAR_MODEL)
    with pytest.raises(LookupError):
        driver.service.somebody_else_refreshes(REFERENCE, SALES_MODEL)
