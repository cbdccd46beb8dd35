"""Cancel and retry are answered with 202 too, so a client whose answer was lost may send them again under its key."""

from __future__ import annotations

import uuid

import pytest

from shared.errors import Ended, InvalidRequest
from tests.doubles.taps import Crash, Meanwhile, breaks, untapped
from tests.e2e.provisioning.stage import PORTAL, ProvisioningStage, provision
from tests.seeded import CAPACITY

KEY, ANOTHER = "portal-act-0001", "portal-act-0002"
NOTING = "table idempotency replace"
"""What is left to do when an act has had its effect."""


def test_a_repeated_cancel_answers_what_has_come_of_it(stage: ProvisioningStage) -> None:
    accepted = stage.submit(provision())
    assert stage.provisioning.cancel(PORTAL, accepted["id"], KEY)["cancelRequested"] is True
    stage.settle()
    assert stage.provisioning.cancel(PORTAL, accepted["id"], KEY)["status"] == "cancelled"
    with pytest.raises(Ended):
        stage.provisioning.cancel(PORTAL, accepted["id"], ANOTHER)


def test_a_repeated_retry_does_not_begin_once_more(stage: ProvisioningStage) -> None:
    stage.change_policy(capacities={"premium-eu": str(uuid.uuid4())})
    failed = stage.done(provision(environments="prod"))
    stage.provisioning.retry(PORTAL, failed["id"], KEY)
    stage.settle()
    stage.change_policy(capacities={"premium-eu": CAPACITY})
    assert stage.provisioning.retry(PORTAL, failed["id"], KEY)["status"] == "failed"
    assert stage.provisioning.retry(PORTAL, failed["id"], ANOTHER)["status"] == "accepted"
    assert stage.provisioning.retry(PORTAL, failed["id"], ANOTHER)["status"] == "accepted"


def test_a_cancel_that_was_carried_out_and_not_noted_answers_its_repeat(stage: ProvisioningStage) -> None:
    accepted = stage.submit(provision())
    stage.tap = breaks(NOTING)
    with pytest.raises(Crash):
        stage.provisioning.cancel(PORTAL, accepted["id"], KEY)
    stage.tap = untapped
    stage.settle()
    assert stage.provisioning.cancel(PORTAL, accepted["id"], KEY)["status"] == "cancelled"
    with pytest.raises(Ended):
        stage.provisioning.cancel(PORTAL, accepted["id"], ANOTHER)


def test_a_retry_that_was_carried_out_and_not_noted_answers_its_repeat(stage: ProvisioningStage) -> None:
    stage.change_policy(capacities={"premium-eu": str(uuid.uuid4())})
    failed = stage.done(provision(environments="prod"))
    stage.tap = breaks(NOTING)
    with pytest.raises(Crash):
        stage.provisioning.retry(PORTAL, failed["id"], KEY)
    stage.tap = untapped
    stage.settle()
    stage.policy = None  # nothing new would be allowed
    assert stage.provisioning.retry(PORTAL, failed["id"], KEY)["status"] == "failed"
    assert stage.told() == ["provisioning.failed", "provisioning.failed"]


def test_a_retry_that_comes_too_late_changes_nothing_about_the_one_that_runs(stage: ProvisioningStage) -> None:
    """It was allowed by a policy that names a capacity which is not there; and the other one by the policy after it."""
    stage.cloud.change(switches={"capacityAssignment": "PT5M"})
    stage.change_policy(capacities={"premium-eu": str(uuid.uuid4())})
    failed = stage.done(provision(environments="dev prod"))

    def another() -> None:
        stage.change_policy(capacities={"premium-eu": CAPACITY})
        stage.provisioning.retry(PORTAL, failed["id"], ANOTHER)
        stage.deliver()

    stage.tap = Meanwhile("blob requests put", another)
    with pytest.raises(Ended, match="failed"):
        stage.provisioning.retry(PORTAL, failed["id"], KEY)
    stage.tap = untapped
    stage.settle()
    assert stage.document(failed["id"])["status"] == "succeeded"


def test_a_refused_act_leaves_its_key_free_for_when_it_may_be_done(stage: ProvisioningStage) -> None:
    done = stage.done(provision())
    with pytest.raises(Ended, match="failed"):
        stage.provisioning.retry(PORTAL, done["id"], KEY)
    with pytest.raises(Ended, match="succeeded"):
        stage.provisioning.cancel(PORTAL, done["id"], KEY)


def test_a_key_is_for_one_request_and_well_formed(stage: ProvisioningStage) -> None:
    first, second = stage.submit(provision()), stage.submit(provision("FIN-Other"))
    stage.provisioning.cancel(PORTAL, first["id"], KEY)
    with pytest.raises(Ended, match="idempotency key"):
        stage.provisioning.cancel(PORTAL, second["id"], KEY)
    with pytest.raises(InvalidRequest):
        stage.provisioning.cancel(PORTAL, second["id"], "short")
    assert stage.document(second["id"])["cancelRequested"] is False
