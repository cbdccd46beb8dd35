"""A model's parameters: list, update."""

from __future__ import annotations

from emulator.http import Answer, Json
from emulator.powerbi import answers
from emulator.powerbi.datasets import LIVE_MODES, check_owner
from emulator.powerbi.operation import IN_GROUP, Operation, Visit, both, in_my_workspace, writing

MOST = 100
FIXED = ("Any", "Binary")
"""Types whose values can't be changed through the API."""
_BODY: Json = {"updateDetails": [{"name": "string", "newValue": "string"}]}


def list_parameters(visit: Visit) -> Answer:
    """As the state has them."""
    dataset = visit.dataset(visit.workspace("Contributor"))
    return answers.listing("mashupParameters", [dict(parameter) for parameter in dataset["parameters"]])


def update_parameters(visit: Visit) -> Answer:
    """All of the request or nothing; only the owner. What the model shows follows with its next refresh."""
    dataset = visit.dataset(visit.workspace("Contributor"))
    check_owner(visit, dataset)
    if dataset["mode"] in LIVE_MODES[1:]:
        raise answers.invalid("Invalid dataset. The parameters of a live connection can't be updated")
    changes = visit.body.get("updateDetails", [])
    _check_list(changes)
    known = {parameter["name"]: parameter for parameter in dataset["parameters"]}
    unknown = [str(at) for at, change in enumerate(changes, 1) if change["name"] not in known]
    if unknown:
        message = f"Dataset parameters at positions {' - '.join(unknown)} cannot be found in {dataset['id']}"
        raise answers.invalid(message, status=404, code="ItemNotFound", target=dataset["id"])
    for change in changes:
        _check_value(known[change["name"]], change.get("newValue", ""))
    for change in changes:
        known[change["name"]]["currentValue"] = change.get("newValue", "")
    return answers.done()


def _check_list(changes: list[Json]) -> None:
    names = [change.get("name", "") for change in changes]
    if not names or len(names) > MOST or "" in names or len(set(names)) < len(names):
        raise answers.invalid("Parameter updateDetails is missing or invalid")


def _check_value(parameter: Json, value: str) -> None:
    """The value is of the parameter's type, and there where it is required."""
    if (
        parameter["type"] in FIXED
        or (parameter.get("isRequired") and not value)
        or not _is_of(parameter["type"], value)
    ):
        raise answers.invalid(f"Parameter {parameter['name']} is of type {parameter['type']}; its value is invalid")


def _is_of(kind: str, value: str) -> bool:
    if not value:
        return True
    if kind == "Logical":
        return value.lower() in ("true", "false")
    if kind != "Number":
        return True
    try:
        float(value)
    except ValueError:
        return False
    return True


_DATASET = IN_GROUP + "/datasets/{datasetId}"
_IN_GROUP = (
    Operation("GET", _DATASET + "/parameters", list_parameters, both("Dataset")),
    Operation("POST", _DATASET + "/Default.UpdateParameters", update_parameters, writing("Dataset"), _BODY),
)
OPERATIONS = (*_IN_GROUP, *in_my_workspace(_IN_GROUP))
