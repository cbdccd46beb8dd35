"""What the policy does not allow is refused, and what the guardrails do not let through is not sent."""

from __future__ import annotations

import pytest

from shared.errors import InvalidRequest, NotAllowed
from tests.e2e.provisioning.stage import ProvisioningStage, access, provision
from tests.seeded import ANA, BEN, OPERATIONS


# ---- who may
def test_what_the_policy_does_not_allow_is_told_all_at_once_and_nothing_is_called(stage: ProvisioningStage) -> None:
    body = provision("OPS-x y", "dev qa", owners=["eve@fabrikam.com"], access=[access(OPERATIONS, "Viewer", "App")])
    with pytest.raises(InvalidRequest) as refused:
        stage.submit(body)
    paths = {fault.path for fault in refused.value.faults}
    assert paths == {"project", "environments[1].name", "owners[0]", "access[0].principal"}
    assert stage.calls("GET", "POST") == []


def test_without_a_policy_nothing_may_be_asked_for(stage: ProvisioningStage) -> None:
    stage.policy = None
    with pytest.raises(NotAllowed, match=r"policy\.yaml"):
        stage.submit(provision())


# ---- guardrails
def test_mode_observe_makes_no_mutating_call(stage: ProvisioningStage) -> None:
    stage.change_policy(mode="observe")
    document = stage.done(provision(environments="dev prod", storageFormat="Small", access=[access(BEN)]))
    assert document["status"] == "succeededWithWarnings"
    assert stage.mutating() == []
    assert len(document["warnings"]) == 8
    assert "creating 'FIN-Margin-DEV' was planned" in document["warnings"][0]
    stage.change_policy(mode="act")
    assert stage.done(provision(environments="dev prod"))["environments"]["dev"]["created"] is True


def test_mode_observe_leaves_what_exists_as_it_is(stage: ProvisioningStage) -> None:
    stage.done(provision())
    stage.change_policy(mode="observe")
    stage.forget()
    document = stage.done(provision(access=[access(BEN)]))
    assert document["status"] == "succeededWithWarnings"
    assert stage.mutating() == []
    assert stage.members("FIN-Margin-DEV") == {ANA: "Admin"}


def test_what_lies_outside_touch_is_refused_before_it_is_sent(stage: ProvisioningStage) -> None:
    accepted = stage.submit(provision(environments="prod"))
    stage.touch(name_prefixes=["HR-"])  # narrowed after it was accepted
    stage.settle()
    document = stage.document(accepted["id"])
    assert (document["status"], document["error"]["code"]) == ("failed", "outsideTouch")
    assert stage.mutating() == []


def test_a_capacity_outside_touch_is_refused_and_what_was_made_is_taken_back(stage: ProvisioningStage) -> None:
    accepted = stage.submit(provision(environments="prod"))
    stage.touch(capacities=[])
    stage.settle()
    assert stage.document(accepted["id"])["error"]["code"] == "outsideTouch"
    assert [call.split()[0] for call in stage.mutating()] == ["POST", "DELETE"]
    assert stage.workspaces() == []
