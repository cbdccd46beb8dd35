"""Refreshes of other people: waited for, counted where they surely cover, never taken for ours."""

from __future__ import annotations

from tests.doubles.clock import MINUTE
from tests.e2e.refresh.stage import MONTH, REFRESHES, RefreshStage
from tests.seeded import ANALYTICS, MARGIN, POWER_BI, SALES


def test_somebody_elses_refresh_is_waited_for_and_not_taken_for_ours(stage: RefreshStage) -> None:
    stage.lasts("PT5M")
    theirs = stage.cloud.control("POST", f"refreshes/{ANALYTICS}/{SALES}")["requestId"].lower()
    stage.land(f"{MONTH}/a.parquet")
    stage.settle()
    run = stage.run()
    assert (run["status"], len(stage.posts())) == ("completed", 1)
    assert run["requestId"] != theirs
    assert stage.uncovered() == []


def test_a_refresh_of_the_whole_model_by_somebody_else_covers_what_landed_before(stage: RefreshStage) -> None:
    stage.change_dataset("margin", quietPeriod="PT20M", maxWait="PT1H")
    stage.lasts("PT5M", MARGIN)
    stage.land("margin/a.csv")
    stage.advance(5 * MINUTE)
    stage.cloud.control("POST", f"refreshes/{ANALYTICS}/{MARGIN}")
    stage.settle()
    assert (stage.posts(), stage.uncovered(), stage.pending()) == ([], [], 0)
    assert stage.run()["status"] == "skipped"


def test_already_executing_is_no_failure(stage: RefreshStage) -> None:
    """The other refresh begins between our look into the history and our start."""
    stage.lasts("PT5M")
    stage.land(f"{MONTH}/a.parquet")
    body = {"error": {"code": "InvalidRequest", "message": "Another refresh request is already executing"}}
    stage.cloud.fault(POWER_BI, REFRESHES, "POST", status=400, body=body)
    stage.settle()
    run = stage.run()
    assert (run["status"], len(run["attempts"]), run["error"]) == ("completed", 1, None)
    assert (len(stage.posts()), stage.uncovered()) == (2, [])
