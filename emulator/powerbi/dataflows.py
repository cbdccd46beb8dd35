"""Dataflows: list, data sources, refresh and the transactions that refreshes are called here."""

from __future__ import annotations

import uuid

from emulator.durations import parse_duration
from emulator.http import Answer, Json
from emulator.powerbi import answers
from emulator.powerbi.operation import IN_GROUP, Operation, Visit, both, writing
from emulator.powerbi.times import moment, stored, wire


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


def start_refresh(visit: Visit) -> Answer:
    """200, not 202, with an empty body."""
    found = visit.item("dataflows", "dataflowId", visit.workspace("Contributor"))
    if visit.body.get("notifyOption") == "MailOnCompletion":
        raise answers.invalid("Parameter notifyOption is missing or invalid")
    ends = visit.now + parse_duration(found["refreshDuration"])
    transaction: Json = {
        "id": f"{wire(visit.now)}@{uuid.uuid4()}$1",
        "refreshType": "ViaApi",
        "startTime": stored(visit.now),
        "endTime": stored(ends),
        "status": found["nextStatus"],
    }
    found["transactions"].insert(0, transaction)
    found["nextStatus"] = "Success"
    return answers.done()


def list_transactions(visit: Visit) -> Answer:
    """The newest first."""
    found = visit.item("dataflows", "dataflowId", visit.workspace())
    return answers.listing("transactions", [_transaction(visit, record) for record in found["transactions"]])


def _transaction(visit: Visit, record: Json) -> Json:
    """How it stands now: in progress until its end, which it tells only then."""
    ends = moment(record["endTime"])
    shown = record | {"startTime": wire(moment(record["startTime"])), "endTime": wire(ends)}
    if visit.now >= ends:
        return shown
    return {name: value for name, value in shown.items() if name != "endTime"} | {"status": "InProgress"}


_REFRESH: Json = {"notifyOption": ("NoNotification", "MailOnFailure", "MailOnCompletion")}
_DATAFLOWS = IN_GROUP + "/dataflows"
OPERATIONS = (
    Operation("GET", _DATAFLOWS, list_dataflows, both("Dataflow")),
    Operation("GET", _DATAFLOWS + "/{dataflowId}/datasources", list_datasources, both("Dataflow")),
    Operation("GET", _DATAFLOWS + "/{dataflowId}/transactions", list_transactions, both("Dataflow")),
    Operation(
        "POST",
        _DATAFLOWS + "/{dataflowId}/refreshes",
        start_refresh,
        writing("Dataflow"),
        _REFRESH,
        body_required=False,
    ),
)
