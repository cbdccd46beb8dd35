"""GenerateToken: the V2 form for several items, and the V1 forms for a report, a dataset, or a report to be made."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from emulator.http import Answer, Json
from emulator.powerbi import answers, embed_rules
from emulator.powerbi.access import capacity_of, is_at_least
from emulator.powerbi.datasets import needs_identity
from emulator.powerbi.embed_rules import Wanted
from emulator.powerbi.embed_seal import fingerprint, seal
from emulator.powerbi.operation import Operation, Visit, both
from emulator.powerbi.state import SHARED
from emulator.powerbi.times import wire_seconds

_IDENTITY: Json = {
    "username": "string",
    "auditableContext": "string",
    "datasets": ["string"],
    "roles": ["string"],
    "customData": "string",
    "identityBlob": {"value": "string"},
    "reports": ["string"],
}
_DATASOURCE_IDENTITY: Json = {
    "identityBlob": "string",
    "datasources": [{"datasourceType": "string", "connectionDetails": "any"}],
}
_V2: Json = {
    "datasets": [{"id": "string", "xmlaPermissions": ("Off", "ReadOnly")}],
    "reports": [{"id": "string", "allowEdit": "boolean"}],
    "targetWorkspaces": [{"id": "string"}],
    "identities": [_IDENTITY],
    "lifetimeInMinutes": "integer",
    "datasourceIdentities": [_DATASOURCE_IDENTITY],
}
_V1: Json = {
    "accessLevel": ("View", "Edit", "Create"),
    "datasetId": "string",
    "allowSaveAs": "boolean",
    "identities": [_IDENTITY],
    "lifetimeInMinutes": "integer",
}


def generate_token(visit: Visit) -> Answer:
    """V2. Reports and datasets need not be related; without datasets those of the reports count."""
    body = visit.body
    embed_rules.check_limits(body, visit.switch("tooManyTokenItemsStatus"))
    reports = [_record(visit, "reports", item) for item in body.get("reports", [])]
    listed = [_record(visit, "datasets", item) for item in body.get("datasets", [])]
    wanted = Wanted(
        reports=reports,
        editable={item["id"].lower() for item in body.get("reports", []) if item.get("allowEdit")},
        datasets=listed or _datasets_of(visit, reports),
        xmla={item["id"].lower(): item.get("xmlaPermissions", "Off") for item in body.get("datasets", [])},
        targets=[_target(visit, item) for item in body.get("targetWorkspaces", [])],
        identities=body.get("identities", []),
        lifetime=body.get("lifetimeInMinutes", 0),
    )
    return _granted(visit, wanted)


def generate_report_token(visit: Visit) -> Answer:
    """V1, for one report and its dataset."""
    workspace = visit.workspace()
    report = visit.report(workspace)
    if visit.body.get("accessLevel") == "Create":
        raise answers.invalid("Parameter accessLevel is missing or invalid")
    wanted = Wanted(
        reports=[report],
        editable={report["id"]} if visit.body.get("accessLevel") == "Edit" else set(),
        datasets=_datasets_of(visit, [report]),
        targets=[workspace] if visit.body.get("allowSaveAs") else [],
    )
    return _granted(visit, _version_1(visit, wanted))


def generate_create_token(visit: Visit) -> Answer:
    """V1, for a report that the viewer makes upon a dataset of the workspace."""
    workspace = visit.workspace()
    if visit.body.get("accessLevel") != "Create" or not visit.body.get("datasetId"):
        raise answers.invalid("Parameter accessLevel is missing or invalid")
    dataset = _record(visit, "datasets", {"id": visit.body["datasetId"]})
    wanted = Wanted(datasets=[dataset], targets=[workspace], creates=True)
    return _granted(visit, _version_1(visit, wanted))


def generate_dataset_token(visit: Visit) -> Answer:
    """V1, for questions to a dataset."""
    dataset = visit.dataset(visit.workspace())
    return _granted(visit, _version_1(visit, Wanted(datasets=[dataset])))


def _version_1(visit: Visit, wanted: Wanted) -> Wanted:
    """What all V1 forms share. Their one dataset is meant where an identity names none."""
    embed_rules.check_lifetime(visit.body)
    meant = [dataset["id"] for dataset in wanted.datasets]
    wanted.identities = [
        identity if identity.get("datasets") or identity.get("reports") else identity | {"datasets": meant}
        for identity in visit.body.get("identities", [])
    ]
    wanted.lifetime, wanted.version = visit.body.get("lifetimeInMinutes", 0), 1
    return wanted


def _granted(visit: Visit, wanted: Wanted) -> Answer:
    _check_scopes(visit, wanted)
    _check_rights(visit, wanted)
    embed_rules.check_identities(
        wanted,
        by_app=visit.caller.is_app,
        object_id=visit.caller.principal["id"],
        switches=visit.state.switches,
    )
    _check_xmla(visit, wanted)
    return _minted(visit, wanted, trial=_spends_trial(visit, wanted))


def _record(visit: Visit, kind: str, item: Json) -> Json:
    """The report or dataset of that id; unknown is 404, known without a role in its workspace is refused."""
    found = visit.state.maps[kind].get(item.get("id", "").lower())
    if found is None:
        raise answers.not_found()
    return found


def _target(visit: Visit, item: Json) -> Json:
    found = visit.state.workspaces.get(item.get("id", "").lower())
    if found is None or found["state"] != "Active":
        raise answers.not_found()
    return found


def _datasets_of(visit: Visit, reports: list[Json]) -> list[Json]:
    ids = dict.fromkeys(report["datasetId"] for report in reports if report["datasetId"])
    return [_record(visit, "datasets", {"id": dataset_id}) for dataset_id in ids]


def _check_scopes(visit: Visit, wanted: Wanted) -> None:
    """Beyond reading datasets, which the operation itself demands."""
    if visit.caller.is_app or not visit.switch("delegatedScopesMatter"):
        return
    needed = [both("Report")] if wanted.reports else []
    needed += [("Report.ReadWrite.All",)] if wanted.editable else []
    needed += [("Content.Create",)] if wanted.targets else []
    if not all(visit.caller.has_scope(scopes) for scopes in needed):
        raise answers.not_authorized(visit.switch("missingScopeStatus"))


def _check_rights(visit: Visit, wanted: Wanted) -> None:
    """A role in every workspace; Member with row-level security or where report and dataset live apart."""
    homes = {item["workspaceId"] for item in (*wanted.reports, *wanted.datasets)}
    filtered = any(needs_identity(dataset) for dataset in wanted.datasets)
    least = "Member" if filtered or len(homes) > 1 else "Viewer"
    needed = [(home, least) for home in homes]
    needed += [(item["workspaceId"], "Contributor") for item in wanted.reports if item["id"] in wanted.editable]
    needed += [(workspace["id"], "Contributor") for workspace in wanted.targets]
    for home, right in needed:
        workspace = visit.state.workspaces.get(home)
        if workspace is None or not is_at_least(visit.right(workspace), right):
            raise answers.not_authorized(visit.switch("tokenWithoutAccessStatus"))


def _check_xmla(visit: Visit, wanted: Wanted) -> None:
    """Reading through XMLA needs a capacity."""
    for dataset in wanted.datasets:
        if wanted.xmla.get(dataset["id"]) == "ReadOnly" and _is_shared(visit, dataset["workspaceId"]):
            raise answers.invalid(f"Parameter xmlaPermissions of dataset {dataset['id']} needs a capacity")


def _is_shared(visit: Visit, workspace_id: str) -> bool:
    return capacity_of(visit.state.workspaces[workspace_id], visit.now) == SHARED


def _spends_trial(visit: Visit, wanted: Wanted) -> bool:
    """Whether this is a trial token, for content on no capacity; 403 when the caller has had them all."""
    trial = any(_is_shared(visit, item["workspaceId"]) for item in (*wanted.reports, *wanted.datasets))
    if trial and trials_spent(visit) >= visit.switch("trialTokens"):
        raise answers.not_authorized(403)
    return trial


def trials_spent(visit: Visit) -> int:
    """How many trial tokens the caller has had."""
    tokens = visit.state.embed_tokens.values()
    return sum(
        1 for token in tokens if token.get("trial") and token.get("callerObjectId") == visit.caller.principal["id"]
    )


def _minted(visit: Visit, wanted: Wanted, *, trial: bool) -> Answer:
    token_id = str(uuid.uuid4())
    ends = _expiration(visit, wanted.lifetime)
    grant = _grant(wanted) | {"tokenId": token_id, "exp": int(ends.timestamp())}
    token = seal(grant, visit.key)
    expiration = wire_seconds(ends)
    visit.state.add("embedTokens", _kept(visit, wanted, grant, token, expiration) | {"trial": trial}, token_id)
    return answers.instance("GenerateTokenResponse", {"token": token, "tokenId": token_id, "expiration": expiration})


def _expiration(visit: Visit, minutes: int) -> datetime:
    """The end of the Entra token with which it is made; a lifetime can only shorten that."""
    end = datetime.fromtimestamp(int(visit.caller.claims["exp"]), UTC)
    shorter = (timedelta(minutes=minutes), visit.state.lasts("embedTokenLife"))
    return min([end, *(visit.real_now + life for life in shorter if life)])


def _grant(wanted: Wanted) -> Json:
    """What a page needs to know to show what the token allows, and no more."""
    return {
        "reports": [
            {"id": report["id"], "workspaceId": report["workspaceId"], "allowEdit": report["id"] in wanted.editable}
            for report in wanted.reports
        ],
        "datasets": [
            {"id": dataset["id"], "xmlaPermissions": wanted.xmla.get(dataset["id"], "Off")}
            for dataset in wanted.datasets
        ],
        "targetWorkspaces": [workspace["id"] for workspace in wanted.targets],
        "identities": wanted.identities,
        "creates": wanted.creates,
    }


def _kept(visit: Visit, wanted: Wanted, grant: Json, token: str, expiration: str) -> Json:
    """The record for the control API: never the token's value."""
    return grant | {
        "sha256": fingerprint(token),
        "version": wanted.version,
        "expiration": expiration,
        "lifetimeInMinutes": wanted.lifetime,
        "callerClientId": visit.caller.client_id,
        "callerObjectId": visit.caller.principal["id"],
        "profileId": visit.caller.profile,
        "requestId": visit.call.request_id,
    }


OPERATIONS = (
    Operation("POST", "/GenerateToken", generate_token, both("Dataset"), _V2),
    Operation("POST", "/groups/{groupId}/reports/GenerateToken", generate_create_token, both("Dataset"), _V1),
    Operation(
        "POST", "/groups/{groupId}/reports/{reportId}/GenerateToken", generate_report_token, both("Dataset"), _V1
    ),
    Operation(
        "POST", "/groups/{groupId}/datasets/{datasetId}/GenerateToken", generate_dataset_token, both("Dataset"), _V1
    ),
)
