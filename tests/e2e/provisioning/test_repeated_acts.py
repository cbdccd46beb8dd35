"""Cancel and retry are answered with 202 too, so a client whose answer was lost may send them again under its key."""

from __future__ import annotations

import uuid

import pytest

from shared.errors import Ended, InvalidRequest
from tests.e2e.provisioning.stage import PORTAL, ProvisioningStage, provision
from tests.seeded import CAPACITY

KEY = "portal-act-0001"


def test_a_repeated_cancel_answers_what_has_come_of_it(stage: ProvisioningStage) -> None:
    accepted = stage.submit(provision())
    assert stage.provisioning.cancel(PORTAL, accepted["id"], KEY)["cancelRequested"] is True
    stage.settle()
    assert stage.provisioning.cancel(PORTAL, accepted["id"], KEY)["status"] == "cancelled"
    with pytest.raises(Ended):
        stage.provisioning.cancel(PORTAL, accepted["id"], "portal-act-0002")


def test_a_repeated_retry_does_not_begin_once_more(stage: ProvisioningStage) -> None:
    stage.change_policy(capacities={"premium-eu": str(uuid.uuid4())})
    failed = stage.done(provision(environments="prod"))
    stage.provisioning.retry(PORTAL, failed["id"], KEY)
    stage.settle()
    stage.change_policy(capacities={"premium-eu": CAPACITY})
    assert stage.provisioning.retry(PORTAL, failed["id"], KEY)["status"] == "failed"
    assert stage.provisioning.retry(PORTAL, failed["id"], "portal-act-0002")["status"] == "accepted"
    assert stage.provisioning.retry(PORTAL, failed["id"], "portal-act-0002")["status"] == "accepted"


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
