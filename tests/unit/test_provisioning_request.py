"""Requests: what is not understood or not yet done is refused by name, all at once."""

from __future__ import annotations

from typing import Any

import pytest

from shared.errors import InvalidRequest
from shared.provisioning.request import ProvisioningRequest, ProvisionRequest, request_hash, workspace_name
from shared.validation import check

Json = dict[str, Any]
GROUP = "B2000000-0000-4000-8000-000000000001"


def body(**more: Any) -> Json:
    return {"operation": "provision", "project": "FIN-Margin", "environments": [{"name": "dev"}], **more}


def faults(data: Json) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as refused:
        check(ProvisioningRequest, data)
    return {fault.path: fault.message for fault in refused.value.faults}


def read(data: Json) -> Any:
    return check(ProvisioningRequest, data).root


def test_a_full_request_is_understood_and_compared_in_lower_case() -> None:
    entry = {"principal": GROUP, "principalType": "Group", "role": "Member", "environments": ["dev"]}
    request = read(body(owners=["Ana@Contoso.com"], access=[entry], schemaVersion=1, requestedBy="Ana"))
    assert isinstance(request, ProvisionRequest)
    assert request.owners == ["ana@contoso.com"]
    assert request.access[0].principal == GROUP.lower()


@pytest.mark.parametrize(
    "later", [{"content": [{"template": "margin"}]}, {"deploymentPipeline": True}, {"callbackUrl": "https://x"}]
)
def test_what_comes_later_is_refused_by_name(later: Json) -> None:
    (name,) = later
    assert faults(body(**later)) == {name: "Not supported yet: leave it out."}


def test_what_comes_later_may_be_said_to_be_absent() -> None:
    read(body(content=[], deploymentPipeline=False, callbackUrl=None))


def test_decommission_is_refused_with_the_operations_that_there_are() -> None:
    found = faults({"operation": "decommission", "project": "FIN-Margin", "confirm": "FIN-Margin"})
    assert found == {"operation": "Must be one of: provision, grantAccess, revokeAccess."}


def test_all_faults_are_told_at_once_each_by_its_field() -> None:
    found = faults(
        body(
            project=" FIN",
            environments=[{"name": "DEV"}, {"name": "dev", "size": 1}],
            owners=["ana", "ben@contoso.com", "BEN@contoso.com"],
            access=[
                {"principal": "ana@contoso.com", "principalType": "User", "role": "Owner"},
                {"principal": "ana@contoso.com", "principalType": "Group", "role": "Viewer"},
                {"principal": GROUP, "principalType": "Device", "role": "Viewer"},
            ],
            storageFormat="Huge",
            foo=1,
        )
    )
    assert set(found) == {
        "project",
        "environments[0].name",
        "environments[1].size",
        "owners[0]",
        "access[0].role",
        "access[1].principal",
        "access[2].principalType",
        "storageFormat",
        "foo",
    }
    assert found["access[0].role"] == "Must be one of: Admin, Member, Contributor, Viewer."
    assert "GUID" in found["access[1].principal"]


@pytest.mark.parametrize("doubled", [{"owners": ["a@b.com", "A@b.com"]}, {"environments": [{"name": "dev"}] * 2}])
def test_nothing_is_named_twice(doubled: Json) -> None:
    (name,) = doubled
    assert "doubled" in faults(body(**doubled))[name]


def test_operations_take_only_their_own_fields() -> None:
    access = [{"principal": "a@b.com", "principalType": "User", "role": "Viewer"}]
    assert set(faults({"operation": "grantAccess", "project": "X", "access": access, "adopt": True})) == {"adopt"}
    assert set(faults({"operation": "grantAccess", "project": "X", "access": []})) == {"access"}
    assert set(faults({"operation": "revokeAccess", "project": "X"})) == {"access"}


def test_who_is_revoked_needs_no_role() -> None:
    entry = {"principal": "a@b.com", "principalType": "User"}
    assert read({"operation": "revokeAccess", "project": "X", "access": [entry]}).access[0].role is None
    assert set(faults({"operation": "grantAccess", "project": "X", "access": [entry]})) == {"access[0].role"}


@pytest.mark.parametrize("key", ["short", "has space in it", "x" * 65, "ключ-ключ"])
def test_a_key_is_short_and_plain(key: str) -> None:
    assert set(faults(body(requestId=key))) == {"requestId"}


def test_a_project_name_fits_a_table_key() -> None:
    assert "Too long" in faults(body(project="Ж" * 100))["project"]
    read(body(project="Büro-Ä"))


def test_equal_requests_have_equal_hashes_whatever_their_key_and_their_defaults() -> None:
    first = read(body(requestId="abcdefgh", owners=["ANA@contoso.com"]))
    second = read(body(owners=["ana@contoso.com"], adopt=False, access=[], callbackUrl=None))
    assert request_hash(first) == request_hash(second)
    assert request_hash(first) != request_hash(read(body(owners=["ben@contoso.com"])))


def test_environments_have_no_hyphen_so_no_two_projects_share_a_name() -> None:
    assert workspace_name("FIN-X", "dev") == "FIN-X-DEV"
    assert set(faults(body(environments=[{"name": "dev-test"}]))) == {"environments[0].name"}
