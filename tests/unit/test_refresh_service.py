"""Who may have what refreshed, and what becomes of messages; the engine is a stand-in that notes what it is told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from shared.auth.callers import Caller
from shared.errors import Ended, InvalidRequest, Misconfigured, NotAllowed, Unavailable, Unknown
from shared.idempotency import Keys
from shared.listing import read_query
from shared.refresh.documents import DatasetPolicy, RefreshDocument, read_refresh_document
from shared.refresh.events import Landed
from shared.refresh.outside import Told
from shared.refresh.records import Attempt, Change, Run, RunStatus, Trigger
from shared.refresh.requests import RefreshRunRequest
from shared.refresh.rules import Match, RefreshObject
from shared.refresh.run_document import RunDocument
from shared.refresh.service import FILTERS, RefreshRuns
from shared.refresh.triggers import RefreshTriggers
from shared.storage.audit import Audit
from shared.storage.events import Events
from shared.validation import check
from tests.doubles.storage import MemoryContainer, MemoryTable

Json = dict[str, Any]
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DOCUMENT = read_refresh_document(Path("config/refresh.yaml").read_bytes())
CALLER = Caller("application", "client", "tenant", "object", frozenset({"Refresh.Write"}), frozenset(), {})
CALENDAR, SALES = (DOCUMENT.datasets[alias] for alias in ("calendar", "sales"))


class Engine:
    """What an engine does as far as it matters here: it joins what is queued."""

    def __init__(self) -> None:
        self.kept: dict[str, Run] = {}
        self.bodies: dict[str, Json | None] = {}
        self.landed: list[tuple[Landed, Sequence[Match]]] = []
        self.looks: list[tuple[str, int]] = []
        self.poisons: list[str] = []
        self.breaks: Exception | None = None

    def start(self, policy: DatasetPolicy, *, run_id: str, caller: Json, body: Json | None, correlation_id: str) -> Run:
        joined = None if body else next((run for run in self.kept.values() if not self.bodies[run.id]), None)
        run = joined or Run(
            run_id, policy.alias, policy.workspace_id, policy.dataset_id, Trigger.MANUAL, NOW, correlation_id, caller
        )
        self.bodies.setdefault(run.id, body)
        return self.kept.setdefault(run.id, run)

    def cancel(self, run_id: str) -> Run:
        if self.kept[run_id].final:
            raise Ended("It has ended.")
        self.kept[run_id] = replace(self.kept[run_id], cancel_requested=True)
        return self.kept[run_id]

    def run(self, run_id: str) -> Run | None:
        return self.kept.get(run_id)

    def listed(self, dataset_id: str, after: str, top: int) -> Sequence[tuple[str, Run | None]]:
        places: list[tuple[str, Run | None]] = [
            (f"{1:015}-{run.id}", run) for run in self.kept.values() if run.dataset_id == (dataset_id or run.dataset_id)
        ]
        return sorted((place for place in places if place[0] > after), key=lambda place: place[0])[:top]

    def land(self, landed: Landed, matches: Sequence[Match]) -> int:
        if self.breaks:
            raise self.breaks
        self.landed.append((landed, matches))
        return len(matches)

    def look(self, dataset_id: str, number: int) -> None:
        self.looks.append((dataset_id, number))

    def poisoned(self, dataset_id: str) -> None:
        if self.breaks:
            raise self.breaks
        self.poisons.append(dataset_id)

    def sweep(self) -> int:
        return 0


class World:
    """The service and the triggers over that engine."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.document: RefreshDocument | None = DOCUMENT
        self.container = MemoryContainer("rejected")
        keys = Keys(MemoryTable("idempotency"), lambda: NOW)
        self.runs = RefreshRuns(self.engine, lambda: self.document, keys)
        self.triggers = RefreshTriggers(self.engine, lambda: self.document, self.container, lambda: NOW)

    @property
    def rejected(self) -> dict[str, Json]:
        """Copies in the container `rejected`, by their names."""
        return {name: json.loads(blob) for name, blob in self.container.blobs.items()}

    def start(self, key: str | None = None, **body: Any) -> Json:
        return self.runs.start(CALLER, check(RefreshRunRequest, body), key)


@pytest.fixture
def world() -> World:
    return World()


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


# ---- messages
def event(path: str = "sales/2026/11/a.parquet", **changes: Any) -> Json:
    data = {"api": "PutBlob", "eTag": "0x1", "url": f"https://a.blob.core.windows.net/landing/{path}"}
    return {
        "id": "e1",
        "eventType": "Microsoft.Storage.BlobCreated",
        "eventTime": "2026-11-22T11:59:00Z",
        "data": data,
        **changes,
    }


def message(*events: Json) -> bytes:
    return json.dumps(list(events)).encode()


def test_what_lands_is_handed_to_the_engine_with_what_it_concerns(world: World) -> None:
    world.triggers.land(message(event()))
    ((landed, matches),) = world.engine.landed
    assert landed.path == "landing/sales/2026/11/a.parquet"
    assert matches == [Match(SALES.dataset_id, (RefreshObject("Sales", "Sales-2026-11"),), False)]


def test_what_no_rule_names_and_other_events_are_no_work(world: World) -> None:
    world.triggers.land(message(event("elsewhere"), event(eventType="Microsoft.Storage.BlobDeleted")))
    assert (world.engine.landed, world.rejected) == ([], {})


def test_what_can_never_be_read_is_kept_with_the_reason(world: World) -> None:
    world.triggers.land(b"hello")
    ((name, copy),) = world.rejected.items()
    assert name.startswith("data-landed/")
    assert copy == {
        "reason": "The message is not JSON.",
        "rejectedAt": "2026-11-22T12:00:00Z",
        "message": "hello",
    }


def test_one_bad_event_does_not_take_the_good_ones_with_it(world: World) -> None:
    world.triggers.land(message(event(), event(data={})))
    assert len(world.engine.landed) == 1
    assert [copy["reason"] for copy in world.rejected.values()] == ["[1] api is missing, or no text."]


def test_files_wait_while_no_document_is_in_force(world: World) -> None:
    world.document = None
    with pytest.raises(Misconfigured, match="wait"):
        world.triggers.land(message(event()))
    world.triggers.land(message(event(eventType="other")))
    assert world.rejected == {}


def test_a_message_that_was_given_up_is_tried_once_more_and_else_kept(world: World) -> None:
    world.triggers.landed_poisoned(message(event()))
    assert len(world.engine.landed) == 1
    world.engine.breaks = RuntimeError("a defect")
    world.triggers.landed_poisoned(message(event()))
    assert "put it on the queue again" in next(iter(world.rejected.values()))["reason"]
    world.engine.breaks = Unavailable("away")
    with pytest.raises(Unavailable):
        world.triggers.landed_poisoned(message(event()))


def test_looks_are_handed_to_the_engine_and_other_messages_kept(world: World) -> None:
    world.triggers.look(b'{"datasetId": "d", "number": 3}')
    assert world.engine.looks == [("d", 3)]
    for odd in (b"{}", b"[]", b"7", b"x", b'{"datasetId": 1, "number": 3}', b'{"datasetId": "d", "number": true}'):
        world.triggers.look(odd)
        world.triggers.look_poisoned(odd)
    assert len(world.rejected) == 6
    assert world.engine.looks == [("d", 3)]


def test_a_look_that_was_given_up_is_told_to_the_engine(world: World) -> None:
    world.triggers.look_poisoned(b'{"datasetId": "d", "number": 3}')
    assert world.engine.poisons == ["d"]
    world.engine.breaks = RuntimeError("a defect")
    world.triggers.look_poisoned(b'{"datasetId": "d", "number": 3}')
    assert len(world.rejected) == 1
    world.triggers.sweep()


# ---- who is told
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
