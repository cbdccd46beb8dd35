"""The refresh schedule: what may be written to it, and by whom."""

from __future__ import annotations

from typing import Any

import pytest

from tests.emulator.powerbi_driver import CALENDAR_MODEL, REFERENCE, SALES, SALES_MODEL, Driver

SCHEDULE = f"/groups/{SALES}/datasets/{SALES_MODEL}/refreshSchedule"
SHARED_SCHEDULE = f"/groups/{REFERENCE}/datasets/{CALENDAR_MODEL}/refreshSchedule"
WEEKLY: dict[str, Any] = {
    "days": ["Monday", "Friday"],
    "times": ["07:00", "19:30"],
    "enabled": True,
    "localTimeZoneId": "UTC",
}


@pytest.fixture
def driver() -> Driver:
    return Driver()


def put(driver: Driver, who: str = "operations", path: str = SCHEDULE, **value: Any) -> int:
    return driver.call("PATCH", path, {"value": value}, who=who).status


@pytest.mark.documented("Datasets_UpdateRefreshScheduleInGroup: wrapped in value; read back not wrapped")
def test_a_schedule_is_written_wrapped_and_read_bare(driver: Driver) -> None:
    assert driver.call("GET", SCHEDULE).body["enabled"] is False
    reply = driver.call("PATCH", SCHEDULE, {"value": WEEKLY})
    assert (reply.status, reply.body) == (200, None)
    shown = driver.call("GET", SCHEDULE).body
    assert WEEKLY.items() <= shown.items()
    assert shown["notifyOption"] == "NoNotification"


@pytest.mark.documented("Datasets_UpdateRefreshScheduleInGroup: the caller must be the dataset owner")
def test_only_the_owner_changes_the_schedule(driver: Driver) -> None:
    assert put(driver, "ana", **WEEKLY) == 403
    driver.patch(datasets={SALES_MODEL: {"owner": "ana@contoso.com"}})
    assert put(driver, "ana", **WEEKLY) == 200
    assert put(driver, **WEEKLY) == 403


@pytest.mark.documented("Datasets_UpdateRefreshScheduleInGroup: a request that disables contains no other changes")
def test_a_schedule_is_disabled_by_a_request_of_its_own(driver: Driver) -> None:
    put(driver, **WEEKLY)
    assert put(driver, enabled=False, times=["07:00"]) == 400
    assert put(driver, enabled=False) == 200
    assert driver.call("GET", SCHEDULE).body["enabled"] is False


@pytest.mark.documented("Datasets_UpdateRefreshScheduleInGroup: at least one day; without times the service picks one")
def test_days_are_needed_and_times_are_not(driver: Driver) -> None:
    assert put(driver, enabled=True) == 400
    assert put(driver, days=[]) == 400
    assert put(driver, days=["Monday"], times=[]) == 200
    assert len(driver.call("GET", SCHEDULE).body["times"]) == 1


@pytest.mark.documented(
    "https://learn.microsoft.com/power-bi/connect-data/refresh-data: 8 slots on shared, 48 on Premium"
)
def test_the_number_of_slots_follows_the_capacity(driver: Driver) -> None:
    nine = [f"{hour:02d}:00" for hour in range(9)]
    assert put(driver, path=SHARED_SCHEDULE, days=["Monday"], times=nine) == 400
    assert put(driver, path=SHARED_SCHEDULE, days=["Monday"], times=nine[1:]) == 200
    assert put(driver, days=["Monday"], times=nine) == 200


@pytest.mark.documented("RefreshSchedule.times of the contract: minutes are 00 or 30")
@pytest.mark.parametrize("time", ["7:00", "24:00", "07:60", "seven"])
def test_a_time_is_an_hour_and_a_half_or_a_whole(driver: Driver, time: str) -> None:
    assert put(driver, days=["Monday"], times=[time]) == 400
    assert put(driver, days=["Monday"], times=["07:15"]) == 400
    driver.switch(scheduleTimes="any")
    assert put(driver, days=["Monday"], times=["07:15"]) == 200
    assert put(driver, days=["Monday"], times=[time]) == 400


@pytest.mark.observed("public clients: text of the refusal of MailOnFailure by a service principal")
def test_a_service_principal_can_not_ask_for_mail(driver: Driver) -> None:
    reply = driver.call("PATCH", SCHEDULE, {"value": WEEKLY | {"notifyOption": "MailOnFailure"}})
    assert reply.message == "Invalid NotifyOption value 'MailOnFailure' for app only owner requests"


@pytest.mark.parametrize("body", [{}, {"value": {}}, WEEKLY, {"value": {"days": ["Funday"]}}])
def test_what_is_no_schedule_is_400(driver: Driver, body: Any) -> None:
    assert driver.call("PATCH", SCHEDULE, body).status == 400
