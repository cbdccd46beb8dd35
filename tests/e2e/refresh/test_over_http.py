"""Refresh runs as clients see them: in the host, over HTTP, with tokens from Entra; and files that land."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from azure.storage.blob import ContainerClient

from shared.refresh.run_document import RunDocument, RunList
from shared.validation import check
from tests.contract.checks import check_requests
from tests.e2e.hosted import Hosted, hosting
from tests.e2e.refresh.stage import WORKSPACES
from tests.e2e.stage import Json
from tests.seeded import ANALYTICS, CALENDAR
from tests.waiting import eventually


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    with hosting(tmp_path_factory.mktemp("refreshing")) as started:
        started.cloud.change(datasets={dataset_id: {"refreshDuration": "PT1S"} for dataset_id in WORKSPACES})
        yield started
        assert check_requests(started.cloud.calls()) == []


def ended(hosted: Hosted, run_id: str) -> Json:
    token = hosted.cloud.caller_token("auditor")
    run: Json = eventually(
        lambda: hosted.call("GET", f"refresh-runs/{run_id}", token).json(),
        lambda run: run["status"] not in ("queued", "waiting", "running"),
    )
    check(RunDocument, run)
    return run


def test_a_run_is_started_followed_and_listed(hosted: Hosted) -> None:
    operator, auditor = hosted.cloud.caller_token("operator"), hosted.cloud.caller_token("auditor")
    key = {"Idempotency-Key": str(uuid.uuid4())}
    started = hosted.call("POST", "refresh-runs", operator, json={"dataset": "margin"}, headers=key)
    assert started.status_code == 202, started.text
    run_id = started.json()["id"]
    assert (started.headers["Location"], started.headers["Retry-After"]) == (f"/api/refresh-runs/{run_id}", "5")
    done = ended(hosted, run_id)
    assert (done["status"], done["trigger"], done["refreshType"]) == ("completed", "manual", "ViaEnhancedApi")
    again = hosted.call("POST", "refresh-runs", operator, json={"dataset": "margin"}, headers=key)
    assert (again.status_code, again.json()) == (202, done)
    other = hosted.call("POST", "refresh-runs", operator, json={"dataset": "sales"}, headers=key)
    assert other.status_code == 409
    assert hosted.call("POST", f"refresh-runs/{run_id}/cancel", operator).status_code == 409
    listed = hosted.call("GET", "refresh-runs?dataset=margin&status=completed&top=1", auditor).json()
    check(RunList, listed)
    assert [run["id"] for run in listed["value"]] == [run_id]


def test_who_lacks_the_role_and_what_makes_no_sense_is_refused_in_order(hosted: Hosted) -> None:
    operator, auditor = hosted.cloud.caller_token("operator"), hosted.cloud.caller_token("auditor")

    def status(token: str, body: Json | None, **how: Any) -> int:
        return hosted.call("POST", "refresh-runs", token, json=body, **how).status_code

    assert status("", {"dataset": "sales"}) == 401
    assert status(auditor, {"dataset": "sales"}) == 403
    assert status(hosted.cloud.caller_token("nobody"), {"nonsense": 1}) == 403
    assert hosted.call("POST", "refresh-runs", operator, data="x").status_code == 415
    assert status(operator, {"dataset": "sales", "withDependents": True}) == 400
    assert status(operator, {"dataset": "calendar", "refresh": {"type": "Full"}}) == 400
    assert (
        status(operator, {"dataset": "sales", "requestId": "one-key-1"}, headers={"Idempotency-Key": "another"}) == 400
    )
    assert status(operator, {"dataset": "nobody"}) == 404
    assert status(operator, {"workspaceId": ANALYTICS, "datasetId": CALENDAR}) == 404
    assert hosted.call("GET", "refresh-runs/nonsense", auditor).status_code == 404
    assert hosted.call("GET", "refresh-runs?top=0", auditor).status_code == 400
    assert hosted.call("GET", "refresh-runs?continuationToken=x", auditor).status_code == 400
    assert hosted.call("GET", "refresh-runs", hosted.cloud.caller_token("nobody")).status_code == 403
    refused = hosted.call("POST", "refresh-runs", operator, json={"dataset": "sales", "refresh": {}, "also": 1}).json()
    assert {fault["path"] for fault in refused["errors"]} == {"refresh", "also"}


def test_files_that_land_are_covered(hosted: Hosted) -> None:
    auditor = hosted.cloud.caller_token("auditor")
    with ContainerClient.from_connection_string(hosted.cloud.connection_string, "landing") as landing:
        for number in range(6):
            landing.upload_blob(f"sales/2026/11/{number}.parquet", b"x")
    found = eventually(
        lambda: hosted.call("GET", "refresh-runs?dataset=sales", auditor).json(),
        lambda page: sum(run["events"] for run in page["value"] if run["status"] == "completed") >= 6,
    )["value"]
    assert {run["trigger"] for run in found} == {"dataLanded"}
    assert len(found) <= 3
    assert found[0]["objects"] == [{"table": "Sales", "partition": "Sales-2026-11"}]
