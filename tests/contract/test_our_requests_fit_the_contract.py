"""What we send, Power BI accepts: each function of our client is driven over HTTP, and strictly checked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from emulator.powerbi.operation import BASE
from shared.powerbi import groups
from shared.powerbi.guardrails import Guard
from shared.powerbi.transport import Answer, Transport
from shared.settings import Settings
from shared.times import utc_now
from shared.wiring import Services
from tests.cloud import Cloud
from tests.contract import coverage
from tests.contract.checks import check_answer, check_request, check_requests
from tests.contract.client_drivers import DRIVERS, SALES, World
from tests.contract.coverage import Exchange


class _TouchesEverything:
    """A policy that lets the client send whatever it can send."""

    mode: Literal["act", "observe"] = "act"

    def touches_workspace(self, workspace_id: str, name: str) -> bool:
        return True

    def touches_capacity(self, capacity_id: str) -> bool:
        return True


class _Recorder(Transport):
    """Sends as it is told, and keeps what was sent and answered."""

    function = ""
    exchanges: list[Exchange]

    def call(self, operation: str, method: str, path: str, **how: Any) -> Answer:
        answer = super().call(operation, method, path, **how)
        faults = check_request(method, path, how.get("query") or {}, how.get("json"))
        wrong = check_answer(method, path, answer.status, answer.json())
        self.exchanges.append(
            Exchange(self.function, operation, method, BASE + path, answer.status, tuple(faults), tuple(wrong))
        )
        return answer


@dataclass(frozen=True)
class Driven:
    """All functions of the client have been driven."""

    exchanges: list[Exchange]
    requests: list[dict[str, Any]]
    """As the emulator saw them, those of the preparations included."""
    failures: dict[str, Exception]
    """By function: its driver broke off."""


@pytest.fixture(scope="module")
def driven(emulated: Cloud) -> Iterator[Driven]:
    """Once for the module, as all tests here only read what happened."""
    emulated.reset()
    settings = Settings.from_env(os.environ)
    tokens, guard = Services(settings).tokens, Guard(_TouchesEverything)
    recorder = _Recorder(settings.cloud, tokens, utc_now, guard)
    recorder.exchanges = []
    world = World(recorder, Transport(settings.cloud, tokens, utc_now, guard))
    failures = {name: error for name in coverage.client_functions() if (error := _drive(name, recorder, world))}
    yield Driven(recorder.exchanges, emulated.control("GET", "requests")["value"], failures)
    emulated.reset()


def _drive(name: str, recorder: _Recorder, world: World) -> Exception | None:
    recorder.function = name
    try:
        if name in DRIVERS:
            DRIVERS[name](world)
    except Exception as error:  # noqa: BLE001 - one that fails says nothing about the others
        return error
    return None


@pytest.mark.parametrize("name", coverage.client_functions())
def test_each_function_of_the_client_is_driven(name: str, driven: Driven) -> None:
    assert name in DRIVERS, f"shared.powerbi.{name} is new: write a driver for it in {Path(__file__).parent.name}/"
    if name in driven.failures:
        raise driven.failures[name]
    assert any(exchange.function == name for exchange in driven.exchanges), f"the driver of {name} sends nothing"


def test_no_driver_is_left_of_a_function_that_is_gone() -> None:
    assert set(DRIVERS) <= set(coverage.client_functions())


@pytest.mark.parametrize("site", coverage.call_sites(), ids=lambda site: f"{site.method} {site.operation.pattern}")
def test_each_line_that_sends_something_has_sent_it(site: coverage.CallSite, driven: Driven) -> None:
    sent = {(exchange.method, exchange.operation) for exchange in driven.exchanges}
    assert any(method == site.method and site.operation.fullmatch(name) for method, name in sent), (
        f"{site.place} was not reached: drive it in client_drivers.py"
    )


def test_only_the_client_sends_requests_to_power_bi() -> None:
    assert [site.place for site in coverage.call_sites_elsewhere()] == []


def test_what_the_client_sends_is_in_the_contract(driven: Driven) -> None:
    assert [(made.function, fault) for made in driven.exchanges for fault in made.request_faults] == []


def test_what_left_the_machine_is_in_the_contract(driven: Driven) -> None:
    """As the emulator read it from the wire, whatever the client meant to send."""
    to_power_bi = [request for request in driven.requests if request["host"] == "api.powerbi.com"]
    assert len(to_power_bi) >= len(driven.exchanges)
    assert check_requests(driven.requests) == []
    assert [request["notes"] for request in to_power_bi if request["notes"]] == [], "fields that Power BI ignores"


def test_what_the_client_is_answered_is_in_the_contract(driven: Driven) -> None:
    assert [(made.function, fault) for made in driven.exchanges for fault in made.answer_faults] == []


def test_what_the_client_sends_is_emulated(driven: Driven, record_property: Any) -> None:
    record_property(coverage.LIST, "\n".join(coverage.listed(driven.exchanges)))
    assert [made.operation for made in driven.exchanges if not made.emulated] == []


def test_a_request_that_strays_from_the_contract_would_be_noticed(cloud: Cloud) -> None:
    settings = Settings.from_env(os.environ)
    transport = Transport(settings.cloud, Services(settings).tokens, utc_now, Guard(_TouchesEverything))
    misnamed = {"identifier": "dev@contoso.com", "principalType": "User", "accessRight": "Admin"}
    path = f"/groups/{SALES.id}/users"
    with pytest.raises(Exception, match="refused"):
        transport.call("groupUsers.add", "POST", path, identity="operations", target=SALES.target, json=misnamed)
    faults = check_requests(cloud.calls(host="api.powerbi.com"))
    assert [fault.partition(": ")[2] for fault in faults] == [
        "body lacks groupUserAccessRight",
        "body has an undeclared field accessRight",
    ]


def test_a_function_without_a_driver_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def list_everything(transport: Transport) -> None: ...

    list_everything.__module__ = groups.__name__
    monkeypatch.setattr(groups, "list_everything", list_everything, raising=False)
    assert "groups.list_everything" in coverage.client_functions()
