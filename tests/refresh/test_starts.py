"""Starting a refresh: every answer that the POST may get, and none at all."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.errors import (
    AppError,
    Evidence,
    Forbidden,
    Invalid,
    Misconfigured,
    NotFound,
    Throttled,
    Unavailable,
)
from shared.powerbi.guardrails import Observed
from shared.refresh.documents import DatasetPolicy
from shared.refresh.records import RunStatus
from tests.doubles.clock import HOUR, MINUTE, SECOND
from tests.refresh import world as fates
from tests.refresh.harness import PREMIUM, SHARED
from tests.refresh.moves import (
    NOVEMBER,
    about_to_start,
    audited,
    call_of_a_start,
    calls_of_a_start,
    landed,
    only,
    started,
)


# ---- what a POST may meet
def test_a_refresh_that_is_accepted_is_watched_to_its_end_and_told() -> None:
    h = landed()
    h.settle(sweeps=False)
    run = only(h)
    assert (run.status, run.events, run.request_id) == (RunStatus.COMPLETED, 1, "r1")
    assert h.told.ends == [(run.id, RunStatus.COMPLETED)]
    [change] = h.told.changes.values()
    assert (change.action, change.outcome, change.request_id) == ("startRefresh", "done", "r1")


@pytest.mark.parametrize(
    ("error", "minutes"),
    [
        (Throttled("slow down", retry_after=3392), 2 + 3392 / 60),
        (Unavailable("can't be reached", retry_after=90), 3.5),
        (Misconfigured("the secret has expired"), 7),
    ],
)
def test_an_outage_is_no_failure_and_nothing_is_asked_before_its_time(error: AppError, minutes: float) -> None:
    h = landed()
    h.world.fates.append(error)
    h.pass_time(3 * MINUTE, sweeps=False)
    before = sum(h.world.calls.values())
    assert only(h).status is RunStatus.WAITING
    while h.clock() < h.clock.start + timedelta(minutes=minutes) - SECOND:
        h.land(f"b{h.clock().timestamp()}", immediate=True)
        h.sweep()
        h.pass_time(min(MINUTE / 3, h.clock.start + timedelta(minutes=minutes) - SECOND - h.clock()))
    assert sum(h.world.calls.values()) == before
    h.settle()
    assert started(h) == [pytest.approx(minutes)]
    assert (only(h).status, len(only(h).attempts)) == (RunStatus.COMPLETED, 1)


@pytest.mark.parametrize(
    "error", [Throttled("slow down", retry_after=1800), Misconfigured("mend it", retry_after=1800)]
)
def test_an_outage_while_a_refresh_is_watched_is_no_failure(error: AppError) -> None:
    h = landed()
    h.pass_time(3 * MINUTE, sweeps=False)
    h.world.reading.append(error)
    h.pass_time(20 * MINUTE)
    assert h.world.reading == type(h.world.reading)()
    assert only(h).status is RunStatus.RUNNING
    h.settle(HOUR)
    assert only(h).status is RunStatus.COMPLETED


@pytest.mark.parametrize("policy", [SHARED, PREMIUM], ids=["standard", "enhanced"])
def test_a_start_whose_answer_was_lost_is_found_in_the_history(policy: DatasetPolicy) -> None:
    h = landed(policy, NOVEMBER)
    h.clock.advance(-MINUTE)  # it landed well before the margin
    h.world.fates.append(fates.LOST)
    h.policies[policy.dataset_id] = policy
    h.clock.advance(MINUTE)
    h.settle()
    assert len(h.world.ours()) <= 2
    assert h.world.truly_covered("a")
    first = h.all_runs()[0]
    assert (first.status, first.request_id) == (RunStatus.COMPLETED, "r1")


def test_a_start_that_was_found_in_the_history_is_known_to_the_audit_while_it_still_runs() -> None:
    h = landed()
    h.world.fates.append(fates.LOST)
    h.world.lasts = HOUR
    h.pass_time(6 * MINUTE)
    assert only(h).status is RunStatus.RUNNING
    [change] = h.told.changes.values()
    assert (change.outcome, change.request_id) == ("done", "r1")


def test_of_a_refresh_that_may_be_somebody_elses_only_the_margin_says_what_it_covers() -> None:
    h = landed()
    h.clock.advance(60 * SECOND)
    h.land("b")
    h.world.fates.append(fates.LOST)
    h.settle()
    assert len(h.world.ours()) == 2
    first, second = h.all_runs()
    assert (first.status, second.status, second.events) == (RunStatus.COMPLETED, RunStatus.COMPLETED, 1)
    first_end = h.world.ours()[0].ended
    second_start = h.world.ours()[1].started
    assert first_end and second_start and second_start >= first_end + 10 * MINUTE


def test_a_start_that_had_no_effect_is_given_up_after_ten_minutes_and_tried_again() -> None:
    h = landed()
    h.world.fates.append(fates.NEVER)
    h.settle()
    run = only(h)
    assert [attempt.status for attempt in run.attempts] == ["failed", "completed"]
    assert run.attempts[0].error is not None
    assert run.attempts[0].error["code"] == "neverAppeared"
    assert started(h)[0] >= 2 + 1.5 + 10 + 5


def test_a_refresh_that_was_accepted_and_dropped_is_given_up_after_ten_minutes() -> None:
    h = landed()
    h.world.fates.append(fates.DROPPED)
    h.settle()
    assert [attempt.status for attempt in only(h).attempts] == ["failed", "completed"]


def test_the_clock_of_a_refresh_that_does_not_appear_stands_still_while_another_runs() -> None:
    h = landed()
    h.world.fates.append(fates.NEVER)
    h.pass_time(121 * SECOND)
    h.world.stranger("OnDemand", "Failed", lasts=HOUR)
    h.settle()
    assert started(h)[0] >= 62 + 10


def test_a_start_that_answers_without_an_id_is_found_in_the_history() -> None:
    h = landed()
    h.world.fates.append(fates.NAMELESS)
    h.settle()
    assert h.all_runs()[0].request_id == "r1"
    assert h.world.truly_covered("a")


def test_no_post_begins_after_its_deadline() -> None:
    """The worker stands still for five minutes after any one of its calls."""
    claimed, posted = call_of_a_start("blob runs put") + 1, call_of_a_start("powerbi start")
    for number in range(1, len(calls_of_a_start()) + 1):
        h, interference = about_to_start()
        interference.arm({(number, True): lambda h=h: h.clock.advance(5 * MINUTE)})  # type: ignore[misc]
        h.deliver(h.queue.sent[0])
        assert h.world.calls["start"] == (0 if claimed <= number < posted else 1), interference.calls[number - 1]
        h.settle()
        assert h.world.harm == []
        assert h.world.truly_covered("a")


# ---- refusals
@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        (NotFound("gone"), "model", RunStatus.FAILED),
        (Forbidden("no access"), "credentials", RunStatus.FAILED),
        (Invalid("no", evidence=Evidence(status=400, message="DirectQuery")), "model", RunStatus.FAILED),
        (Observed("planned"), "unknown", RunStatus.SKIPPED),
    ],
)
def test_a_refusal_for_good_ends_the_run_and_leaves_the_files_pending(
    error: AppError, kind: str, status: RunStatus
) -> None:
    h = landed()
    h.world.fates.append(error)
    h.pass_time(5 * MINUTE)
    first, second = h.all_runs()
    assert (first.status, len(first.attempts)) == (status, 1)
    assert first.error is not None
    assert (first.error["class"], first.error["retryable"]) == (kind, False)
    assert first.error["remedy"]
    assert second.status is RunStatus.WAITING
    assert "after 2026-11-22T12:32:00Z" in second.reason
    assert audited(h) == ["refused"]
    h.settle()
    assert h.world.truly_covered("a")
    assert started(h)[0] >= 32
