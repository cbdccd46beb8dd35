"""Power BI does not answer, or answers late: nothing is made twice, nothing is lost, nothing is sent too early."""

from __future__ import annotations

import uuid

import pytest

from tests.doubles.clock import MINUTE, SECOND
from tests.e2e.provisioning.stage import GHOST, PORTAL, ProvisioningStage, access, provision
from tests.seeded import BEN, CHLOE, OPERATIONS, POWER_BI


# ---- answers that are lost
def test_a_workspace_whose_creation_was_not_answered_is_taken_over(stage: ProvisioningStage) -> None:
    stage.cloud.fault(POWER_BI, "/groups$", method="POST", drop="after")
    document = stage.done(provision())
    assert document["status"] == "succeeded"
    assert document["environments"]["dev"]["created"] == "uncertain"
    assert len(stage.workspaces("FIN-Margin-DEV")) == 1
    assert "createWorkspace found" in stage.audited()


def test_it_is_taken_over_though_it_shows_late_and_not_made_twice(stage: ProvisioningStage) -> None:
    stage.cloud.change(switches={"workspaceListLag": "PT8M", "workspaceAccessLag": "PT8M"})
    stage.cloud.fault(POWER_BI, "/groups$", method="POST", drop="after")
    document = stage.done(provision())
    assert document["status"] == "succeeded"
    assert len(stage.workspaces("FIN-Margin-DEV")) == 1
    assert len(stage.calls("POST", path="/groups")) <= 3


def test_a_create_that_never_had_an_effect_is_sent_again_only_when_it_can_have_none(stage: ProvisioningStage) -> None:
    stage.cloud.fault(POWER_BI, "/groups$", method="POST", drop="before")
    accepted = stage.submit(provision())
    began = stage.now()
    while not stage.workspaces():
        stage.deliver()
        assert stage.workspaces() == [] or stage.now() - began >= 5 * MINUTE
        stage.advance(20 * SECOND)
    stage.settle()
    assert stage.document(accepted["id"])["status"] == "succeeded"


def test_an_unanswered_create_of_a_name_that_stays_hidden_is_left_and_named(stage: ProvisioningStage) -> None:
    stage.cloud.fault(POWER_BI, "/groups$", method="POST", drop="before")
    accepted = stage.submit(provision())
    stage.deliver()
    stage.stranger("FIN-Margin-DEV", BEN)
    stage.settle()
    document = stage.document(accepted["id"])
    assert (document["status"], document["error"]["code"]) == ("failed", "notVisible")
    assert [(each["what"], each["status"]) for each in document["cleanup"]] == [("workspace FIN-Margin-DEV", "left")]


@pytest.mark.parametrize("used", ["members", "content"])
def test_what_others_use_is_never_taken_for_ours_after_a_lost_answer(stage: ProvisioningStage, used: str) -> None:
    stage.cloud.fault(POWER_BI, "/groups$", method="POST", drop="before")
    accepted = stage.submit(provision())
    stage.deliver()
    id = stage.stranger("FIN-Margin-DEV", OPERATIONS, *([BEN] if used == "members" else []))
    if used == "content":
        report = {"name": "Mine", "workspaceId": id}
        stage.cloud.change(reports={str(uuid.uuid4()): report})
    stage.settle()
    document = stage.document(accepted["id"])
    assert (document["status"], document["error"]["code"]) == ("failed", "nameTaken")
    assert stage.workspace("FIN-Margin-DEV")["id"] == id
    assert document["cleanup"][0]["status"] == "left"


def test_cancel_after_a_lost_answer_removes_what_shows_up_late(stage: ProvisioningStage) -> None:
    stage.cloud.change(switches={"workspaceListLag": "PT4M"})
    stage.cloud.fault(POWER_BI, "/groups$", method="POST", drop="after")
    accepted = stage.submit(provision())
    stage.deliver()
    assert len(stage.workspaces()) == 1
    stage.provisioning.cancel(PORTAL, accepted["id"])
    stage.settle()
    document = stage.document(accepted["id"])
    assert (document["status"], document["error"]["code"]) == ("cancelled", "cancelled")
    assert stage.workspaces() == []
    assert stage.told() == ["provisioning.cancelled"]


def test_grants_whose_answers_were_lost_are_not_given_twice(stage: ProvisioningStage) -> None:
    stage.cloud.fault(POWER_BI, "/users$", method="POST", drop="after", skip=1)
    document = stage.done(provision(access=[access(BEN), access(CHLOE)]))
    assert document["status"] == "succeeded"
    assert {each["status"] for each in document["environments"]["dev"]["access"]} == {"granted"}
    assert len(stage.calls("POST", path="/users")) == 3


def test_a_deletion_whose_answer_was_lost_is_told_as_done(stage: ProvisioningStage) -> None:
    stage.cloud.fault(POWER_BI, "/groups/", method="DELETE", drop="after")
    document = stage.done(provision(owners=[GHOST]))
    assert document["status"] == "failed"
    assert [each["status"] for each in document["cleanup"]] == ["undone"]
    assert stage.workspaces() == []


# ---- outages
def test_ten_minutes_without_power_bi_fail_nothing_and_poison_nothing(stage: ProvisioningStage) -> None:
    stage.cloud.fault(POWER_BI, ".*", status=503, times=10_000, body="")
    accepted = stage.submit(provision(environments="dev prod"))
    until = stage.now() + 10 * MINUTE
    while stage.now() < until:
        stage.deliver()
        stage.sweep()
        stage.advance(15 * SECOND)
    assert stage.document(accepted["id"])["status"] == "waiting"
    stage.cloud.control("DELETE", "faults")
    stage.settle()
    assert stage.document(accepted["id"])["status"] == "succeeded"
    assert len(stage.workspaces()) == 2


def test_nothing_is_sent_before_retry_after_is_over(stage: ProvisioningStage) -> None:
    stage.cloud.fault(POWER_BI, "/groups", method="GET", status=429, headers={"Retry-After": "600"})
    accepted = stage.submit(provision())
    stage.deliver()
    for _ in range(9):
        stage.advance(MINUTE)
        stage.sweep()
        stage.deliver()
    assert len(stage.calls("GET", "POST")) == 1
    stage.settle()
    assert stage.document(accepted["id"])["status"] == "succeeded"
