"""When a refresh starts, and of what: the pure decision, rule by rule."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.refresh.decision import (
    Dismiss,
    Nothing,
    Start,
    WaitUntil,
    Watch,
    decide,
    needed_by,
    with_run,
)
from shared.refresh.extent import extent
from shared.refresh.records import DatasetHead, Landing, Queued, Trigger
from shared.refresh.rules import RefreshObject
from shared.refresh.timing import Timing
from tests.doubles.clock import MINUTE, NOON, SECOND
from tests.refresh.harness import PREMIUM, SHARED
from tests.refresh.moves import CLAIMED, OURS

TIMING = Timing()
QUEUED = Queued("run", Trigger.DATA_LANDED, NOON, "c")
BODY = Queued("own", Trigger.MANUAL, NOON, "c", body=True, asked=True, urgent=True)
HEAD = DatasetHead("d", queue=(QUEUED,))


def landing(seconds: float = 0, *objects: RefreshObject, immediate: bool = False) -> Landing:
    at = NOON + timedelta(seconds=seconds)
    return Landing(f"k{seconds}", objects, immediate, at, at)


def starts_at(*pending: Landing, head: DatasetHead = HEAD) -> float:
    """Seconds after noon at which the refresh starts if nothing else lands."""
    for second in range(0, 7200, 5):
        if isinstance(decide(head, pending, SHARED, NOON + second * SECOND), Start):
            return second
    raise AssertionError("never")


# ---- quiet period, longest wait, marker
def test_it_waits_until_no_file_has_landed_for_the_quiet_period() -> None:
    assert starts_at(landing(0)) == 120
    assert starts_at(landing(0), landing(60), landing(100)) == 220


def test_it_never_waits_longer_than_the_longest_wait_after_the_first_arrival() -> None:
    assert starts_at(*(landing(second) for second in range(0, 3600, 60))) == 900


def test_a_marker_waits_for_its_settle_time_only() -> None:
    assert starts_at(landing(0), landing(10, immediate=True), landing(35)) == 40


def test_a_marker_never_delays_what_is_ready() -> None:
    assert starts_at(landing(0), landing(110, immediate=True)) == 140
    assert starts_at(*(landing(second) for second in range(0, 900, 60)), landing(890, immediate=True)) == 900


def test_the_wait_ends_when_the_decision_says_it_does() -> None:
    decision = decide(HEAD, [landing(0), landing(50)], SHARED, NOON + MINUTE)
    assert isinstance(decision, WaitUntil)
    assert decision.at == NOON + 170 * SECOND


@given(st.lists(st.tuples(st.integers(0, 2000), st.booleans()), min_size=1, max_size=12))
def test_a_start_is_never_later_than_promised_nor_while_files_keep_coming(files: list[tuple[int, bool]]) -> None:
    pending = [landing(at, immediate=marked) for at, marked in files]
    at = starts_at(*pending)
    first, last = min(at for at, _ in files), max(at for at, _ in files)
    assert at < first + 900 + 5
    assert at >= min(last + 120, first + 900, *(seconds + 30 for seconds, marked in files if marked), 10**6)


@given(st.integers(0, 2000), st.booleans(), st.integers(0, 4000))
def test_the_look_for_a_lone_landing_comes_just_when_it_is_ready(at: int, marked: bool, rests: int) -> None:
    head = replace(HEAD, rests_until=NOON + rests * SECOND)
    one = landing(at, immediate=marked)
    due = needed_by(head, one, SHARED)
    assert isinstance(decide(head, [one], SHARED, due), Start)
    assert not isinstance(decide(head, [one], SHARED, due - SECOND), Start)


# ---- what holds a start back
@pytest.mark.parametrize(
    "head",
    [
        replace(HEAD, rests_until=NOON + 1800 * SECOND),
        replace(HEAD, no_post_before=NOON + 1800 * SECOND),
        replace(HEAD, no_call_before=NOON + 1800 * SECOND),
    ],
    ids=["the pause after a failure", "a refresh of ours may still begin", "Power BI asked for a pause"],
)
def test_nothing_starts_before_its_time(head: DatasetHead) -> None:
    assert starts_at(landing(0), head=head) == 1800


def test_a_retry_waits_for_its_delay() -> None:
    assert starts_at(landing(0), head=replace(HEAD, queue=(replace(QUEUED, not_before=NOON + 600 * SECOND),))) == 600


def test_somebody_who_asks_waits_for_no_quiet_period_and_no_pause() -> None:
    asked = replace(QUEUED, asked=True, urgent=True, not_before=NOON + 600 * SECOND)
    assert starts_at(landing(0), head=replace(HEAD, queue=(asked,), rests_until=NOON + 900 * SECOND)) == 0


def test_somebody_who_asks_waits_while_a_refresh_of_ours_may_still_begin() -> None:
    asked = replace(QUEUED, asked=True, urgent=True)
    assert starts_at(head=replace(HEAD, queue=(asked,), no_post_before=NOON + 600 * SECOND)) == 600


def test_paused_means_that_nothing_is_started() -> None:
    paused = replace(SHARED, paused=True)
    assert decide(HEAD, [landing()], paused, NOON + 600 * SECOND) == Nothing("paused")


def test_a_refresh_in_flight_is_watched_even_when_paused_or_unknown() -> None:
    head = replace(HEAD, flight=OURS)
    for policy in (replace(SHARED, paused=True), None):
        assert decide(head, [], policy, NOON + 600 * SECOND) == Watch()


def test_a_claim_without_an_id_is_left_alone_while_it_is_live() -> None:
    decision = decide(replace(HEAD, flight=CLAIMED), [], SHARED, NOON + 80 * SECOND)
    assert isinstance(decision, WaitUntil)
    assert decision.at == CLAIMED.claimed_until
    assert decide(replace(HEAD, flight=CLAIMED), [], SHARED, CLAIMED.claimed_until) == Watch()


def test_power_bi_is_not_asked_before_it_said() -> None:
    head = replace(HEAD, flight=OURS, no_call_before=NOON + 3000 * SECOND)
    decision = decide(head, [], SHARED, NOON + 600 * SECOND)
    assert isinstance(decision, WaitUntil)
    assert decision.at == NOON + 3000 * SECOND


# ---- which run
def test_a_run_without_anything_left_to_cover_is_dismissed() -> None:
    decision = decide(HEAD, [], SHARED, NOON)
    assert isinstance(decision, Dismiss)
    assert decision.entry == QUEUED


def test_a_run_that_was_asked_for_is_carried_out_with_nothing_landed() -> None:
    asked = replace(QUEUED, asked=True, urgent=True)
    assert decide(replace(HEAD, queue=(asked,)), [], SHARED, NOON) == Start(asked, ())


def test_runs_of_a_dataset_that_is_not_in_the_document_any_more_are_dismissed() -> None:
    assert isinstance(decide(HEAD, [landing()], None, NOON), Dismiss)
    assert isinstance(decide(DatasetHead("d"), [landing()], None, NOON), Nothing)


def test_a_run_with_a_body_of_its_own_does_not_wait_behind_a_quiet_period() -> None:
    head = replace(HEAD, queue=(QUEUED, BODY))
    assert decide(head, [landing()], SHARED, NOON + SECOND) == Start(BODY, ())
    assert decide(head, [landing()], SHARED, NOON + 120 * SECOND) == Start(QUEUED, (landing(),))


def test_a_landing_gets_a_run_unless_one_waits_that_covers_it() -> None:
    assert with_run(HEAD, NOON, "new", "c") == HEAD
    behind = with_run(replace(HEAD, queue=(BODY,)), NOON, "new", "c")
    assert behind.queue == (BODY, Queued("new", Trigger.DATA_LANDED, NOON, "c"))


# ---- what is refreshed
NOVEMBER, DECEMBER = RefreshObject("Sales", "2026-11"), RefreshObject("Sales", "2026-12")
STOCK = RefreshObject("Stock")


def test_on_shared_capacity_it_is_a_standard_refresh() -> None:
    made = extent(QUEUED, [landing(0, NOVEMBER)], SHARED, TIMING)
    assert (made.body, made.objects) == (None, ())


def test_on_a_capacity_of_ones_own_it_is_the_tables_and_partitions_that_landed() -> None:
    made = extent(QUEUED, [landing(0, NOVEMBER), landing(1, DECEMBER, STOCK), landing(2, NOVEMBER)], PREMIUM, TIMING)
    assert made.body == {
        "type": "Full",
        "commitMode": "Transactional",
        "objects": [
            {"table": "Sales", "partition": "2026-11"},
            {"table": "Sales", "partition": "2026-12"},
            {"table": "Stock"},
        ],
        "applyRefreshPolicy": False,
    }
    assert made.objects == (NOVEMBER, DECEMBER, STOCK)


def test_tables_alone_keep_their_refresh_policy() -> None:
    made = extent(QUEUED, [landing(0, STOCK)], PREMIUM, TIMING)
    assert made.body == {"type": "Full", "commitMode": "Transactional", "objects": [{"table": "Stock"}]}


def test_a_landing_without_objects_makes_it_the_whole_model() -> None:
    made = extent(QUEUED, [landing(0, NOVEMBER), landing(1)], PREMIUM, TIMING)
    assert (made.body, made.objects) == ({"type": "Full", "commitMode": "Transactional"}, ())


def test_of_too_many_partitions_it_is_the_tables_which_a_refresh_policy_must_not_narrow() -> None:
    many = [landing(at, RefreshObject("Sales", str(at))) for at in range(TIMING.most_objects + 1)]
    made = extent(QUEUED, many, PREMIUM, TIMING)
    assert made.body is not None
    assert (made.body["objects"], made.body["applyRefreshPolicy"]) == ([{"table": "Sales"}], False)
    assert len(extent(QUEUED, many[1:], PREMIUM, TIMING).objects) == TIMING.most_objects


def test_of_too_many_tables_it_is_the_whole_model() -> None:
    many = [landing(at, RefreshObject(f"Table {at}")) for at in range(TIMING.most_objects + 1)]
    assert extent(QUEUED, many, PREMIUM, TIMING).body == {"type": "Full", "commitMode": "Transactional"}


def test_somebody_who_asks_without_saying_more_gets_the_whole_model() -> None:
    made = extent(replace(QUEUED, asked=True), [landing(0, NOVEMBER)], PREMIUM, TIMING)
    assert (made.body, made.objects) == ({"type": "Full", "commitMode": "Transactional"}, ())


def test_where_a_partition_is_missing_it_is_the_table() -> None:
    made = extent(replace(QUEUED, to_tables=True), [landing(0, NOVEMBER, STOCK)], PREMIUM, TIMING)
    assert made.objects == (RefreshObject("Sales"), STOCK)
    assert made.body is not None
    assert "applyRefreshPolicy" not in made.body


def test_a_timeout_beyond_what_power_bi_allows_by_itself_is_asked_for() -> None:
    assert extent(QUEUED, [landing(0)], replace(PREMIUM, timeout=timedelta(hours=7, minutes=30)), TIMING).body == {
        "type": "Full",
        "commitMode": "Transactional",
        "timeout": "07:30:00",
    }
