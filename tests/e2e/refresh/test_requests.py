"""Callers who start and cancel refreshes."""

from __future__ import annotations

from tests.doubles.clock import MINUTE
from tests.e2e.refresh.stage import MONTH, OPERATOR, RefreshStage
from tests.seeded import ANALYTICS, CALENDAR, SALES


def test_a_manual_start_joins_the_run_that_is_queued(stage: RefreshStage) -> None:
    stage.change_dataset("sales", quietPeriod="PT10M", maxWait="PT1H")
    stage.land(f"{MONTH}/a.parquet")
    queued = stage.run()["id"]
    began = stage.now()
    assert stage.start(dataset="sales")["id"] == queued
    assert stage.start("some-key", dataset="sales")["id"] == queued
    stage.until(lambda: stage.run()["status"] == "completed")
    assert stage.now() - began < 2 * MINUTE, "somebody asked: the quiet period is over"
    assert stage.start("some-key", dataset="sales")["id"] == queued, "a repeat, although it has ended"
    stage.settle()
    assert (len(stage.posts()), stage.uncovered()) == (1, [])
    assert stage.run()["events"] == 1


def test_a_manual_start_with_a_body_of_its_own_comes_after_what_runs(stage: RefreshStage) -> None:
    stage.lasts("PT5M")
    stage.land(f"{MONTH}/a.parquet")
    stage.running()
    own = {"type": "dataOnly", "objects": [{"table": "Customer"}], "retryCount": 1}
    asked = stage.start(dataset="sales", refresh=own)
    assert asked["status"] in ("queued", "waiting")
    stage.settle()
    assert [post["body"].get("type") for post in stage.posts()] == ["Full", "DataOnly"]
    done = stage.runs.get(asked["id"])
    assert (done["status"], done["trigger"], done["events"]) == ("completed", "manual", 0)


def test_a_manual_start_without_a_body_refreshes_the_whole_model(stage: RefreshStage) -> None:
    asked = stage.start(workspaceId=ANALYTICS, datasetId=SALES)
    stage.settle()
    assert "objects" not in stage.posts()[0]["body"]
    assert stage.runs.get(asked["id"])["status"] == "completed"
    (row,) = [entity for entity, _ in stage.audit.rows.values()]
    assert '"clientId": "operator"' in row["caller"]


def test_cancelling_an_enhanced_refresh_is_cancelled_when_power_bi_says_so(stage: RefreshStage) -> None:
    stage.cloud.change(switches={"cancelDuration": "PT1M"})
    stage.lasts("PT1H")
    asked = stage.start(dataset="sales")["id"]
    stage.running()
    said = stage.runs.cancel(OPERATOR, asked)
    assert (said["cancelRequested"], said["status"]) == (True, "running")
    stage.until(lambda: stage.runs.get(asked)["status"] == "cancelled", 10 * MINUTE)
    assert stage.history()[0]["status"] == "Cancelled"


def test_cancelling_a_standard_refresh_lets_it_run_out(stage: RefreshStage) -> None:
    stage.lasts("PT20M", CALENDAR)
    stage.land("calendar/a.csv")
    stage.running(CALENDAR)
    run = stage.run()["id"]
    assert stage.runs.cancel(OPERATOR, run)["cancelRequested"] is True
    stage.settle()
    assert stage.runs.get(run)["status"] == "completed"
    assert stage.sent("/refreshes/", "DELETE") == []


def test_cancelling_what_is_queued_ends_it_at_once_and_what_landed_is_covered_later(stage: RefreshStage) -> None:
    stage.land(f"{MONTH}/a.parquet")
    run = stage.run()["id"]
    assert stage.runs.cancel(OPERATOR, run)["status"] == "cancelled"
    stage.until(lambda: stage.pending() == 0)
    assert stage.uncovered() == []
