"""A guest is at home elsewhere: the directory's own domain in its name does not make it one of ours."""

from __future__ import annotations

from typing import Any

import pytest

from shared.provisioning.policy import PolicyDocument, read_policy_document
from shared.provisioning.request import ProvisioningRequest
from shared.provisioning.rules import broken_rules
from shared.validation import check
from tests.cloud import PROJECT

GUEST = "eve_smith_fabrikam.com#EXT#@contoso.onmicrosoft.com"


def policy(*domains: str) -> PolicyDocument:
    document = read_policy_document((PROJECT / "config/policy.yaml").read_bytes())
    principals = document.principals.model_copy(update={"allowed_domains": list(domains)})
    return document.model_copy(update={"principals": principals})


def refused(rules: PolicyDocument, owner: str, **more: Any) -> list[str]:
    body = {"operation": "provision", "project": "FIN-X", "environments": [{"name": "dev"}], "owners": [owner], **more}
    return [fault.path for fault in broken_rules(check(ProvisioningRequest, body).root, rules)]


def test_a_guest_is_refused_where_only_the_directorys_domain_is_allowed() -> None:
    ours = policy("contoso.com", "contoso.onmicrosoft.com")
    assert refused(ours, "ana@contoso.onmicrosoft.com") == []
    assert refused(ours, GUEST) == ["owners[0]"]
    entry = {"principal": GUEST, "principalType": "User", "role": "Viewer"}
    assert refused(ours, "ana@contoso.com", access=[entry]) == ["access[0].principal"]


@pytest.mark.parametrize("domains", [("fabrikam.com",), ("contoso.com", "fabrikam.com")])
def test_a_partners_domain_alone_does_not_let_in_its_guests_of_another_directory(domains: tuple[str, ...]) -> None:
    assert refused(policy(*domains), GUEST) == ["owners[0]"]


def test_a_guest_from_an_allowed_domain_is_let_in() -> None:
    assert refused(policy("contoso.onmicrosoft.com", "fabrikam.com"), GUEST) == []
