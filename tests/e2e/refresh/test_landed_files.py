"""Files that land become refreshes in Power BI: as few as leave none uncovered."""

from __future__ import annotations

from tests.doubles.clock import HOUR, MINUTE, SECOND
from tests.e2e.refresh.stage import MONTH, RefreshStage
from tests.seeded import CALENDAR, REFERENCE, SALES


def test_files_that_land_together_make_one_refresh_that_covers_them_all(stage: RefreshStage) -> None:
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


def test_premium_refreshes_the_partitions_that_the_files_belong_to(stage: RefreshStage) -> None:
    stage.land(f"{MONTH}/a.parquet", "sales/2026/10/b.parquet")
    stage.settle()
    (post,) = stage.posts(SALES)
    assert post["body"]["objects"] == [
        {"table": "Sales", "partition": "Sales-2026-10"},
        {"table": "Sales", "partition": "Sales-2026-11"},
    ]
    assert [one["partition"] for one in stage.run()["objects"]] == ["Sales-2026-10", "Sales-2026-11"]


def test_shared_capacity_gets_a_standard_refresh_without_a_body(stage: RefreshStage) -> None:
    stage.land("calendar/2026.csv")
    stage.settle()
    (post,) = stage.posts(CALENDAR)
    assert post["body"] is None
    run = stage.run(dataset="calendar")
    assert (run["status"], run["refreshType"]) == ("completed", "ViaApi")
    assert stage.history(CALENDAR)[0]["requestId"].lower() == run["requestId"]


def test_a_file_that_lands_during_a_refresh_causes_one_more(stage: RefreshStage) -> None:
    stage.lasts("PT10M")
    stage.land(f"{MONTH}/a.parquet")
    stage.running()
    stage.land(f"{MONTH}/b.parquet", f"{MONTH}/c.parquet")
    stage.settle()
    assert [run["events"] for run in stage.all_runs()] == [2, 1]
    assert (len(stage.posts()), stage.uncovered(), stage.pending()) == (2, [], 0)


def test_a_marker_does_not_wait_for_quiet(stage: RefreshStage) -> None:
    stage.change_dataset("sales", quietPeriod="PT10M", maxWait="PT1H")
    began = stage.now()
    stage.land(f"{MONTH}/a.parquet", "sales/_SUCCESS")
    stage.running()
    assert stage.now() - began < 2 * MINUTE
    assert "objects" not in stage.posts(SALES)[0]["body"], "the marker stands for the whole model"
    stage.settle()
    assert stage.uncovered() == []


def test_files_that_never_stop_are_refreshed_after_the_longest_wait(stage: RefreshStage) -> None:
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


def test_a_redelivered_event_and_an_overwritten_file(stage: RefreshStage) -> None:
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


def test_three_datasets_are_refreshed_side_by_side(stage: RefreshStage) -> None:
    for number in range(10):
        stage.land(f"calendar/{number}.csv", f"{MONTH}/{number}.parquet", f"margin/deep/er/{number}.csv")
    stage.settle()
    assert {run["dataset"]: run["events"] for run in stage.all_runs()} == {"calendar": 10, "sales": 10, "margin": 10}
    assert (len(stage.posts()), stage.uncovered()) == (3, [])


def test_what_the_policy_does_not_let_us_touch_is_not_refreshed(stage: RefreshStage) -> None:
    stage.touch(workspace_ids=[REFERENCE])
    stage.land(f"{MONTH}/a.parquet")
    stage.until(lambda: bool(stage.all_runs(status="failed")))
    assert stage.posts() == []
    assert "touch" in stage.run(status="failed")["error"]["remedy"]
    stage.touch(name_prefixes=["Sales"])
    stage.until(lambda: stage.pending() == 0)
    assert stage.uncovered() == []


def test_a_paused_dataset_waits_and_goes_on_when_it_is_not(stage: RefreshStage) -> None:
    stage.change_dataset("sales", paused=True)
    stage.land(f"{MONTH}/a.parquet")
    stage.advance(HOUR)
    stage.sweep()
    stage.settle()
    assert stage.posts() == []
    stage.change_dataset("sales", paused=False)
    stage.advance(MINUTE)
    stage.sweep()
    stage.settle()
    assert stage.uncovered() == []


def test_messages_that_can_never_be_read_are_kept_and_stop_nothing(stage: RefreshStage) -> None:
    for odd in (b"not JSON", b"{}", b"[7]"):
        stage.triggers.land(odd)
    stage.triggers.look(b"not JSON")
    stage.land(f"{MONTH}/a.parquet")
    stage.settle()
    assert len(stage.rejected.documents()) == 4
    assert all(copy["reason"] for copy in stage.rejected.documents())
    assert stage.uncovered() == []
