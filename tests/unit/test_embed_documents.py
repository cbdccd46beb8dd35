"""What an operator may write in embed.yaml, and what is said about the rest."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.embed.documents import EmbedDocument, GrantIdentity, read_embed_document
from shared.embed.request import EmbedTokenRequest
from shared.errors import InvalidRequest
from shared.validation import check
from tests.seeded import ANALYTICS, APPLICATIONS, BY_CUSTOMER, SALES

Json = dict[str, Any]

APP = APPLICATIONS["customer-portal"].client_id


def grant(**changes: Any) -> Json:
    return {"caller": "application", "reports": ["margin"], "accessLevels": ["View"], **changes}


def document(*grants: Json, **changes: Any) -> Json:
    return {
        "reports": {"margin": {"workspaceId": ANALYTICS, "reportId": BY_CUSTOMER}},
        "clients": {"portal": {"appIds": [APP], "grants": list(grants or (grant(),))}},
        **changes,
    }


def read(data: Json) -> EmbedDocument:
    return read_embed_document(json.dumps(data).encode())


def faults(data: Json) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as refusal:
        read(data)
    return {fault.path: fault.message for fault in refusal.value.faults}


def test_the_sample_is_valid() -> None:
    sample = read_embed_document(Path("config/embed.yaml").read_bytes())
    assert sample.min_token_life == timedelta(minutes=45)
    name, client = sample.client_of(APP.upper()) or ("", None)
    assert name == "customer-portal"
    assert client is not None
    identities = [grant.identity for grant in client.grants]
    assert [identity.username for identity in identities if isinstance(identity, GrantIdentity)] == [
        "request",
        "claim:oid",
    ]


def test_what_is_left_out_is_the_narrow_choice() -> None:
    granted = read(document({"caller": "application", "reports": ["margin"]})).clients["portal"].grants[0]
    assert (granted.access_levels, granted.save_as_workspaces, granted.max_lifetime_minutes, granted.identity) == (
        ["View"],
        [],
        60,
        None,
    )


def test_an_identity_may_be_refused_in_so_many_words() -> None:
    assert read(document(grant(identity="none"))).clients["portal"].grants[0].identity == "none"


def test_guids_are_compared_in_lower_case() -> None:
    shouted = document()
    shouted["clients"]["portal"]["appIds"] = [APP.upper()]
    assert read(shouted).client_of(APP) is not None


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"caller": "both"}, "caller"),
        ({"caller": None}, "caller"),
        ({"reports": []}, "reports"),
        ({"reports": ["margin", "margin"]}, "reports"),
        ({"reports": ["unknown"]}, "reports[0]"),
        ({"accessLevels": []}, "accessLevels"),
        ({"accessLevels": ["Create"]}, "accessLevels[0]"),
        ({"accessLevels": ["View", "View"]}, "accessLevels"),
        ({"saveAsWorkspaces": ["here"]}, "saveAsWorkspaces[0]"),
        ({"maxLifetimeMinutes": 0}, "maxLifetimeMinutes"),
        ({"maxLifetimeMinutes": 61}, "maxLifetimeMinutes"),
        ({"maxLifetimeMinutes": "60"}, "maxLifetimeMinutes"),
        ({"identity": "nobody"}, "identity"),
        ({"identity": {}}, "identity.username"),
        ({"identity": {"username": "john"}}, "identity.username"),
        ({"identity": {"username": "fixed:two words"}}, "identity.username"),
        ({"identity": {"username": "claim:"}}, "identity.username"),
        ({"identity": {"username": "claim:oid"}}, "identity.username"),
        ({"identity": {"username": "request", "customData": "claim:oid"}}, "identity.customData"),
        ({"identity": {"username": "request", "customData": "fixed:a\tb"}}, "identity.customData"),
        ({"identity": {"username": "request", "roles": ["a,b"]}}, "identity.roles[0]"),
        ({"identity": {"username": "request", "roles": ["x" * 51]}}, "identity.roles[0]"),
        ({"identity": {"username": "request", "roles": [f"r{n}" for n in range(51)]}}, "identity.roles"),
        ({"identity": {"username": "request", "role": "typing error"}}, "identity.role"),
        ({"caller": "delegated", "identity": {"username": "request"}}, "identity.username"),
        (
            {"caller": "delegated", "identity": {"username": "claim:oid", "customData": "request"}},
            "identity.customData",
        ),
        ({"allow": "everything"}, "allow"),
    ],
)
def test_a_faulty_grant_is_refused_where_it_is_faulty(changes: Json, path: str) -> None:
    assert list(faults(document(grant(**changes)))) == [f"clients.portal.grants[0].{path}"]


@pytest.mark.parametrize("life", ["PT4M", "PT51M", "45", 45, "P1D"])
def test_the_least_life_of_a_token_is_a_duration_from_5_to_50_minutes(life: object) -> None:
    assert list(faults(document(minTokenLife=life))) == ["minTokenLife"]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"schemaVersion": 2}, "schemaVersion"),
        ({"reports": {"two words": {"workspaceId": ANALYTICS, "reportId": BY_CUSTOMER}}}, "reports"),
        ({"reports": {"margin": {"workspaceId": ANALYTICS, "reportId": "first"}}}, "reports.margin.reportId"),
        ({"clients": {"portal": {"appIds": [], "grants": [grant()]}}}, "clients.portal.appIds"),
        ({"clients": {"portal": {"appIds": [APP], "grants": []}}}, "clients.portal.grants"),
    ],
)
def test_a_faulty_document_is_refused_where_it_is_faulty(changes: Json, path: str) -> None:
    assert any(found.startswith(path) for found in faults(document(**changes)))


def test_all_faults_are_told_at_once_those_of_form_and_those_of_meaning() -> None:
    faulty = document(
        grant(reports=["unknown"], accessLevels=[]),
        grant(caller="delegated", identity={"username": "request", "roles": ["a,b"]}),
        minTokenLife="PT1H",
    )
    faulty["clients"]["copy"] = {"appIds": [APP.upper()], "grants": [grant()]}
    assert set(faults(faulty)) == {
        "minTokenLife",
        "clients.portal.appIds[0]",
        "clients.copy.appIds[0]",
        "clients.portal.grants[0].reports[0]",
        "clients.portal.grants[0].accessLevels",
        "clients.portal.grants[1].identity.username",
        "clients.portal.grants[1].identity.roles[0]",
    }


def test_a_composite_model_names_its_datasets() -> None:
    composite = document()
    composite["reports"]["margin"]["datasets"] = [{"datasetId": SALES.upper(), "xmla": "readOnly"}]
    dataset = read(composite).reports["margin"].datasets[0]
    assert (dataset.dataset_id, dataset.workspace_id, dataset.xmla) == (SALES, None, "readOnly")


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"reports: [", b"\xff", b"reports: 1\nclients: 2", b"clients: {a: {b: 1}}"]
)
def test_nonsense_is_refused_and_nothing_else(raw: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read_embed_document(raw)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"reports": []}, "reports"),
        ({"reports": ["a"] * 2}, "reports"),
        ({"reports": [f"r{n}" for n in range(51)]}, "reports"),
        ({"reports": "a"}, "reports"),
        ({"accessLevel": "view"}, "accessLevel"),
        ({"saveAs": ["here"]}, "saveAs[0]"),
        ({"lifetimeMinutes": 0}, "lifetimeMinutes"),
        ({"lifetimeMinutes": 1.5}, "lifetimeMinutes"),
        ({"lifetimeMinutes": True}, "lifetimeMinutes"),
        ({"schemaVersion": 2}, "schemaVersion"),
        ({"identity": {"username": ""}}, "identity.username"),
        ({"identity": {"username": "two words"}}, "identity.username"),
        ({"identity": {"username": "é"}}, "identity.username"),
        ({"identity": {"username": "x" * 257}}, "identity.username"),
        ({"identity": {"username": "john\n"}}, "identity.username"),
        ({"identity": {"username": "john", "roles": []}}, "identity.roles"),
        ({"identity": {"username": "john", "roles": ["a", "a"]}}, "identity.roles"),
        ({"identity": {"username": "john", "roles": ["a,b"]}}, "identity.roles[0]"),
        ({"identity": {"username": "john", "customData": "a\nb"}}, "identity.customData"),
        ({"identity": {"datasets": []}}, "identity.datasets"),
        ({"allowSaveAs": True}, "allowSaveAs"),
    ],
)
def test_a_faulty_request_is_refused_where_it_is_faulty(changes: Json, path: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        check(EmbedTokenRequest, {"reports": ["margin"], **changes})
    assert [fault.path for fault in refusal.value.faults] == [path]
