"""Requests are listed page by page, and found by their id alone."""

from __future__ import annotations

import uuid

import pytest

from shared.errors import Unknown
from shared.listing import Query, read_query
from shared.provisioning.service import FILTERS
from tests.doubles.clock import SECOND
from tests.e2e.provisioning.stage import ProvisioningStage, provision


def test_lists_page_newest_first_and_end(stage: ProvisioningStage) -> None:
    ids = []
    for number in range(5):
        ids.append(stage.submit(provision(f"FIN-P{number % 2}"))["id"])
        stage.advance(SECOND)
    found, token = [], None
    for _ in range(9):
        page = stage.provisioning.list(
            read_query({"top": "2"} | ({"continuationToken": token} if token else {}), FILTERS)
        )
        found += [each["id"] for each in page["value"]]
        token = page["continuationToken"]
        if token is None:
            break
    assert found == ids[::-1]
    of_project = stage.provisioning.list(Query({"status": "accepted", "project": "fin-p1"}))
    assert [each["id"] for each in of_project["value"]] == [ids[3], ids[1]]
    assert of_project["continuationToken"] is None
    assert stage.provisioning.list(Query({"status": "failed"}))["value"] == []


def test_a_request_that_nobody_made_is_unknown(stage: ProvisioningStage) -> None:
    for id in (str(uuid.uuid4()), "x", "../list", "list"):
        with pytest.raises(Unknown):
            stage.document(id)
