"""Every end of a refresh: what is tried again and when, and that only a completed one covers."""

from __future__ import annotations

import pytest

from shared.errors import (
    Forbidden,
)
from shared.refresh.endings import TO_TABLES
from shared.refresh.records import RunStatus
from shared.refresh.rules import RefreshObject
from tests.doubles.clock import HOUR, MINUTE, SECOND
from tests.refresh.harness import PREMIUM, Harness
from tests.refresh.moves import CREDENTIALS, GATEWAY, NO_PARTITION, NOVEMBER, OWN, landed, only, started


def test_a_deleted_dataset_fails_with_what_to_do_and_is_looked_at_ever_more_rarely() -> None:
    h = landed()
    h.world.deleted = True
    h.pass_time(24 * HOUR, sweeps=False)
    ended = [run for run in h.all_runs() if run.final]
    assert 4 <= len(ended) <= 6
    assert all(run.error and "exist" in run.error["remedy"] for run in ended)
    assert h.world.calls["start"] == 0
    h.world.deleted = False
    h.settle()
    assert h.world.truly_covered("a")


def test_a_dataset_that_is_deleted_while_it_is_refreshed_fails_after_ten_minutes() -> None:
    h = landed()
    h.pass_time(3 * MINUTE)
    h.world.deleted = True
    h.pass_time(5 * MINUTE)
    assert only(h).status is RunStatus.RUNNING
    h.pass_time(8 * MINUTE)
    assert h.all_runs()[0].status is RunStatus.FAILED


def test_access_that_is_missing_for_a_moment_fails_nothing() -> None:
    h = landed()
    h.pass_time(3 * MINUTE)
    h.world.reading.extend([Forbidden("no access"), Forbidden("no access")])
    h.settle()
    assert only(h).status is RunStatus.COMPLETED


# ---- ends
def test_a_failure_that_may_pass_is_tried_again_with_a_growing_delay() -> None:
    h = landed()
    h.world.outcomes.extend([GATEWAY, GATEWAY])
    h.settle()
    run = only(h)
    assert [attempt.status for attempt in run.attempts] == ["failed", "failed", "completed"]
    assert (run.status, run.error) == (RunStatus.COMPLETED, None)
    first, second, third = h.world.ours()
    assert first.ended and second.started and second.ended and third.started
    assert 5 * MINUTE <= second.started - first.ended <= 6 * MINUTE
    assert 10 * MINUTE <= third.started - second.ended <= 11 * MINUTE
    assert h.told.ends == [(run.id, RunStatus.COMPLETED)]


def test_after_the_last_attempt_the_run_fails_and_a_new_one_waits_for_the_pause() -> None:
    h = landed()
    h.world.outcomes.extend([GATEWAY] * 3)
    h.settle()
    first, second = h.all_runs()
    assert (first.status, len(first.attempts), second.status) == (RunStatus.FAILED, 3, RunStatus.COMPLETED)
    third, fourth = h.world.ours()[2:]
    assert third.ended and fourth.started
    assert fourth.started - third.ended >= 30 * MINUTE


def test_a_failure_that_will_not_pass_is_not_tried_again() -> None:
    h = landed()
    h.world.outcomes.append(CREDENTIALS)
    h.settle()
    first, second = h.all_runs()
    assert (first.status, len(first.attempts)) == (RunStatus.FAILED, 1)
    assert first.error is not None
    assert first.error["class"] == "credentials"
    assert second.status is RunStatus.COMPLETED


def test_new_files_do_not_shorten_the_pause_after_a_failure_and_somebody_who_asks_does() -> None:
    h = landed()
    h.world.outcomes.append(CREDENTIALS)
    h.pass_time(10 * MINUTE)
    h.land("b")
    h.land("c", immediate=True)
    h.pass_time(10 * MINUTE)
    assert h.world.calls["start"] == 1
    run = h.start()
    h.pass_time(30 * SECOND)
    assert h.world.calls["start"] == 2
    h.settle()
    assert h.run(run.id).status is RunStatus.COMPLETED
    assert all(h.world.truly_covered(file) for file in "abc")


@pytest.mark.parametrize(
    ("outcome", "status"),
    [("Cancelled", RunStatus.CANCELLED), ("TimedOut", RunStatus.TIMED_OUT), ("Disabled", RunStatus.FAILED)],
)
def test_only_a_completed_refresh_covers(outcome: str, status: RunStatus) -> None:
    h = landed(PREMIUM, NOVEMBER)
    h.world.outcomes.append((outcome, ""))
    h.pass_time(10 * MINUTE)
    assert h.all_runs()[0].status is status
    assert len(h.pending()) == 1
    h.settle()
    assert h.world.truly_covered("a")


def test_a_partition_that_does_not_exist_falls_back_to_its_table_and_the_run_says_so() -> None:
    h = landed(PREMIUM, NOVEMBER, RefreshObject("Stock"))
    h.world.outcomes.append(NO_PARTITION)
    h.settle()
    run = only(h)
    assert (run.status, len(run.attempts)) == (RunStatus.COMPLETED, 2)
    assert run.objects == (RefreshObject("Sales"), RefreshObject("Stock"))
    assert TO_TABLES in run.reason
    assert started(h)[1] < 6


def test_a_body_that_was_lost_fails_the_run() -> None:
    h = Harness(PREMIUM)
    h.start("m1", OWN)
    h.blobs.blobs.clear()
    h.settle()
    run = only(h)
    assert run.error is not None
    assert (run.status, run.error["code"], h.world.calls["start"]) == (RunStatus.FAILED, "bodyLost", 0)


def test_a_run_of_a_dataset_that_left_the_document_is_skipped() -> None:
    h = landed()
    policy = h.policies.popitem()[1]
    h.pass_time(10 * MINUTE)
    run = only(h)
    assert (run.status, "refresh.yaml" in run.reason) == (RunStatus.SKIPPED, True)
    h.policies[policy.dataset_id] = policy
    h.settle()
    assert h.world.truly_covered("a")


def test_a_refresh_in_flight_is_watched_to_its_end_when_its_dataset_left_the_document() -> None:
    h = landed()
    h.pass_time(3 * MINUTE)
    h.policies.clear()
    h.pass_time(10 * MINUTE)
    assert (only(h).status, h.pending()) == (RunStatus.COMPLETED, set())
