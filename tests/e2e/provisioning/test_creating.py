"""What is asked for is there at the end, and a second request for it changes nothing."""

from __future__ import annotations

import pytest

from shared.errors import Ended
from tests.e2e.provisioning.stage import GHOST, OTHER, ProvisioningStage, access, provision, step
from tests.seeded import ANA, ANALYSTS, BEN, CAPACITY, OPERATIONS


# ---- from nothing
def test_three_environments_are_made_from_nothing(stage: ProvisioningStage) -> None:
    grants = [access(ANALYSTS, "Member", "Group", "dev test"), access(BEN, "Viewer", environments="prod")]
    document = stage.done(provision(environments="dev test prod", access=grants, storageFormat="Small"))

    assert document["status"] == "succeeded"
    assert document["progress"] == {"done": 12, "of": 12}
    assert stage.members("FIN-Margin-DEV") == {ANA: "Admin", ANALYSTS: "Member"}
    assert stage.members("FIN-Margin-TEST") == {ANA: "Admin", ANALYSTS: "Member"}
    assert stage.members("FIN-Margin-PROD") == {ANA: "Admin", BEN: "Viewer"}
    assert [stage.workspace(f"FIN-Margin-{name}")["capacityId"] for name in ("DEV", "TEST", "PROD")] == [
        "",
        CAPACITY,
        CAPACITY,
    ]
    assert step(document, "test", "capacity")["status"] == "done"
    assert step(document, "dev", "capacity")["status"] == "skipped"
    assert stage.told() == ["provisioning.succeeded"]


def test_an_identical_second_request_changes_nothing(stage: ProvisioningStage) -> None:
    body = provision(environments="dev test prod", access=[access(ANALYSTS, "Viewer", "Group")])
    first = stage.done(body)
    stage.forget()
    second = stage.done(body)

    assert second["status"] == "succeeded"
    assert second["id"] != first["id"]
    assert stage.mutating() == []
    assert len(stage.calls("GET")) == 6  # the workspace and its members, in each environment
    assert {each["status"] for each in second["environments"]["prod"]["access"]} == {"unchanged"}
    assert all(step["status"] == "skipped" for each in second["environments"].values() for step in each["steps"])


def test_the_same_key_answers_the_same_request_and_does_nothing(stage: ProvisioningStage) -> None:
    first = stage.done(provision(requestId="margin-2026-11"))
    stage.forget()
    assert stage.submit(provision(requestId="margin-2026-11"))["id"] == first["id"]
    assert stage.submit(provision(), key="margin-2026-11")["status"] == "succeeded"
    assert stage.calls("GET", "POST") == []
    with pytest.raises(Ended):
        stage.submit(provision("FIN-Other", requestId="margin-2026-11"))
    assert stage.submit(provision("FIN-Other", requestId="margin-2026-11"), OTHER)["id"] != first["id"]


def test_a_user_whom_nobody_knows_is_a_warning_on_its_own_line(stage: ProvisioningStage) -> None:
    document = stage.done(provision(access=[access(GHOST), access(BEN)]))
    assert document["status"] == "succeededWithWarnings"
    lines = {each["principal"]: each["status"] for each in document["environments"]["dev"]["access"]}
    assert lines == {ANA: "granted", GHOST: "failed", BEN: "granted"}
    assert GHOST in document["warnings"][0]
    assert stage.members("FIN-Margin-DEV") == {ANA: "Admin", BEN: "Viewer"}


def test_without_enough_owners_it_fails_and_is_taken_back(stage: ProvisioningStage) -> None:
    document = stage.done(provision(owners=[GHOST]))
    assert (document["status"], document["error"]["code"]) == ("failed", "noOwners")
    assert document["error"]["step"] == "dev/access"
    assert stage.workspaces() == []
    assert document["cleanup"] == [{"what": document["cleanup"][0]["what"], "status": "undone", "remedy": ""}]
    assert stage.told() == ["provisioning.failed"]


def test_a_description_is_a_warning(stage: ProvisioningStage) -> None:
    document = stage.done(provision(description="Margin reporting"))
    assert document["warnings"] == ["The description was not set: Power BI's API lets only administrators do that."]


# ---- capacity
def test_a_slow_assignment_is_waited_for_without_asking_often(stage: ProvisioningStage) -> None:
    stage.cloud.change(switches={"capacityAssignment": "PT10M", "capacityPending": "PT1M"})
    document = stage.done(provision(environments="prod"))
    assert document["status"] == "succeeded"
    assert len(stage.calls("GET", path="CapacityAssignmentStatus")) < 60


def test_a_capacity_that_refuses_ends_in_undo_with_its_request_id(stage: ProvisioningStage) -> None:
    stage.cloud.change(capacities={CAPACITY: {"rights": {OPERATIONS: None}}})
    document = stage.done(provision(environments="dev prod"))
    assert (document["status"], document["error"]["code"]) == ("failed", "capacityRefused")
    assert document["error"]["requestId"]
    assert document["error"]["step"] == "prod/capacity"
    assert stage.workspaces() == []
    assert [each["status"] for each in document["cleanup"]] == ["undone", "undone"]


def test_an_assignment_that_fails_ends_in_undo(stage: ProvisioningStage) -> None:
    stage.cloud.change(capacities={CAPACITY: {"nextAssignment": "AssignmentFailed"}})
    document = stage.done(provision(environments="prod"))
    assert (document["status"], document["error"]["code"]) == ("failed", "capacityRefused")
    assert stage.workspaces() == []


def test_the_storage_format_is_set_on_a_capacity(stage: ProvisioningStage) -> None:
    document = stage.done(provision(environments="test", storageFormat="Large"))
    assert document["status"] == "succeeded"
    assert stage.workspace("FIN-Margin-TEST")["storageFormat"] == "Large"


def test_a_workspace_that_shows_late_is_waited_for(stage: ProvisioningStage) -> None:
    stage.cloud.change(switches={"workspaceAccessLag": "PT2M", "workspaceListLag": "PT2M"})
    document = stage.done(provision(environments="dev prod"))
    assert document["status"] == "succeeded"
    assert len(stage.workspaces()) == 2


def test_the_plan_says_what_would_be_done_and_does_nothing(stage: ProvisioningStage) -> None:
    stage.done(provision())
    stage.forget()
    before = dict(stage.workflows.rows)
    plan = stage.plan(provision(environments="dev prod", access=[access(BEN)], description="x"))
    assert stage.mutating() == []
    dev = [(each["name"], each["action"]) for each in plan["environments"]["dev"]["steps"]]
    prod = [(each["name"], each["action"]) for each in plan["environments"]["prod"]["steps"]]
    assert dev == [("access", "grant")]
    assert prod == [("workspace", "create"), ("capacity", "assign"), ("access", "grant"), ("access", "grant")]
    assert stage.workflows.rows == before
