"""The policy: a document that contradicts itself is refused, and so is a request that it does not allow."""

from __future__ import annotations

import time
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator import seed
from shared.errors import InvalidRequest, Misconfigured
from shared.powerbi.guardrails import NOTHING, Guard, Observed, OutsideTouch, Target
from shared.provisioning.naming import matches, rule_fault
from shared.provisioning.orders import accepted, orders
from shared.provisioning.policy import PolicyDocument, read_policy_document
from shared.provisioning.request import ProvisioningRequest
from shared.provisioning.rules import broken_rules
from shared.validation import check
from tests.cloud import PROJECT
from tests.seeded import ANALYTICS

Json = dict[str, Any]
SAMPLE = (PROJECT / "config/policy.yaml").read_bytes()
POLICY = read_policy_document(SAMPLE)
GROUP = seed.GROUPS[0].object_id


def changed(**fields: Any) -> PolicyDocument:
    return read_policy_document(yaml.safe_dump({**yaml.safe_load(SAMPLE), **fields}).encode())


def document_faults(**fields: Any) -> set[str]:
    with pytest.raises(InvalidRequest) as refused:
        changed(**fields)
    return {fault.path for fault in refused.value.faults}


def request(**more: Any) -> Json:
    base = {"operation": "provision", "project": "FIN-Margin", "owners": ["ana@contoso.com"]}
    return {**base, "environments": [{"name": "dev"}, {"name": "prod"}], **more}


def faults(body: Json, policy: PolicyDocument = POLICY) -> dict[str, str]:
    found = broken_rules(check(ProvisioningRequest, body).root, policy)
    return {fault.path: fault.message for fault in found}


def user(name: str = "ben@contoso.com", role: str = "Viewer", **more: Any) -> Json:
    return {"principal": name, "principalType": "User", "role": role, **more}


# ---- the document
def test_the_sample_fits_the_emulated_organisation() -> None:
    assert POLICY.capacity_id("premium-eu") == seed.CAPACITIES[0].id
    assert set(POLICY.principals.allowed_object_ids) >= {group.object_id for group in seed.GROUPS}
    assert POLICY.touches_capacity(seed.CAPACITIES[0].id)
    assert not POLICY.touches_capacity(seed.CAPACITIES[1].id)


def test_contradictions_are_told_all_at_once() -> None:
    found = document_faults(
        environments={"dev": {"capacity": "gold", "roles": ["Admin"]}},
        touch={"capacities": ["silver"], "namePrefixes": ["FIN-"]},
        principals={"maxAdmins": 1, "requiredOwners": 2},
    )
    assert found == {"environments.dev.capacity", "touch.capacities[0]", "principals.requiredOwners"}


@pytest.mark.parametrize("rule", ["(", "(a+)+$", "((ab)*c)*", "(x*){2,}", "a" * 501, "([a-z]+-?){3,9}Z"])
def test_a_naming_rule_that_does_not_compile_or_may_never_end_is_refused(rule: str) -> None:
    assert document_faults(naming=rule) == {"naming"}


@pytest.mark.parametrize("rule", [r"[)+(]+\)+", "(?:AB)+-[a-z]{2,}", r"(\(\+)*x", "[]a+)]+(b)+"])
def test_a_harmless_naming_rule_is_accepted(rule: str) -> None:
    assert rule_fault(rule) == ""


@pytest.mark.filterwarnings("ignore:Possible:FutureWarning")
@given(st.text(alphabet=r"ab[](){}*+?|\^-,12", max_size=12))
@settings(max_examples=500, deadline=None)
def test_any_text_as_a_naming_rule_is_judged_and_what_is_accepted_ends_soon(rule: str) -> None:
    if not rule_fault(rule):
        began = time.monotonic()
        matches(rule, "a" * 60 + "!")
        assert time.monotonic() - began < 2


def test_prefixes_are_not_empty_and_unknown_fields_are_refused() -> None:
    assert "touch.namePrefixes[0]" in document_faults(touch={"namePrefixes": [""]})
    assert "touch.everything" in document_faults(touch={"everything": True})


# ---- requests
def test_what_is_allowed_has_no_faults() -> None:
    entries = [user(), {"principal": GROUP, "principalType": "Group", "role": "Viewer"}]
    assert faults(request(access=entries, storageFormat="Small")) == {}


@pytest.mark.parametrize(
    ("more", "path", "said"),
    [
        ({"project": "OPS-x"}, "project", "FIN-, HR-"),
        ({"project": "FIN-a_b"}, "project", "naming rule"),
        ({"project": "FIN-" + "a" * 193}, "project", "3 to 200"),
        ({"environments": [{"name": "qa"}]}, "environments[0].name", "dev, test, prod"),
        ({"environments": [{"name": "prod", "capacity": "gold"}]}, "environments[0].capacity", "premium-eu"),
        ({"environments": [{"name": "prod", "capacity": "shared"}]}, "environments[0].capacity", "premium-eu"),
        ({"storageFormat": "Large"}, "storageFormat", "on shared: dev"),
        ({"owners": []}, "owners", "At least 1"),
        ({"owners": ["eve@fabrikam.com"]}, "owners[0]", "contoso.com"),
        ({"access": [user("eve@contoso.com.evil.org")]}, "access[0].principal", "contoso.com"),
        ({"access": [user(role="Contributor")]}, "access[0].role", "Admin, Viewer"),
        ({"access": [user(environments=["test"])]}, "access[0].environments[0]", "dev, prod"),
        ({"access": [user("ana@contoso.com")]}, "access[0].role", "owner"),
        ({"access": [user(), user(role="Admin")]}, "access[1].principal", "dev, prod"),
        ({"access": [user(f"u{n}@contoso.com", "Admin") for n in range(5)]}, "access", "at most 5"),
        (
            {"access": [{"principal": seed.CAPACITIES[0].id, "principalType": "App", "role": "Viewer"}]},
            "access[0].principal",
            GROUP,
        ),
    ],
)
def test_a_refusal_names_the_field_the_rule_and_what_is_allowed(more: Json, path: str, said: str) -> None:
    found = faults(request(**more))
    assert path in found
    assert said in found[path]


def test_one_principal_may_have_different_roles_in_different_environments() -> None:
    entries = [user(role="Member", environments=["dev"]), user(environments=["prod"])]
    assert faults(request(access=entries)) == {}


def test_a_capacity_outside_touch_is_refused() -> None:
    policy = changed(touch={"namePrefixes": ["FIN-"], "capacities": []})
    assert "touch.capacities" in faults(request(), policy)["environments[1].capacity"]


def test_who_may_not_be_given_access_may_still_lose_it() -> None:
    entry = {"principal": "eve@fabrikam.com", "principalType": "User"}
    body = {"operation": "revokeAccess", "project": "OLD-x", "access": [entry]}
    assert faults(body) == {}
    assert faults({**body, "operation": "grantAccess", "access": [{**entry, "role": "Viewer"}]}) != {}


def test_what_is_accepted_carries_what_the_policy_decided() -> None:
    body = accepted(check(ProvisioningRequest, request(access=[user()])).root, POLICY)
    dev, prod = orders(body)
    assert (dev.capacity_id, prod.capacity_id) == ("", seed.CAPACITIES[0].id)
    assert [(grant.principal.id, grant.role) for grant in prod.grants] == [
        ("ana@contoso.com", "Admin"),
        ("ben@contoso.com", "Viewer"),
    ]
    assert (dev.required_owners, dev.max_admins) == (1, 5)


# ---- guardrails
@pytest.mark.parametrize(
    ("target", "refusal"),
    [
        (Target(workspace_name="FIN-X-DEV"), None),
        (Target(workspace_id="w", workspace_name="fin-x"), OutsideTouch),
        (Target(workspace_id="w"), OutsideTouch),
        (Target(), OutsideTouch),
        (Target("w", "FIN-X-DEV", seed.CAPACITIES[0].id), None),
        (Target("w", "FIN-X-DEV", seed.CAPACITIES[1].id), OutsideTouch),
        (Target(workspace_id="D4000000-0000-4000-8000-000000000001", workspace_name="Sales"), None),
        (NOTHING, None),
    ],
)
def test_only_what_is_named_may_be_touched(target: Target, refusal: type[Exception] | None) -> None:
    ids = [ANALYTICS]
    policy = changed(touch={"namePrefixes": ["FIN-"], "capacities": ["premium-eu"], "workspaceIds": ids})
    guard = Guard(lambda: policy)
    if refusal is None:
        guard.check("x", target)
    else:
        with pytest.raises(refusal):
            guard.check("x", target)


def test_observe_refuses_what_would_be_allowed_and_no_policy_refuses_all() -> None:
    observing = changed(mode="observe")
    with pytest.raises(Observed):
        Guard(lambda: observing).check("x", Target(workspace_name="FIN-X-DEV"))
    with pytest.raises(Misconfigured):
        Guard(lambda: None).check("x", Target(workspace_name="FIN-X-DEV"))
    Guard(lambda: None).check("x", NOTHING)
