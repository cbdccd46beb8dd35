"""Who may have what refreshed: requests, repeats, lists, cancels, and who is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from shared.errors import Ended, InvalidRequest, NotAllowed, Unknown
from shared.listing import read_query
from shared.refresh.documents import read_refresh_document
from shared.refresh.outside import Told
from shared.refresh.records import Attempt, Change, Run, RunStatus, Trigger
from shared.refresh.rules import RefreshObject
from shared.refresh.run_document import RunDocument
from shared.refresh.service import FILTERS
from shared.storage.audit import Audit
from shared.storage.events import Events
from shared.validation import check
from tests.unit.refresh_service import CALENDAR, CALLER, DOCUMENT, NOW, SALES, Json, World


def test_a_run_is_started_for_whoever_was_verified(world: World) -> None:
    started = world.start(dataset="calendar")
    assert (started["dataset"], started["datasetId"], started["status"], started["trigger"]) == (
        "calendar",
        CALENDAR.dataset_id,
        "queued",
        "manual",
    )
    assert world.engine.kept[started["id"]].caller == {
        "kind": "application",
        "clientId": "client",
        "objectId": "object",
    }


def test_a_run_document_has_the_described_form(world: World) -> None:
    check(RunDocument, world.start(dataset="sales"))
    attempt = Attempt(1, "claim", NOW, "r", NOW, "failed", None)
    error = {"code": "c", "class": "gateway", "message": "m", "retryable": True, "remedy": "r"}
    run = Run(
        "i", "sales", "w", "d", Trigger.DATA_LANDED, NOW, "c", {}, RunStatus.FAILED, "why", "r", "ViaApi",
        (attempt, replace(attempt, error=error)), 3, (RefreshObject("T"), RefreshObject("T", "P")), NOW, NOW, error,
    )  # fmt: skip
    world.engine.kept["11111111-1111-4111-8111-111111111111"] = run
    shown = world.runs.get("11111111-1111-4111-8111-111111111111")
    check(RunDocument, shown)
    assert shown["objects"] == [{"table": "T", "partition": None}, {"table": "T", "partition": "P"}]
    assert shown["queuedAt"] == "2026-11-22T12:00:00Z"


def test_a_dataset_may_be_named_by_ids_that_stand_in_the_document(world: World) -> None:
    ids = {"workspaceId": SALES.workspace_id.upper(), "datasetId": SALES.dataset_id.upper()}
    assert world.start(**ids)["dataset"] == "sales"


@pytest.mark.parametrize(
    "body",
    [
        {"dataset": "unknown"},
        {"workspaceId": CALENDAR.workspace_id, "datasetId": SALES.dataset_id},
        {"workspaceId": SALES.workspace_id, "datasetId": "e5000000-0000-4000-8000-00000000ffff"},
    ],
)
def test_what_the_document_does_not_name_is_unknown(world: World, body: Json) -> None:
    with pytest.raises(Unknown):
        world.start(**body)
    assert world.engine.kept == {}


def test_without_a_document_nothing_is_refreshed(world: World) -> None:
    world.document = None
    with pytest.raises(NotAllowed, match="in force"):
        world.start(dataset="sales")


def test_an_enhanced_body_is_refused_on_shared_capacity(world: World) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        world.start(dataset="calendar", refresh={"type": "Full"})
    assert [fault.path for fault in refusal.value.faults] == ["refresh"]
    started = world.start(dataset="sales", refresh={"type": "full"})
    assert world.engine.bodies[started["id"]] == {"type": "Full"}


def test_a_run_that_is_queued_is_joined_and_a_repeat_stays_with_it(world: World) -> None:
    first = world.start(dataset="sales")["id"]
    assert world.start("second-key", dataset="sales")["id"] == first
    del world.engine.bodies[first]
    world.engine.bodies[first] = {"started": True}  # nothing to join any more
    assert world.start("second-key", dataset="sales")["id"] == first
    assert world.start("third--key", dataset="sales")["id"] != first


def test_a_repeat_is_answered_even_when_the_dataset_is_gone_from_the_document(world: World) -> None:
    first = world.start("some-key", dataset="sales")
    world.document = read_refresh_document(b"datasets: {}")
    assert world.start("some-key", dataset="sales") == first
    with pytest.raises(Unknown):
        world.start("other-key", dataset="sales")


def test_a_key_that_was_used_for_another_body_is_refused(world: World) -> None:
    world.start(requestId="some-key", dataset="sales")
    with pytest.raises(Ended):
        world.start("some-key", dataset="calendar")


def test_a_request_that_was_refused_leaves_its_key_free(world: World) -> None:
    with pytest.raises(Unknown):
        world.start("some-key", dataset="unknown")
    world.start("some-key", dataset="sales")


def test_runs_are_listed_by_dataset_and_status(world: World) -> None:
    sales, calendar = world.start(dataset="sales", refresh={"type": "Full"}), world.start(dataset="calendar")
    everything = world.runs.list(read_query({}, FILTERS))
    assert {run["id"] for run in everything["value"]} == {sales["id"], calendar["id"]}
    for name in ("sales", SALES.dataset_id.upper()):
        assert world.runs.list(read_query({"dataset": name}, FILTERS))["value"] == [sales]
    assert world.runs.list(read_query({"status": "failed"}, FILTERS))["value"] == []
    with pytest.raises(Unknown):
        world.runs.list(read_query({"dataset": "nobody"}, FILTERS))
    with pytest.raises(InvalidRequest):
        read_query({"status": "done"}, FILTERS)


def test_cancelling_says_so_and_what_has_ended_is_refused(world: World) -> None:
    started = world.start(dataset="sales")["id"]
    assert world.runs.cancel(CALLER, started)["cancelRequested"] is True
    world.engine.kept[started] = replace(world.engine.kept[started], status=RunStatus.COMPLETED)
    with pytest.raises(Ended):
        world.runs.cancel(CALLER, started)


@pytest.mark.parametrize("run_id", ["11111111-1111-4111-8111-111111111111", "../x", "", "' or 1 eq 1"])
def test_a_run_that_is_not_there_is_unknown(world: World, run_id: str) -> None:
    with pytest.raises(Unknown):
        world.runs.get(run_id)
    with pytest.raises(Unknown):
        world.runs.cancel(CALLER, run_id)


class Sink:
    """Audit and events at once."""

    def __init__(self) -> None:
        self.rows: list[tuple[Any, ...]] = []

    def record(self, *row: Any) -> None:
        self.rows.append(row)

    def tell(self, *row: Any) -> None:
        self.rows.append(row)


def test_a_change_is_recorded_with_who_asked_and_an_end_is_told_the_same_each_time(world: World) -> None:
    sink = Sink()
    told = Told(cast(Audit, sink), cast(Events, sink), lambda: NOW)
    policy = DOCUMENT.policy_by_alias("sales")
    assert policy is not None
    asked = world.engine.start(policy, run_id="r", caller={"clientId": "c"}, body=None, correlation_id="k")
    run = replace(asked, status=RunStatus.COMPLETED, ended_at=NOW)
    told.changed(run, Change("startRefresh", "claim", "done", "p1"))
    told.changed(replace(run, caller={}, trigger=Trigger.DATA_LANDED), Change("startRefresh", "claim", "unknown"))
    told.ended(run)
    told.ended(run)
    target = f"workspace {SALES.workspace_id} dataset {SALES.dataset_id}"
    assert sink.rows[0] == ("r", "claim startRefresh", {"clientId": "c"}, target, "startRefresh done", "p1", "k", NOW)
    assert sink.rows[1][2] == {"kind": "app", "trigger": "dataLanded"}
    assert sink.rows[1][4] == "startRefresh unknown"
    assert sink.rows[2] == sink.rows[3]
    assert sink.rows[2][:3] == ("refresh.completed", "refresh-runs/r", "r-completed")
