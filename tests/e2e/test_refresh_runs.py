"""Files that land become refreshes in Power BI: as few as leave none uncovered."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.cloud import Cloud
from tests.contract.checks import check_requests
from tests.e2e.refresh_stage import (
    ANALYTICS,
    CALENDAR,
    HOUR,
    MARGIN,
    MINUTE,
    MONTH,
    OPERATOR,
    REFERENCE,
    SALES,
    SECOND,
    Stage,
)


@pytest.fixture
def stage(cloud: Cloud) -> Iterator[Stage]:
    made = Stage(cloud)
    yield made
    assert check_requests(cloud.calls()) == [], "what we send, Power BI accepts"


def test_files_that_land_together_make_one_refresh_that_covers_them_all(stage: Stage) -> None:
    stage.land(*(f"{MONTH}/part {number}.parquet" for number in range(5)))
    queued = stage.run()
    assert (queued["status"], queued["trigger"], queued["dataset"]) == ("queued", "dataLanded", "sales")
    stage.settle()
    run = stage.run()
    assert (run["status"], run["events"], run["refreshType"]) == ("completed", 5, "ViaEnhancedApi")
    assert len(stage.posts()) == 1
    assert (stage.uncovered(), stage.pending()) == ([], 0)
    (entry,) = stage.history()
    assert entry["requestId"].lower() == run["requestId"] == run["attempts"][0]["requestId"]
    assert stage.told() == ["refresh.completed"]
    assert stage.audited() == ["startRefresh done"]


def test_premium_refreshes_the_partitions_that_the_files_belong_to(stage: Stage) -> None:
    stage.land(f"{MONTH}/a.parquet", "sales/2026/10/b.parquet")
    stage.settle()
    (post,) = stage.posts(SALES)
    assert post["body"]["objects"] == [
        {"table": "Sales", "partition": "Sales-2026-10"},
        {"table": "Sales", "partition": "Sales-2026-11"},
    ]
    assert [one["partition"] for one in stage.run()["objects"]] == ["Sales-2026-10", "Sales-2026-11"]


def test_shared_capacity_gets_a_standard_refresh_without_a_body(stage: Stage) -> None:
    stage.land("calendar/2026.csv")
    stage.settle()
    (post,) = stage.posts(CALENDAR)
    assert post["body"] is None
    run = stage.run(dataset="calendar")
    assert (run["status"], run["refreshType"]) == ("completed", "ViaApi")
    assert stage.history(CALENDAR)[0]["requestId"].lower() == run["requestId"]


def test_a_file_that_lands_during_a_refresh_causes_one_more(stage: Stage) -> None:
    stage.lasts("PT10M")
    stage.land(f"{MONTH}/a.parquet")
    stage.running()
    stage.land(f"{MONTH}/b.parquet", f"{MONTH}/c.parquet")
    stage.settle()
    assert [run["events"] for run in stage.all_runs()] == [2, 1]
    assert (len(stage.posts()), stage.uncovered(), stage.pending()) == (2, [], 0)


def test_a_marker_does_not_wait_for_quiet(stage: Stage) -> None:
    stage.change_dataset("sales", quiet_period=10 * MINUTE, max_wait=HOUR)
    began = stage.now()
    stage.land(f"{MONTH}/a.parquet", "sales/_SUCCESS")
    stage.running()
    assert stage.now() - began < 2 * MINUTE
    assert "objects" not in stage.posts(SALES)[0]["body"], "the marker stands for the whole model"
    stage.settle()
    assert stage.uncovered() == []


def test_files_that_never_stop_are_refreshed_after_the_longest_wait(stage: Stage) -> None:
    began = stage.now()
    for number in range(15):
        stage.land(f"{MONTH}/{number}.parquet")
        stage.advance(SECOND)
        while stage.deliver():
            pass
        if stage.posts():
            break
    assert stage.posts()
    assert 10 * SECOND <= stage.now() - began < 15 * SECOND
    stage.settle()
    assert stage.uncovered() == []


def test_a_redelivered_event_and_an_overwritten_file(stage: Stage) -> None:
    event = stage.event(f"{MONTH}/a.parquet")
    stage.deliver_event(event)
    stage.deliver_event(event)
    stage.settle()
    stage.deliver_event(event)
    stage.settle()
    assert stage.run()["events"] == 1
    stage.land(f"{MONTH}/a.parquet")
    stage.settle()
    assert len(stage.all_runs()) == 2


def test_three_datasets_are_refreshed_side_by_side(stage: Stage) -> None:
    for number in range(10):
        stage.land(f"calendar/{number}.csv", f"{MONTH}/{number}.parquet", f"margin/deep/er/{number}.csv")
    stage.settle()
    assert {run["dataset"]: run["events"] for run in stage.all_runs()} == {"calendar": 10, "sales": 10, "margin": 10}
    assert (len(stage.posts()), stage.uncovered()) == (3, [])


def test_a_partition_that_does_not_exist_falls_back_to_its_table_and_the_run_says_so(stage: Stage) -> None:
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


def test_a_failed_refresh_says_why_and_what_to_do_and_what_landed_stays(stage: Stage) -> None:
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


def test_a_failure_that_may_pass_is_tried_again_with_a_growing_delay(stage: Stage) -> None:
    stage.lasts("PT1M", nextOutcome=["Failed", "Failed", "Completed"])
    stage.land(f"{MONTH}/a.parquet")
    stage.until(lambda: stage.run()["status"] == "waiting" and len(stage.run()["attempts"]) == 1)
    assert stage.run()["attempts"][0]["status"] == "failed"
    stage.settle()
    run = stage.run()
    assert (run["status"], len(run["attempts"]), run["error"]) == ("completed", 3, None)
    assert stage.uncovered() == []


def test_a_daily_limit_is_waited_for(stage: Stage) -> None:
    stage.cloud.change(switches={"dailyRefreshLimit": 2})
    for number in range(3):
        stage.land(f"calendar/{number}.csv")
        stage.until(lambda: stage.pending() == 0 or len(stage.posts(CALENDAR)) > 2)
    assert stage.pending() == 1
    stage.until(lambda: stage.pending() == 0, 60 * HOUR)
    assert stage.uncovered() == []
    assert len(stage.history(CALENDAR)) == 3
    refused = [run["error"] for run in stage.all_runs(dataset="calendar", status="failed")]
    assert {error["class"] for error in refused} <= {"throttle"}
    assert len(stage.posts(CALENDAR)) < 25, "Power BI is not asked in a tight loop"


def test_somebody_elses_refresh_is_waited_for_and_not_taken_for_ours(stage: Stage) -> None:
    stage.lasts("PT5M")
    theirs = stage.cloud.control("POST", f"refreshes/{ANALYTICS}/{SALES}")["requestId"].lower()
    stage.land(f"{MONTH}/a.parquet")
    stage.settle()
    run = stage.run()
    assert (run["status"], len(stage.posts())) == ("completed", 1)
    assert run["requestId"] != theirs
    assert stage.uncovered() == []


def test_a_refresh_of_the_whole_model_by_somebody_else_covers_what_landed_before(stage: Stage) -> None:
    stage.change_dataset("margin", quiet_period=20 * MINUTE, max_wait=HOUR)
    stage.lasts("PT5M", MARGIN)
    stage.land("margin/a.csv")
    stage.advance(5 * MINUTE)
    stage.cloud.control("POST", f"refreshes/{ANALYTICS}/{MARGIN}")
    stage.settle()
    assert (stage.posts(), stage.uncovered(), stage.pending()) == ([], [], 0)
    assert stage.run()["status"] == "skipped"


def test_already_executing_is_no_failure(stage: Stage) -> None:
    """The other refresh begins between our look into the history and our start."""
    stage.lasts("PT5M")
    stage.land(f"{MONTH}/a.parquet")
    body = {"error": {"code": "InvalidRequest", "message": "Another refresh request is already executing"}}
    stage.cloud.fault("api.powerbi.com", ".*/refreshes$", "POST", status=400, body=body)
    stage.settle()
    run = stage.run()
    assert (run["status"], len(run["attempts"]), run["error"]) == ("completed", 1, None)
    assert (len(stage.posts()), stage.uncovered()) == (2, [])


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_start_whose_answer_is_lost_is_found_again_or_made_again_but_never_twice_at_once(
    stage: Stage, when: str
) -> None:
    stage.change_dataset("sales", quiet_period=5 * MINUTE, max_wait=HOUR)
    stage.lasts("PT2M")
    stage.land(f"{MONTH}/a.parquet")
    stage.cloud.fault("api.powerbi.com", ".*/refreshes$", "POST", drop=when)
    stage.settle()
    assert stage.run()["status"] == "completed"
    assert len(stage.posts()) == (2 if when == "before" else 1)
    assert len(stage.history()) == 1
    assert stage.uncovered() == []


def test_a_refresh_that_was_found_again_covers_only_what_landed_surely_before_it(stage: Stage) -> None:
    stage.lasts("PT2M")
    stage.land(f"{MONTH}/a.parquet")
    stage.cloud.fault("api.powerbi.com", ".*/refreshes$", "POST", drop="after")
    stage.settle()
    assert {run["status"] for run in stage.all_runs()} == {"completed"}
    first, second = sorted(stage.history(), key=lambda each: str(each["startTime"]))
    assert str(first["endTime"]) <= str(second["startTime"]), "never two of ours at once"
    assert (stage.uncovered(), stage.pending()) == ([], 0)


def test_a_burst_that_power_bi_drops_is_sent_again(stage: Stage) -> None:
    stage.lasts("PT1M")
    stage.cloud.change(switches={"refreshWhileRunning": "drop"})
    stage.land(f"{MONTH}/a.parquet")
    stage.until(lambda: bool(stage.looks.sent))
    stage.cloud.fault("api.powerbi.com", ".*/refreshes$", "POST", status=202)
    stage.settle()
    assert (stage.uncovered(), stage.pending()) == ([], 0)


def test_a_history_that_lags_costs_nothing_but_time(stage: Stage) -> None:
    stage.cloud.change(switches={"historyLag": "PT2M"})
    stage.lasts("PT5M")
    stage.land(f"{MONTH}/a.parquet")
    stage.settle()
    assert (stage.run()["status"], len(stage.posts()), stage.uncovered()) == ("completed", 1, [])


def test_power_bi_away_or_throttling_is_waited_for_as_long_as_it_says(stage: Stage) -> None:
    stage.cloud.fault("api.powerbi.com", ".*/refreshes", status=429, headers={"Retry-After": "1800"})
    stage.land(f"{MONTH}/a.parquet")
    began = stage.now()
    stage.settle()
    assert stage.now() - began >= 30 * MINUTE
    assert (stage.run()["status"], stage.uncovered()) == ("completed", [])
    stage.cloud.fault("api.powerbi.com", ".*", times=5, status=503)
    stage.land(f"{MONTH}/b.parquet")
    stage.settle()
    assert stage.uncovered() == []
    assert {run["status"] for run in stage.all_runs()} == {"completed"}


def test_a_dataset_that_was_deleted_fails_with_what_to_do(stage: Stage) -> None:
    stage.land(f"{MONTH}/a.parquet")
    stage.cloud.change(datasets={SALES: None})
    stage.until(lambda: bool(stage.all_runs(status="failed")))
    error = stage.run(status="failed")["error"]
    assert (error["class"], error["retryable"]) == ("model", False)
    assert "refresh.yaml" in error["remedy"]


def test_a_dataset_that_was_deleted_while_it_was_refreshed(stage: Stage) -> None:
    stage.lasts("PT30M")
    stage.land(f"{MONTH}/a.parquet")
    stage.running()
    stage.cloud.change(datasets={SALES: None})
    stage.until(lambda: bool(stage.all_runs(status="failed")))


def test_what_the_policy_does_not_let_us_touch_is_not_refreshed(stage: Stage) -> None:
    assert stage.policy is not None
    stage.policy = stage.policy.model_copy(
        update={"touch": stage.policy.touch.model_copy(update={"workspace_ids": [REFERENCE]})}
    )
    stage.land(f"{MONTH}/a.parquet")
    stage.until(lambda: bool(stage.all_runs(status="failed")))
    assert stage.posts() == []
    assert "touch" in stage.run(status="failed")["error"]["remedy"]
    stage.policy = stage.policy.model_copy(
        update={"touch": stage.policy.touch.model_copy(update={"name_prefixes": ["Sales"]})}
    )
    stage.until(lambda: stage.pending() == 0)
    assert stage.uncovered() == []


def test_a_paused_dataset_waits_and_goes_on_when_it_is_not(stage: Stage) -> None:
    stage.change_dataset("sales", paused=True)
    stage.land(f"{MONTH}/a.parquet")
    stage.advance(HOUR)
    stage.triggers.sweep()
    stage.settle()
    assert stage.posts() == []
    stage.change_dataset("sales", paused=False)
    stage.advance(MINUTE)
    stage.triggers.sweep()
    stage.settle()
    assert stage.uncovered() == []


def test_a_timeout_cancels_an_enhanced_refresh(stage: Stage) -> None:
    stage.change_dataset("sales", timeout=10 * MINUTE)
    stage.lasts("PT3H")
    stage.land(f"{MONTH}/a.parquet")
    stage.until(lambda: bool(stage.all_runs(status="timedOut")))
    run = stage.run(status="timedOut")
    assert run["error"]["class"] == "timeout"
    assert stage.history()[-1]["status"] == "Cancelled"
    assert stage.pending() == 1
    assert any(re.match("cancelRefresh done", decision) for decision in stage.audited())


# ---- callers
def test_a_manual_start_joins_the_run_that_is_queued(stage: Stage) -> None:
    stage.change_dataset("sales", quiet_period=10 * MINUTE, max_wait=HOUR)
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


def test_a_manual_start_with_a_body_of_its_own_comes_after_what_runs(stage: Stage) -> None:
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


def test_a_manual_start_without_a_body_refreshes_the_whole_model(stage: Stage) -> None:
    asked = stage.start(workspaceId=ANALYTICS, datasetId=SALES)
    stage.settle()
    assert "objects" not in stage.posts()[0]["body"]
    assert stage.runs.get(asked["id"])["status"] == "completed"
    (row,) = [entity for entity, _ in stage.audit.rows.values()]
    assert '"clientId": "operator"' in row["caller"]


def test_cancelling_an_enhanced_refresh_is_cancelled_when_power_bi_says_so(stage: Stage) -> None:
    stage.cloud.change(switches={"cancelDuration": "PT1M"})
    stage.lasts("PT1H")
    asked = stage.start(dataset="sales")["id"]
    stage.running()
    said = stage.runs.cancel(OPERATOR, asked)
    assert (said["cancelRequested"], said["status"]) == (True, "running")
    stage.until(lambda: stage.runs.get(asked)["status"] == "cancelled", 10 * MINUTE)
    assert stage.history()[0]["status"] == "Cancelled"


def test_cancelling_a_standard_refresh_lets_it_run_out(stage: Stage) -> None:
    stage.lasts("PT20M", CALENDAR)
    stage.land("calendar/a.csv")
    stage.running(CALENDAR)
    run = stage.run()["id"]
    assert stage.runs.cancel(OPERATOR, run)["cancelRequested"] is True
    stage.settle()
    assert stage.runs.get(run)["status"] == "completed"
    assert stage.cloud.calls(host="api.powerbi.com", path="/refreshes/", method="DELETE") == []


def test_cancelling_what_is_queued_ends_it_at_once_and_what_landed_is_covered_later(stage: Stage) -> None:
    stage.land(f"{MONTH}/a.parquet")
    run = stage.run()["id"]
    assert stage.runs.cancel(OPERATOR, run)["status"] == "cancelled"
    stage.until(lambda: stage.pending() == 0)
    assert stage.uncovered() == []


# ---- messages
def test_messages_that_can_never_be_read_are_kept_and_stop_nothing(stage: Stage) -> None:
    for odd in (b"not JSON", b"{}", b"[7]"):
        stage.triggers.land(odd)
    stage.triggers.look(b"not JSON")
    stage.land(f"{MONTH}/a.parquet")
    stage.settle()
    assert len(stage.rejections()) == 4
    assert all(copy["reason"] for copy in stage.rejections())
    assert stage.uncovered() == []
