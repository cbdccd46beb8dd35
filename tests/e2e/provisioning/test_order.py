"""Whose project it is, whose turn it is, and what cancel and retry do."""

from __future__ import annotations

import uuid

import pytest

from shared.errors import Ended, NotAllowed, TooManyRequests
from shared.workflow.timing import Timing
from tests.e2e.provisioning.stage import ADMIN, GHOST, OTHER, PORTAL, ProvisioningStage, access, provision
from tests.seeded import ANA, BEN, CAPACITY


def test_a_project_belongs_to_the_client_that_created_it(stage: ProvisioningStage) -> None:
    first = stage.done(provision())
    with pytest.raises(NotAllowed, match="belongs to another client"):
        stage.submit(provision(), OTHER)
    for act in (stage.provisioning.cancel, stage.provisioning.retry):
        with pytest.raises(NotAllowed):
            act(OTHER, first["id"])
    assert stage.done(provision(), ADMIN)["status"] == "succeeded"


def test_two_clients_that_want_one_project_at_once_do_not_share_it(stage: ProvisioningStage) -> None:
    first, second = stage.submit(provision()), stage.submit(provision(), OTHER)
    stage.settle()
    assert stage.document(first["id"])["status"] == "succeeded"
    document = stage.document(second["id"])
    assert (document["status"], document["error"]["code"]) == ("failed", "forbidden")
    assert len(stage.workspaces()) == 1


# ---- one project at a time
def test_two_requests_for_one_project_come_one_after_the_other(stage: ProvisioningStage) -> None:
    stage.cloud.change(switches={"capacityAssignment": "PT5M"})
    first = stage.submit(provision(environments="prod"))
    second = stage.submit(provision("fin-margin".upper().replace("MARGIN", "Margin"), "prod", access=[access(BEN)]))
    stage.deliver()
    stage.deliver()
    waiting = stage.document(second["id"])
    assert (waiting["status"], waiting["waitingFor"]) == (
        "waiting",
        f"Waits for request {first['id']}, which works on the same project.",
    )
    stage.settle()
    assert stage.document(second["id"])["status"] == "succeeded"
    assert stage.members("FIN-Margin-PROD") == {ANA: "Admin", BEN: "Viewer"}
    assert len(stage.workspaces()) == 1


def test_a_request_that_fails_hands_the_project_to_the_one_that_waits(stage: ProvisioningStage) -> None:
    first, second = stage.submit(provision(owners=[GHOST])), stage.submit(provision())
    stage.settle()
    assert stage.document(first["id"])["status"] == "failed"
    assert stage.document(second["id"])["status"] == "succeeded"
    assert stage.members("FIN-Margin-DEV") == {ANA: "Admin"}


def test_a_line_that_is_full_takes_no_more_but_plans_and_repeats(stage: ProvisioningStage) -> None:
    for number in range(Timing().most_in_line):
        stage.submit(provision(), key=f"in-line-{number:04}")
    with pytest.raises(TooManyRequests, match="100 requests"):
        stage.submit(provision(), key="one-too-many")
    assert stage.submit(provision(), key="in-line-0007")["status"] == "accepted"
    assert stage.plan(provision())["dryRun"] is True


# ---- cancel and retry
def test_cancel_takes_back_what_was_made(stage: ProvisioningStage) -> None:
    stage.cloud.change(switches={"capacityAssignment": "PT30M"})
    accepted = stage.submit(provision(environments="dev prod"))
    stage.deliver()
    assert len(stage.workspaces()) == 2
    assert stage.provisioning.cancel(PORTAL, accepted["id"])["cancelRequested"] is True
    stage.settle()
    assert stage.workspaces() == []
    with pytest.raises(Ended):
        stage.provisioning.cancel(PORTAL, accepted["id"])


def test_retry_begins_again_by_the_policy_of_now(stage: ProvisioningStage) -> None:
    assert stage.policy is not None
    stage.change_policy(capacities={"premium-eu": str(uuid.uuid4())})
    failed = stage.done(provision(environments="prod"))
    assert failed["error"]["code"] == "capacityRefused"
    stage.change_policy(capacities={"premium-eu": CAPACITY})
    stage.provisioning.retry(PORTAL, failed["id"])
    stage.settle()
    document = stage.document(failed["id"])
    assert (document["status"], document["error"]) == ("succeeded", None)
    assert stage.told() == ["provisioning.failed", "provisioning.succeeded"]
    with pytest.raises(Ended):
        stage.provisioning.retry(PORTAL, failed["id"])
