"""Datasets (semantic models): list, get, parameters."""

from __future__ import annotations

from emulator.http import Answer, Json
from emulator.powerbi import answers
from emulator.powerbi.operation import Operation, Visit, both
from emulator.powerbi.times import moment, wire

LIVE_MODES = ("DirectQuery", "LiveConnection", "AnalysisServices")
"""Models that hold no data of their own."""


def needs_identity(dataset: Json) -> bool:
    """Whether an embed token needs an effective identity: said by the test, or because the model has roles."""
    said = dataset["isEffectiveIdentityRequired"]
    return bool(dataset["roles"]) or dataset["mode"] == "AnalysisServices" if said is None else bool(said)


def needs_roles(dataset: Json) -> bool:
    """Whether that identity needs roles."""
    said = dataset["isEffectiveIdentityRolesRequired"]
    return bool(dataset["roles"]) if said is None else bool(said)


def rendered(dataset: Json) -> Json:
    """A Dataset, in the casing of the wire."""
    shown: Json = {
        "id": dataset["id"],
        "name": dataset["name"],
        "webUrl": f"https://app.powerbi.com/groups/{dataset['workspaceId']}/datasets/{dataset['id']}",
        "addRowsAPIEnabled": dataset["mode"] == "Push",
        "configuredBy": dataset["owner"],
        "isRefreshable": dataset["mode"] == "Import",
        "isEffectiveIdentityRequired": needs_identity(dataset),
        "isEffectiveIdentityRolesRequired": needs_roles(dataset),
        "isOnPremGatewayRequired": False,
        "targetStorageMode": dataset["targetStorageMode"],
        "upstreamDataflows": [],
        "users": [],
    }
    if dataset["created"]:
        shown["createdDate"] = wire(moment(dataset["created"]))
    return shown


def list_datasets(visit: Visit) -> Answer:
    """All of the workspace; there is no paging."""
    workspace = visit.workspace()
    found = [record for record in visit.state.datasets.values() if record["workspaceId"] == workspace["id"]]
    return answers.listing("datasets", [rendered(record) for record in found])


def get_dataset(visit: Visit) -> Answer:
    """One dataset."""
    return answers.entity("datasets", rendered(visit.dataset(visit.workspace())))


def list_parameters(visit: Visit) -> Answer:
    """The model's parameters, as the state has them."""
    dataset = visit.dataset(visit.workspace("Contributor"))
    return answers.listing("mashupParameters", [dict(parameter) for parameter in dataset["parameters"]])


OPERATIONS = (
    Operation("GET", "/groups/{groupId}/datasets", list_datasets, both("Dataset")),
    Operation("GET", "/groups/{groupId}/datasets/{datasetId}", get_dataset, both("Dataset")),
    Operation("GET", "/groups/{groupId}/datasets/{datasetId}/parameters", list_parameters, both("Dataset")),
)
