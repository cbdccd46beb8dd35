"""Workspaces that are there already: strangers' are not touched, adopted ones go back to what they were."""

from __future__ import annotations

import uuid

import pytest

from shared.errors import NotAllowed
from tests.doubles.clock import MINUTE
from tests.e2e.provisioning.stage import ADMIN, PORTAL, ProvisioningStage, access, provision
from tests.seeded import ANA, BEN, CAPACITY, CHLOE, OPERATIONS, SELLERS


@pytest.mark.parametrize("members", [(BEN,), (BEN, OPERATIONS), (OPERATIONS,)])
def test_a_strangers_workspace_is_not_touched(stage: ProvisioningStage, members: tuple[str, ...]) -> None:
    id = stage.stranger("fin-margin-dev", *members)
    before = stage.cloud.state()["workspaces"][id]
    document = stage.done(provision())
    assert (document["status"], document["error"]["code"]) == ("failed", "nameTaken")
    assert stage.cloud.state()["workspaces"][id] == before
    assert document["cleanup"] == []


def test_only_an_administrator_adopts(stage: ProvisioningStage) -> None:
    stage.stranger("FIN-Margin-DEV", BEN, OPERATIONS)
    with pytest.raises(NotAllowed, match=r"Provisioning\.Admin"):
        stage.submit(provision(adopt=True))
    document = stage.done(provision(adopt=True), ADMIN)
    assert document["status"] == "succeeded"
    assert document["environments"]["dev"]["created"] is False
    assert stage.members("FIN-Margin-DEV") == {BEN: "Admin", ANA: "Admin"}
    assert stage.done(provision(), ADMIN)["status"] == "succeeded"  # it is registered now


def test_undo_of_an_adopted_workspace_leaves_it_as_it_was(stage: ProvisioningStage) -> None:
    stage.touch(capacities=["premium-eu"])
    stage.stranger("FIN-Margin-DEV", BEN, OPERATIONS, capacityId=CAPACITY)
    stage.stranger("FIN-Margin-TEST", BEN)
    before = stage.cloud.state()["workspaces"]
    body = provision(environments="dev test", adopt=True, access=[access(BEN, "Admin"), access(CHLOE)])
    document = stage.done(body, ADMIN)
    assert (document["status"], document["error"]["code"]) == ("failed", "nameTaken")
    stage.advance(MINUTE)
    now = stage.cloud.state()["workspaces"]
    for id, workspace in before.items():
        assert now[id]["members"] == workspace["members"]
        assert now[id]["capacityId"] == workspace["capacityId"]


def test_a_grant_that_existed_is_not_undone_and_a_raised_role_goes_back(stage: ProvisioningStage) -> None:
    stage.stranger("FIN-Margin-DEV", BEN, OPERATIONS)
    id = stage.stranger("FIN-Margin-TEST", BEN)
    members = {CHLOE: {"right": "Viewer", "since": "2026-01-01T00:00:00Z"}}
    dev = stage.workspace("FIN-Margin-DEV")["id"]
    stage.cloud.change(workspaces={dev: {"members": members}})
    body = provision(
        environments="dev test",
        adopt=True,
        access=[access(CHLOE, "Member"), access(BEN, "Admin"), access(SELLERS, "Viewer", "Group")],
    )
    document = stage.done(body, ADMIN)
    assert document["status"] == "failed"
    assert stage.members("FIN-Margin-DEV") == {BEN: "Admin", CHLOE: "Viewer"}
    assert list(stage.cloud.state()["workspaces"][id]["members"]) == [BEN]


def test_a_workspace_that_was_deleted_is_made_again(stage: ProvisioningStage) -> None:
    first = stage.done(provision())["environments"]["dev"]["workspaceId"]
    stage.cloud.change(workspaces={first: {"state": "Deleted", "members": None}})
    document = stage.done(provision())
    assert document["status"] == "succeeded"
    assert document["environments"]["dev"]["created"] is True
    assert document["environments"]["dev"]["workspaceId"] != first
    again = stage.done(provision())
    assert again["environments"]["dev"]["workspaceId"] == document["environments"]["dev"]["workspaceId"]


def test_a_workspace_that_we_were_shut_out_of_is_not_visible(stage: ProvisioningStage) -> None:
    id = stage.done(provision())["environments"]["dev"]["workspaceId"]
    stage.cloud.change(workspaces={id: {"members": {OPERATIONS: None}}})
    document = stage.done(provision())
    assert (document["status"], document["error"]["code"]) == ("failed", "notVisible")
    assert len(stage.workspaces()) == 1


def test_content_that_somebody_put_into_it_meanwhile_is_not_deleted(stage: ProvisioningStage) -> None:
    stage.cloud.change(switches={"capacityAssignment": "PT10M"})
    accepted = stage.submit(provision(environments="prod"))
    stage.deliver()
    id = stage.workspace("FIN-Margin-PROD")["id"]
    stage.cloud.change(reports={str(uuid.uuid4()): {"name": "Mine", "workspaceId": id}})
    stage.provisioning.cancel(PORTAL, accepted["id"])
    stage.settle()
    document = stage.document(accepted["id"])
    assert document["status"] == "cancelled"
    assert [each["status"] for each in document["cleanup"]] == ["left"]
    assert stage.workspace("FIN-Margin-PROD")["id"] == id
