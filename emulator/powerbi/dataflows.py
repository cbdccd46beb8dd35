"""Dataflows: list, data sources."""

from __future__ import annotations

from emulator.http import Answer, Json
from emulator.powerbi import answers
from emulator.powerbi.operation import IN_GROUP, Operation, Visit, both


def rendered(dataflow: Json) -> Json:
    """A Dataflow, which alone of all items has its id under `objectId`."""
    shown: Json = {"objectId": dataflow["id"], "name": dataflow["name"], "users": []}
    return shown | {name: dataflow[name] for name in ("description", "configuredBy") if dataflow[name]}


def list_dataflows(visit: Visit) -> Answer:
    """All of the workspace; there is no paging."""
    found = visit.state.within("dataflows", visit.workspace()["id"])
    return answers.listing("dataflows", [rendered(record) for record in found])


def list_datasources(visit: Visit) -> Answer:
    """Where the dataflow gets its data, as the state has it."""
    workspace = visit.workspace()
    found = visit.item("dataflows", "dataflowId", workspace)
    return answers.listing("datasources", [dict(source) for source in found["datasources"]])


_DATAFLOWS = IN_GROUP + "/dataflows"
OPERATIONS = (
    Operation("GET", _DATAFLOWS, list_dataflows, both("Dataflow")),
    Operation("GET", _DATAFLOWS + "/{dataflowId}/datasources", list_datasources, both("Dataflow")),
)
