"""Requests that other systems put on the queue."""

from __future__ import annotations

import base64
import json
import uuid

import pytest

from shared.errors import Ended, Misconfigured, NotAllowed, Retryable
from shared.listing import Query
from shared.workflow.timing import Timing
from tests.e2e.provisioning.stage import ADMIN, ProvisioningStage, access, provision
from tests.seeded import BEN


def message(body: object) -> bytes:
    return json.dumps(body).encode()


def test_a_message_is_a_request_of_the_client_queue(stage: ProvisioningStage) -> None:
    stage.queued.take(str(uuid.uuid4()), message(provision(requestId="from-queue-1")))
    stage.queued.take(str(uuid.uuid4()), base64.b64encode(message(provision(requestId="from-queue-1"))))
    stage.settle()
    (listed,) = stage.provisioning.list(Query())["value"]
    assert (listed["status"], listed["caller"]["clientId"]) == ("succeeded", "queue")
    with pytest.raises(NotAllowed):
        stage.submit(provision())


def test_the_same_message_delivered_twice_is_one_request(stage: ProvisioningStage) -> None:
    id = str(uuid.uuid4())
    for _ in range(2):
        stage.queued.take(id, message(provision()))
    assert len(stage.provisioning.list(Query())["value"]) == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (message(provision(owners=["eve@fabrikam.com"], requestId="bad-queue-1")), "owners[0]"),
        (message({**provision(requestId="bad-queue-1"), "foo": 1}), "foo"),
        (message({"operation": "revokeAccess", "project": "FIN-Margin", "access": [access(BEN, None)]}), "operation"),
        (message(provision(adopt=True)), "Provisioning.Admin"),
        (b"not json", "not JSON"),
        (b'{"operation": "provision", "operation": "provision"}', "more than once"),
        (b"[]", "JSON object"),
    ],
)
def test_a_message_that_can_never_succeed_is_told_and_kept_with_the_reason(
    stage: ProvisioningStage, body: bytes, said: str
) -> None:
    id = str(uuid.uuid4())
    for _ in range(2):
        stage.queued.take(id, body)
    (copy,) = stage.rejected.documents()
    assert said in copy["reason"] + str(copy["errors"])
    document = stage.document(copy["requestId"])
    assert (document["status"], document["error"]["code"]) == ("failed", "invalidRequest")
    assert said in document["error"]["message"]
    assert stage.told() == ["provisioning.failed"]
    assert stage.calls("GET", "POST") == []
    with pytest.raises((Ended, NotAllowed)):
        stage.provisioning.retry(ADMIN, copy["requestId"])


def test_a_message_waits_for_a_policy(stage: ProvisioningStage) -> None:
    stage.policy = None
    with pytest.raises(Misconfigured):
        stage.queued.take(str(uuid.uuid4()), message(provision()))
    assert stage.rejected.documents() == []


def test_a_message_for_a_project_with_a_full_line_waits_and_is_not_rejected(stage: ProvisioningStage) -> None:
    for _ in range(Timing().most_in_line):
        stage.queued.take(str(uuid.uuid4()), message(provision()))
    one_too_many = str(uuid.uuid4())
    with pytest.raises(Retryable) as waits:
        stage.queued.take(one_too_many, message(provision()))
    assert (waits.value.retry_after, stage.rejected.documents()) == (60, [])
    stage.queued.take(one_too_many, message(provision("FIN-Other")))


def test_a_poisoned_message_is_kept_and_told(stage: ProvisioningStage) -> None:
    stage.queued.poisoned(str(uuid.uuid4()), message(provision(requestId="poison-1")))
    (copy,) = stage.rejected.documents()
    assert stage.document(copy["requestId"])["error"]["code"] == "internal"
