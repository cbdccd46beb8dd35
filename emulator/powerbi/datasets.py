"""Datasets (semantic models): list, get, delete, data sources, taking over."""

from __future__ import annotations

from emulator.http import Answer, Json
from emulator.powerbi import answers
from emulator.powerbi.answers import region_config
from emulator.powerbi.operation import IN_GROUP, Operation, Visit, both, in_my_workspace, writing
from emulator.powerbi.times import moment, wire

APP = "https://app.powerbi.com"
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
    embed = f"config={region_config()}"
    shown: Json = {
        "id": dataset["id"],
        "name": dataset["name"],
        "webUrl": f"{APP}/groups/{dataset['workspaceId']}/datasets/{dataset['id']}",
        "addRowsAPIEnabled": dataset["mode"] == "Push",
        "configuredBy": dataset["owner"],
        "isRefreshable": dataset["mode"] == "Import",
        "isEffectiveIdentityRequired": needs_identity(dataset),
        "isEffectiveIdentityRolesRequired": needs_roles(dataset),
        "isOnPremGatewayRequired": False,
        "targetStorageMode": dataset["targetStorageMode"],
        "createReportEmbedURL": f"{APP}/reportEmbed?{embed}",
        "qnaEmbedURL": f"{APP}/qnaEmbed?{embed}",
        "upstreamDataflows": [dict(link) for link in dataset["upstreamDataflows"]],
        "users": [],
    }
    if dataset["created"]:
        shown["createdDate"] = wire(moment(dataset["created"]))
    return shown


def list_datasets(visit: Visit) -> Answer:
    """All of the workspace; there is no paging."""
    found = visit.state.within("datasets", visit.workspace()["id"])
    return answers.listing("datasets", [rendered(record) for record in found])


def get_dataset(visit: Visit) -> Answer:
    """One dataset."""
    return answers.entity("datasets", rendered(visit.dataset(visit.workspace())))


def delete_dataset(visit: Visit) -> Answer:
    """With it go the reports that are built on it and its refreshes."""
    dataset = visit.dataset(visit.workspace("Contributor"))
    del visit.state.datasets[dataset["id"]]
    for name in ("reports", "refreshes"):
        records = visit.state.maps[name]
        for key in [key for key, record in records.items() if record["datasetId"] == dataset["id"]]:
            del records[key]
    return answers.done()


def list_datasources(visit: Visit) -> Answer:
    """Where the model gets its data, as the state has it."""
    dataset = visit.dataset(visit.workspace())
    return answers.listing("datasources", [dict(source) for source in dataset["datasources"]])


def list_upstream_dataflows(visit: Visit) -> Answer:
    """Which dataset of the workspace is fed by which dataflow."""
    records = visit.state.within("datasets", visit.workspace()["id"])
    return answers.listing("DatasetToDataflowLinks", [link for record in records for link in dataflow_links(record)])


def dataflow_links(dataset: Json) -> list[Json]:
    """A link for each dataflow that feeds the dataset."""
    return [
        {
            "datasetObjectId": dataset["id"],
            "dataflowObjectId": link["targetDataflowId"],
            "workspaceObjectId": link["groupId"],
        }
        for link in dataset["upstreamDataflows"]
    ]


def list_tables(visit: Visit) -> Answer:
    """Of a dataset into which rows are pushed; of a model nothing is found."""
    dataset = visit.dataset(visit.workspace())
    if dataset["mode"] != "Push":
        raise answers.not_found()
    return answers.listing("tables", [{"name": table, "columns": []} for table in dataset["tables"]])


def take_over(visit: Visit) -> Answer:
    """The caller becomes the owner, who alone may change the schedule and the parameters."""
    visit.dataset(visit.workspace("Contributor"))["owner"] = visit.caller.key
    return answers.done()


def check_owner(visit: Visit, dataset: Json) -> None:
    """Refuses everyone but the owner."""
    if dataset["owner"] != visit.caller.key:
        raise answers.not_authorized(403)


_DATASET = IN_GROUP + "/datasets/{datasetId}"
_IN_GROUP = (
    Operation("GET", IN_GROUP + "/datasets", list_datasets, both("Dataset")),
    Operation("GET", _DATASET, get_dataset, both("Dataset")),
    Operation("DELETE", _DATASET, delete_dataset, writing("Dataset")),
    Operation("GET", _DATASET + "/datasources", list_datasources, both("Dataset")),
    Operation("GET", _DATASET + "/tables", list_tables, both("Dataset")),
)
OPERATIONS = (
    Operation("GET", IN_GROUP + "/datasets/upstreamDataflows", list_upstream_dataflows, both("Dataset")),
    *_IN_GROUP,
    *in_my_workspace(_IN_GROUP),
    Operation("POST", _DATASET + "/Default.TakeOver", take_over, writing("Dataset")),
)
