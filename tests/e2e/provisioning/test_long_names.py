"""Letters outside a-z make keys many times as long as they look; storage takes keys of 512 characters."""

from __future__ import annotations

import json
import uuid

import pytest

from shared.errors import InvalidRequest
from shared.listing import read_query
from shared.provisioning.service import FILTERS
from tests.e2e.provisioning.stage import ProvisioningStage, provision

LONG = "😀" * 100


def test_a_message_whose_project_has_no_key_is_told_all_the_same(stage: ProvisioningStage) -> None:
    stage.queued.take(str(uuid.uuid4()), json.dumps(provision(LONG)).encode())
    (copy,) = stage.rejected.documents()
    document = stage.document(copy["requestId"])
    assert (document["status"], document["project"]) == ("failed", "-")
    assert "project: Too long" in document["error"]["message"]
    assert stage.told() == ["provisioning.failed"]


def test_a_list_of_a_project_that_no_request_can_name_is_refused(stage: ProvisioningStage) -> None:
    with pytest.raises(InvalidRequest) as refused:
        stage.provisioning.list(read_query({"project": LONG}, FILTERS))
    assert [fault.path for fault in refused.value.faults] == ["project"]
