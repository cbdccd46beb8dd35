"""The control API's door to Power BI: state, merge patch, switches, reset."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from emulator import seed
from emulator.powerbi.state import MAPS
from emulator.powerbi.switches import SWITCHES
from tests.emulator.powerbi_driver import DATASETS, REPORTS, SALES, SALES_MODEL, WORKSPACES, Driver


@pytest.fixture
def driver() -> Driver:
    return Driver()


def test_the_state_is_maps_keyed_by_id_and_the_switches(driver: Driver) -> None:
    state = driver.service.state()
    assert set(state) == {*MAPS, "switches"}
    assert set(state["workspaces"]) == set(WORKSPACES.values())
    assert set(state["datasets"]) == set(DATASETS.values())
    assert set(state["reports"]) == set(REPORTS.values())
    assert {key: record["id"] for name in MAPS for key, record in state[name].items()} == {
        key: key for name in MAPS for key in state[name]
    }


def test_ids_in_a_patch_are_found_whatever_their_case(driver: Driver) -> None:
    driver.patch(
        reports={"ABC": {"name": "New", "workspaceId": SALES.upper(), "datasetId": SALES_MODEL.upper()}},
        workspaces={SALES.upper(): {"members": {"Dev@Contoso.com": {"right": "Member"}}}},
        refreshes={"DEF": {"datasetId": SALES_MODEL.upper(), "started": "2026-11-22T11:00:00"}},
        datasets={SALES_MODEL.upper(): {"owner": "Dev@Contoso.com"}},
    )
    token = {"reports": [{"id": "ABC"}]}
    assert driver.call("POST", "/GenerateToken", token, who="dev").status == 200
    refreshes = driver.call("GET", f"/groups/{SALES}/datasets/{SALES_MODEL}/refreshes", who="dev").value
    assert [entry["requestId"] for entry in refreshes] == ["def"]
    schedule = {"value": {"days": ["Monday"]}}
    path = f"/groups/{SALES}/datasets/{SALES_MODEL}/refreshSchedule"
    assert driver.call("PATCH", path, schedule, who="dev").status == 200


def test_the_state_is_a_copy(driver: Driver) -> None:
    driver.service.state()["workspaces"].clear()
    assert driver.call("GET", f"/groups/{SALES}").status == 200


def test_an_empty_organisation_has_principals_and_capacities_only(driver: Driver) -> None:
    driver.switch(dailyRefreshLimit=1)
    driver.service.reset("empty")
    state = driver.service.state()
    assert [state[name] for name in ("workspaces", "datasets", "reports", "refreshes", "embedTokens")] == [{}] * 5
    assert len(state["capacities"]) == len(seed.CAPACITIES)
    assert state["switches"]["dailyRefreshLimit"] == 8
    assert driver.new_workspace("Sales Analytics")


def test_a_patch_merges_adds_and_removes(driver: Driver) -> None:
    new = "f6000000-0000-4000-8000-0000000000AA"
    driver.patch(
        reports={new: {"name": "New", "workspaceId": SALES}, REPORTS["Invoice"]: None},
        datasets={SALES_MODEL: {"roles": ["Customer"], "refreshDuration": "PT9S"}},
    )
    shown = {report["id"]: report["reportType"] for report in driver.call("GET", f"/groups/{SALES}/reports").value}
    assert shown[new.lower()] == "PaginatedReport"
    assert REPORTS["Invoice"] not in shown
    dataset = driver.service.state()["datasets"][SALES_MODEL]
    assert (dataset["roles"], dataset["name"]) == (["Customer"], "Sales")


@pytest.mark.parametrize(
    ("patch", "named"),
    [
        ({"workspace": {}}, "workspace"),
        ({"switches": {"noSuchSwitch": 1}}, "noSuchSwitch"),
        ({"switches": {"dailyRefreshLimit": "8"}}, "dailyRefreshLimit"),
        ({"switches": {"dailyRefreshLimit": True}}, "dailyRefreshLimit"),
        ({"switches": {"noWorkspaceAccess": "418"}}, "noWorkspaceAccess"),
        ({"switches": {"grantLag": "soon"}}, "soon"),
        ({"switches": {"dailyLimitStatus": 418}}, "dailyLimitStatus"),
        ({"switches": []}, "switches"),
        ({"datasets": []}, "datasets"),
        ({"datasets": {SALES_MODEL: "x"}}, SALES_MODEL),
        ({"datasets": {SALES_MODEL: {"refreshDuration": "2 seconds"}}}, "2 seconds"),
        ({"datasets": {SALES_MODEL: {"nextOutcome": "Succeeded"}}}, "nextOutcome"),
        ({"datasets": {SALES_MODEL: {"nextOutcome": ["Failed", "x"]}}}, "nextOutcome"),
        ({"workspaces": {SALES: {"members": {"dev@contoso.com": {"right": "Owner"}}}}}, SALES),
        ({"refreshes": {"x": {"datasetId": SALES_MODEL, "started": "yesterday"}}}, "yesterday"),
    ],
)
def test_a_patch_that_makes_no_sense_is_refused_by_name_and_changes_nothing(
    driver: Driver, patch: dict[str, Any], named: str
) -> None:
    before = driver.service.state()
    with pytest.raises(ValueError, match=re.escape(named)):
        driver.service.merge({"reports": {REPORTS["Invoice"]: None}, **patch})
    assert driver.service.state() == before


def test_null_gives_a_switch_its_default_back(driver: Driver) -> None:
    driver.switch(dailyRefreshLimit=1, rateLimits={"GET /groups": [{"calls": 0, "seconds": 5}]})
    assert driver.call("GET", "/groups").status == 429
    driver.switch(dailyRefreshLimit=None, rateLimits={"GET /groups": None})
    assert driver.call("GET", "/groups").status == 200
    assert driver.service.state()["switches"]["dailyRefreshLimit"] == 8


def test_every_switch_says_what_it_does_and_is_used() -> None:
    code = "".join(
        path.read_text(encoding="utf-8")
        for path in (Path(__file__).parents[2] / "emulator" / "powerbi").glob("*.py")
        if path.name != "switches.py"
    )
    assert [name for name, switch in SWITCHES.items() if f'"{name}"' not in code or len(switch.meaning) < 20] == []


def test_every_switch_has_a_test_that_turns_it() -> None:
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_powerbi_*.py"))
    assert [name for name in SWITCHES if f"{name}=" not in tests] == []
