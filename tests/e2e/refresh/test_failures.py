"""Refreshes that fail, are refused, take too long or get no answer: what landed is covered all the same."""

from __future__ import annotations

import pytest

from tests.doubles.clock import HOUR, MINUTE
from tests.e2e.refresh.stage import MONTH, REFRESHES, RefreshStage
from tests.seeded import CALENDAR, POWER_BI, SALES


def test_a_partition_that_does_not_exist_falls_back_to_its_table_and_the_run_says_so(stage: RefreshStage) -> None:
    stage.cloud.change(switches={"unknownRefreshObjects": "fail"})
    stage.land("sales/1999/01/old.parquet")
    stage.settle()
    run = stage.run()
    assert run["status"] == "completed"
    assert [post["body"]["objects"] for post in stage.posts()] == [
        [{"table": "Sales", "partition": "Sales-1999-01"}],
        [{"table": "Sales"}],
    ]
    assert "partition" in run["reason"]
    assert [attempt["status"] for attempt in run["attempts"]] == ["failed", "completed"]
    assert (stage.uncovered(), stage.pending()) == ([], 0)


def test_a_failed_refresh_says_why_and_what_to_do_and_what_landed_stays(stage: RefreshStage) -> None:
    error = {"code": "ModelRefreshFailed_CredentialsNotSpecified"}
    stage.lasts("PT1M", nextOutcome="Failed", nextError=error)
    stage.land(f"{MONTH}/a.parquet")
    stage.until(lambda: bool(stage.all_runs(status="failed")))
    run = stage.run(status="failed")
    assert run["error"]["class"] == "credentials"
    assert run["error"]["code"] == error["code"]
    assert not run["error"]["retryable"]
    assert "credentials" in run["error"]["remedy"]
    assert run["attempts"][0]["error"] == run["error"]
    assert stage.pending() == 1
    assert "refresh.failed" in stage.told()
    stage.until(lambda: stage.pending() == 0)
    assert stage.uncovered() == []
    assert len(stage.posts()) == 2, "what can't get better by itself is tried again only after a long pause"


def test_a_failure_that_may_pass_is_tried_again_with_a_growing_delay(stage: RefreshStage) -> None:
    stage.lasts("PT1M", nextOutcome=["Failed", "Failed", "Completed"])
    stage.land(f"{MONTH}/a.parquet")
    stage.until(lambda: stage.run()["status"] == "waiting" and len(stage.run()["attempts"]) == 1)
    assert stage.run()["attempts"][0]["status"] == "failed"
    stage.settle()
    run = stage.run()
    assert (run["status"], len(run["attempts"]), run["error"]) == ("completed", 3, None)
    assert stage.uncovered() == []


def test_a_daily_limit_is_waited_for(stage: RefreshStage) -> None:
    stage.cloud.change(switches={"dailyRefreshLimit": 2})
    for number in range(3):
        stage.land(f"calendar/{number}.csv")
        stage.until(lambda: stage.pending() == 0 or len(stage.posts(CALENDAR)) > 2)
    assert stage.pending() == 1
    [waiting] = stage.all_runs(dataset="calendar", status="waiting")
    assert "used up" in waiting["reason"]
    stage.until(lambda: stage.pending() == 0, 60 * HOUR)
    assert stage.uncovered() == []
    assert len(stage.history(CALENDAR)) == 3
    assert {run["status"] for run in stage.all_runs(dataset="calendar")} == {"completed"}
    assert len(stage.posts(CALENDAR)) < 25, "Power BI is not asked in a tight loop"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_start_whose_answer_is_lost_is_found_again_or_made_again_but_never_twice_at_once(
    stage: RefreshStage, when: str
) -> None:
    stage.change_dataset("sales", quietPeriod="PT5M", maxWait="PT1H")
    stage.lasts("PT2M")
    stage.land(f"{MONTH}/a.parquet")
    stage.cloud.fault(POWER_BI, REFRESHES, "POST", drop=when)
    stage.settle()
    assert stage.run()["status"] == "completed"
    assert len(stage.posts()) == (2 if when == "before" else 1)
    assert len(stage.history()) == 1
    assert stage.uncovered() == []


def test_a_refresh_that_was_found_again_covers_only_what_landed_surely_before_it(stage: RefreshStage) -> None:
    stage.lasts("PT2M")
    stage.land(f"{MONTH}/a.parquet")
    stage.cloud.fault(POWER_BI, REFRESHES, "POST", drop="after")
    stage.settle()
    assert {run["status"] for run in stage.all_runs()} == {"completed"}
    first, second = sorted(stage.history(), key=lambda each: str(each["startTime"]))
    assert str(first["endTime"]) <= str(second["startTime"]), "never two of ours at once"
    assert (stage.uncovered(), stage.pending()) == ([], 0)


def test_a_burst_that_power_bi_drops_is_sent_again(stage: RefreshStage) -> None:
    stage.lasts("PT1M")
    stage.cloud.change(switches={"refreshWhileRunning": "drop"})
    stage.land(f"{MONTH}/a.parquet")
    stage.until(lambda: bool(stage.queue.sent))
    stage.cloud.fault(POWER_BI, REFRESHES, "POST", status=202)
    stage.settle()
    assert (stage.uncovered(), stage.pending()) == ([], 0)


def test_a_history_that_lags_costs_nothing_but_time(stage: RefreshStage) -> None:
    stage.cloud.change(switches={"historyLag": "PT2M"})
    stage.lasts("PT5M")
    stage.land(f"{MONTH}/a.parquet")
    stage.settle()
    assert (stage.run()["status"], len(stage.posts()), stage.uncovered()) == ("completed", 1, [])


def test_power_bi_away_or_throttling_is_waited_for_as_long_as_it_says(stage: RefreshStage) -> None:
    stage.cloud.fault(POWER_BI, ".*/refreshes", status=429, headers={"Retry-After": "1800"})
    stage.land(f"{MONTH}/a.parquet")
    began = stage.now()
    stage.settle()
    assert stage.now() - began >= 30 * MINUTE
    assert (stage.run()["status"], stage.uncovered()) == ("completed", [])
    stage.cloud.fault(POWER_BI, ".*", times=5, status=503)
    stage.land(f"{MONTH}/b.parquet")
    stage.settle()
    assert stage.uncovered() == []
    assert {run["status"] for run in stage.all_runs()} == {"completed"}


def test_a_dataset_that_was_deleted_fails_with_what_to_do(stage: RefreshStage) -> None:
    stage.land(f"{MONTH}/a.parquet")
    stage.cloud.change(datasets={SALES: None})
    stage.until(lambda: bool(stage.all_runs(status="failed")))
    error = stage.run(status="failed")["error"]
    assert (error["class"], error["retryable"]) == ("model", False)
    assert "refresh.yaml" in error["remedy"]


def test_a_dataset_that_was_deleted_while_it_was_refreshed(stage: RefreshStage) -> None:
    stage.lasts("PT30M")
    stage.land(f"{MONTH}/a.parquet")
    stage.running()
    stage.cloud.change(datasets={SALES: None})
    stage.until(lambda: bool(stage.all_runs(status="failed")))


def test_a_timeout_cancels_an_enhanced_refresh(stage: RefreshStage) -> None:
    stage.change_dataset("sales", timeout="PT10M")
    stage.lasts("PT3H")
    stage.land(f"{MONTH}/a.parquet")
    stage.until(lambda: bool(stage.all_runs(status="timedOut")))
    run = stage.run(status="timedOut")
    assert run["error"]["class"] == "timeout"
    assert stage.history()[-1]["status"] == "Cancelled"
    assert stage.pending() == 1
    assert "cancelRefresh done" in stage.audited()
