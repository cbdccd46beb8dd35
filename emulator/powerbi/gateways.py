"""Gateways and what is behind them, as their administrators read them."""

from __future__ import annotations

from emulator.http import Answer, Json
from emulator.powerbi import answers
from emulator.powerbi.operation import Operation, Visit, both


def rendered(gateway: Json) -> Json:
    """A Gateway."""
    shown: Json = {"id": gateway["id"], "name": gateway["name"], "type": gateway["type"]}
    return shown | ({"publicKey": dict(gateway["publicKey"])} if gateway["publicKey"] else {})


def list_gateways(visit: Visit) -> Answer:
    """Those that the caller administers."""
    return answers.listing("gateways", [rendered(gateway) for gateway in _own(visit)])


def get_gateway(visit: Visit) -> Answer:
    """One of them."""
    return answers.entity("gateways", rendered(_one(visit)))


def list_datasources(visit: Visit) -> Answer:
    """Unlike those of a dataset, they tell their connection as JSON in a string."""
    return answers.listing("datasources", _datasources(_one(visit)))


def get_datasource(visit: Visit) -> Answer:
    """One of them."""
    wanted = visit.parameter("datasourceId")
    found = next((source for source in _datasources(_one(visit)) if source["id"].lower() == wanted), None)
    if found is None:
        raise answers.not_found()
    return answers.entity("datasources", found)


def _own(visit: Visit) -> list[Json]:
    return [gateway for gateway in visit.state.maps["gateways"].values() if visit.caller.key in gateway["admins"]]


def _one(visit: Visit) -> Json:
    wanted = visit.parameter("gatewayId")
    found = next((gateway for gateway in _own(visit) if gateway["id"] == wanted), None)
    if found is None:
        raise answers.not_found()
    return found


def _datasources(gateway: Json) -> list[Json]:
    return [source | {"gatewayId": gateway["id"]} for source in gateway["datasources"]]


_GATEWAY = "/gateways/{gatewayId}"
OPERATIONS = (
    Operation("GET", "/gateways", list_gateways, both("Dataset")),
    Operation("GET", _GATEWAY, get_gateway, both("Dataset")),
    Operation("GET", _GATEWAY + "/datasources", list_datasources, both("Dataset")),
    Operation("GET", _GATEWAY + "/datasources/{datasourceId}", get_datasource, both("Dataset")),
)
