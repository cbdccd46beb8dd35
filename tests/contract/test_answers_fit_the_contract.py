"""What the emulator answers, Microsoft's contract declares; and the checks that say so can say no."""

from __future__ import annotations

import json
from copy import deepcopy
from functools import partial
from typing import Any

import pytest

from emulator.http import Answer, Call, Router
from emulator.powerbi.operation import BASE
from emulator.powerbi.service import OPERATIONS
from tests.contract import facts, tour
from tests.contract.checks import Rules, check_answer, check_request, check_requests, overlay
from tests.emulator.powerbi_driver import MARGIN_MODEL, MARGIN_REPORT, SALES, SALES_REFRESHES, Driver

REPORT = f"/groups/{SALES}/reports/{MARGIN_REPORT}"


@pytest.fixture(scope="module")
def driver() -> Driver:
    return tour.taken()


def name_of(call: Call) -> str:
    """The operation that a call meant."""
    router = Router()
    for operation in OPERATIONS:
        router.add(operation.method, BASE + operation.path, partial(Answer, 200, operation.name.encode()))
    handler = router.find(call)
    assert isinstance(handler, partial)
    return str(handler.args[1].decode())


def faults_of(driver: Driver, rules: Rules) -> list[str]:
    faults = []
    for call, body, reply in driver.exchanges:
        found = rules.request(call.method, call.path, call.query, body)
        found += rules.answer(call.method, call.path, reply.status, reply.body)
        faults += [f"{call.method} {call.path}: {fault}" for fault in found]
    return faults


def test_every_request_of_the_tour_succeeds_and_ignores_nothing(driver: Driver) -> None:
    refused = [(call.method, call.path, reply) for call, _, reply in driver.exchanges if reply.status >= 300]
    noted = [reply.notes for _, _, reply in driver.exchanges if reply.notes]
    assert (refused, noted) == ([], [])


def test_every_operation_is_on_the_tour(driver: Driver) -> None:
    visited = {name_of(call) for call, _, _ in driver.exchanges}
    assert visited == {operation.name for operation in OPERATIONS}


def test_every_request_and_answer_of_the_tour_fits_the_contract(driver: Driver) -> None:
    assert faults_of(driver, Rules(overlay())) == []


@pytest.mark.parametrize("left_out", range(len(overlay())), ids=lambda at: f"{at}-{overlay()[at]['definition']}")
def test_every_entry_of_the_overlay_is_needed(driver: Driver, left_out: int) -> None:
    entries = [entry for at, entry in enumerate(overlay()) if at != left_out]
    assert faults_of(driver, Rules(entries)) != []


def test_every_entry_of_the_overlay_says_where_it_is_from() -> None:
    assert [entry for entry in overlay() if len(entry.get("source", "")) < 40] == []


def test_the_committed_facts_are_those_of_the_contract() -> None:
    contract = facts.contract_file()
    if not contract.is_file():
        pytest.skip("the contract is not beside this project; the committed table of facts stands")
    derived = facts.derive(json.loads(contract.read_text(encoding="utf-8")))
    assert facts.FACTS.read_text(encoding="utf-8") == facts.written(derived)


GOOD_REPORT = {"id": MARGIN_REPORT, "name": "Margin", "reportType": "PowerBIReport", "datasetId": MARGIN_MODEL}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"reportID": "x"}, "body has an undeclared field reportID"),
        ({"id": None}, "body.id is not of type string"),
        ({"id": "margin"}, "body.id is not of format uuid"),
        ({"isOwnedByMe": 1}, "body.isOwnedByMe is not of type boolean"),
        ({"reportType": "Other"}, "body.reportType is none of PaginatedReport, PowerBIReport"),
        ({"users": {}}, "body.users is not a list"),
    ],
)
def test_an_answer_that_strays_from_the_contract_is_found_out(change: dict[str, Any], fault: str) -> None:
    assert check_answer("GET", REPORT, 200, GOOD_REPORT) == []
    assert check_answer("GET", REPORT, 200, GOOD_REPORT | change) == [fault]


def test_an_answer_with_an_undeclared_status_or_body_is_found_out() -> None:
    assert check_answer("GET", REPORT, 204, None) == ["status 204 is not declared"]
    assert check_answer("POST", SALES_REFRESHES, 202, {"requestId": "x"}) == ["a body where none is declared"]
    assert check_answer("GET", REPORT, 200, {"name": "x"}) == ["body lacks id"]


TOKEN = {"reports": [{"id": MARGIN_REPORT}], "datasets": [{"id": MARGIN_MODEL, "xmlaPermissions": "Off"}]}


@pytest.mark.parametrize(
    ("path", "change", "fault"),
    [
        (["accessLevel"], "View", "body has an undeclared field accessLevel"),
        (["reports", 0, "allowSaveAs"], True, "body.reports[0] has an undeclared field allowSaveAs"),
        (["reports", 0, "id"], "margin", "body.reports[0].id is not of format uuid"),
        (["datasets", 0, "xmlaPermissions"], "readOnly", "body.datasets[0].xmlaPermissions is none of Off, ReadOnly"),
        (["lifetimeInMinutes"], True, "body.lifetimeInMinutes is not of type integer"),
        (["lifetimeInMinutes"], "60", "body.lifetimeInMinutes is not of type integer"),
    ],
)
def test_a_request_that_strays_from_the_contract_is_found_out(path: list[Any], change: Any, fault: str) -> None:
    body: Any = deepcopy(TOKEN)
    assert check_request("POST", BASE + "/GenerateToken", {}, body) == []
    place = body
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = change
    assert check_request("POST", "/GenerateToken", {}, body) == [fault]


def test_a_request_for_what_the_contract_lacks_is_found_out() -> None:
    assert check_request("GET", "/groups", {"top": "5"}) == ["query parameter top is not declared"]
    assert check_request("GET", "/admin/groups", {}) == ["query parameter $top is missing"]
    assert check_request("GET", "/admin/groups", {"$top": "5001"}) == ["$top is out of bounds"]
    assert check_request("GET", "/groups", {"$top": "all"}) == ["$top is not a whole number"]
    assert check_request("GET", "/groups/sales", {}) == ["groupId is not of format uuid"]
    assert check_request("POST", "/groups", {}) == ["the body is missing"]
    assert check_request("GET", "/tables", {}) == ["the contract, as far as it is in use, has no GET /tables"]


def test_a_list_of_requests_is_checked_as_far_as_it_went_to_power_bi() -> None:
    entry = {"seq": 7, "host": "api.powerbi.com", "method": "POST", "path": BASE + "/GenerateToken", "query": {}}
    elsewhere = entry | {"host": "login.microsoftonline.com", "body": {"accessLevel": "View"}}
    assert check_requests([entry | {"body": TOKEN}, elsewhere]) == []
    (fault,) = check_requests([entry | {"body": {"accessLevel": "View"}}])
    assert fault == "request 7, POST /v1.0/myorg/GenerateToken: body has an undeclared field accessLevel"


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"code": "TooManyRequests"}},
        {"error": {"code": "InvalidRequest", "message": "x", "details": []}},
        {"errors": []},
        {"message": "x", "code": 1},
    ],
)
def test_an_error_in_a_shape_that_is_not_on_record_is_found_out(body: dict[str, Any]) -> None:
    assert check_answer("GET", REPORT, 400, body) == ["an unknown error shape"]
