"""What becomes of runs: every answer to the POST, every end, retries, cancels, and what others do meanwhile."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from shared.errors import (
    AppError,
    Ended,
    Evidence,
    Forbidden,
    Invalid,
    Misconfigured,
    NotFound,
    Throttled,
    TooManyRequests,
    Unavailable,
    Unknown,
)
from shared.powerbi.guardrails import Observed
from shared.refresh.documents import DatasetPolicy
from shared.refresh.endings import TO_TABLES
from shared.refresh.records import Run, RunStatus
from shared.refresh.rules import RefreshObject
from tests.doubles.clock import HOUR, MINUTE, SECOND
from tests.doubles.taps import Interference, crash
from tests.refresh import world as fates
from tests.refresh.harness import PREMIUM, SHARED, Harness

NOVEMBER = RefreshObject("Sales", "2026-11")
GATEWAY = ("Failed", '{"errorCode":"DM_GWPipeline_Gateway_Offline"}')
CREDENTIALS = ("Failed", '{"errorCode":"ModelRefreshFailed_CredentialsNotSpecified"}')
OWN: dict[str, object] = {"type": "Full", "objects": [{"table": "Other"}]}


def landed(policy: DatasetPolicy = SHARED, *objects: RefreshObject) -> Harness:
    """One file has landed; it is refreshed in two minutes."""
    h = Harness(policy)
    h.land("a", *objects)
    return h


def started(h: Harness) -> list[float]:
    """Minutes from the beginning at which refreshes of ours began."""
    return [(each.started - h.clock.start) / MINUTE for each in h.world.ours() if each.started]


def only(h: Harness) -> Run:
    [run] = h.all_runs()
    return run


def outcomes(h: Harness) -> list[str]:
    """Of the changes in the audit."""
    return [change.outcome for change in h.told.changes.values()]


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


def test_already_executing_means_that_ours_comes_after_it() -> None:
    h = landed()
    h.world.lag = 50 * SECOND
    h.pass_time(110 * SECOND)
    h.world.stranger("ViaXmlaEndpoint", lasts=6 * MINUTE)
    h.pass_time(20 * SECOND)
    assert h.world.calls["start"] == 1
    run = only(h)
    assert (run.status, run.attempts) == (RunStatus.WAITING, ())
    assert "executing" in run.reason
    h.settle()
    assert only(h).status is RunStatus.COMPLETED
    assert h.world.calls["start"] <= 3


def test_another_refresh_that_the_history_shows_is_waited_for_without_a_post() -> None:
    h = landed()
    h.world.stranger("ViaXmlaEndpoint", lasts=6 * MINUTE)
    h.settle()
    assert (h.world.calls["start"], only(h).status) == (1, RunStatus.COMPLETED)
    assert 6 <= started(h)[0] <= 9


def test_a_leftover_of_the_history_holds_nothing_up() -> None:
    h = landed()
    h.world.stranger("ViaXmlaEndpoint", lasts=1000 * HOUR)
    leftover = h.world.refreshes[0]
    leftover.started = h.clock() - 30 * HOUR
    h.world.executing = lambda: next((r for r in h.world.refreshes if r.running and r.ours), None)  # type: ignore[method-assign]
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


def test_an_enhanced_refresh_of_somebody_else_that_is_taken_for_ours_covers_nothing_it_did_not_refresh() -> None:
    h = landed(PREMIUM, NOVEMBER)
    h.pass_time(115 * SECOND)
    h.world.fates.append(fates.NEVER)
    h.pass_time(6 * SECOND)
    h.world.stranger("ViaEnhancedApi")
    h.settle()
    assert [refresh.ours for refresh in h.world.refreshes] == [False, True]
    assert h.world.truly_covered("a")


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
    for number in range(1, 30):
        interference = Interference()
        h = Harness(tap=interference)
        h.land("a")
        h.clock.advance(2 * MINUTE)
        interference.arm({(number, True): lambda h=h: h.clock.advance(5 * MINUTE)})  # type: ignore[misc]
        h.deliver(h.queue.sent[0])
        slow = interference.calls[number - 1] if number <= len(interference.calls) else ""
        if h.world.calls["start"] and slow != "powerbi start":
            flight = h.head().flight
            assert flight is None or flight.request_id
        h.settle()
        assert h.world.harm == []
        assert h.world.truly_covered("a")
        if slow in ("table runs replace", "audit record") and h.all_runs()[0].attempts[0].status == "failed":
            assert h.world.calls["start"] == 1


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
    assert outcomes(h) == ["refused"]
    h.settle()
    assert h.world.truly_covered("a")
    assert started(h)[0] >= 32


def test_the_daily_limit_is_tried_again_later() -> None:
    h = landed()
    message = "Invalid dataset refresh request. Number of refresh requests in last 24 hours exceeded limit"
    h.world.fates.append(Invalid("no", evidence=Evidence(status=400, code="InvalidRequest", message=message)))
    h.settle()
    run = only(h)
    assert [attempt.status for attempt in run.attempts] == ["failed", "completed"]
    assert run.attempts[0].error is not None
    assert run.attempts[0].error["class"] == "throttle"


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
    h.world.outcomes.append(("Failed", "The model has no partition '2026-11' in table 'Sales'"))
    h.settle()
    run = only(h)
    assert (run.status, len(run.attempts)) == (RunStatus.COMPLETED, 2)
    assert run.objects == (RefreshObject("Sales"), RefreshObject("Stock"))
    assert TO_TABLES in run.reason
    assert started(h)[1] < 6


# ---- somebody else's refreshes
def test_a_scheduled_refresh_that_began_after_the_files_landed_covers_them() -> None:
    h = Harness()
    h.change_policy(quiet_period=30 * MINUTE, max_wait=HOUR)
    h.land("a")
    h.clock.advance(3 * MINUTE)
    h.world.stranger("Scheduled")
    h.settle()
    run = only(h)
    assert (h.world.ours(), run.status) == ([], RunStatus.SKIPPED)
    assert h.told.ends == [(run.id, RunStatus.SKIPPED)]


def test_a_refresh_of_somebody_else_that_may_have_begun_before_the_file_landed_does_not_count() -> None:
    h = landed()
    h.clock.advance(MINUTE)
    h.world.stranger("Scheduled", lasts=20 * SECOND)
    h.settle()
    assert len(h.world.ours()) == 1


# ---- timeouts and cancels
def test_an_enhanced_refresh_that_takes_too_long_is_cancelled() -> None:
    h = landed(PREMIUM, NOVEMBER)
    h.change_policy(timeout=20 * MINUTE)
    h.world.lasts = 3 * HOUR
    h.pass_time(30 * MINUTE)
    first = h.all_runs()[0]
    assert (first.status, h.world.calls["cancel"]) == (RunStatus.TIMED_OUT, 1)
    ended = h.world.ours()[0].ended
    assert ended is not None
    assert 22 * MINUTE <= ended - h.clock.start <= 24 * MINUTE
    assert ("cancelRefresh", "done") in {(each.action, each.outcome) for each in h.told.changes.values()}


def test_a_standard_refresh_that_takes_too_long_runs_out() -> None:
    h = landed()
    h.change_policy(timeout=20 * MINUTE)
    h.world.lasts = HOUR
    h.pass_time(40 * MINUTE)
    assert (only(h).status, h.world.calls["cancel"]) == (RunStatus.RUNNING, 0)
    assert "timeout" in only(h).reason
    h.settle()
    assert only(h).status is RunStatus.COMPLETED


def test_a_refresh_that_may_be_somebody_elses_is_never_cancelled() -> None:
    h = landed(PREMIUM, NOVEMBER)
    h.change_policy(timeout=20 * MINUTE)
    h.pass_time(115 * SECOND)
    h.world.fates.append(fates.NEVER)
    h.pass_time(6 * SECOND)
    h.world.stranger("ViaEnhancedApi", lasts=HOUR)
    h.pass_time(50 * MINUTE)
    h.engine().cancel(only(h).id)
    h.settle()
    assert (h.world.calls["cancel"], h.world.harm) == (0, [])


def test_a_cancel_that_is_not_heard_is_sent_again() -> None:
    h = landed(PREMIUM, NOVEMBER)
    h.world.lasts = HOUR
    h.pass_time(3 * MINUTE)
    cancel, heard = h.world.cancel, []

    def deaf(workspace_id: str, dataset_id: str, request_id: str) -> None:
        heard.append(h.clock())
        if len(heard) < 3:
            raise Unavailable("no answer", effect_unknown=True)
        cancel(workspace_id, dataset_id, request_id)

    h.world.cancel = deaf  # type: ignore[method-assign]
    h.engine().cancel(only(h).id)
    h.pass_time(10 * MINUTE)
    assert len(heard) == 3
    assert all(later - sooner >= MINUTE for sooner, later in pairwise(heard))
    assert h.all_runs()[0].status is RunStatus.CANCELLED


def test_a_run_that_waits_is_cancelled_at_once_and_its_files_rest() -> None:
    h = landed()
    run = h.engine().cancel(only(h).id)
    assert (run.status, run.cancel_requested) == (RunStatus.CANCELLED, True)
    h.pass_time(20 * MINUTE)
    assert h.world.calls["start"] == 0
    assert h.told.ends == [(run.id, RunStatus.CANCELLED)]
    h.settle()
    assert h.world.truly_covered("a")


def test_an_enhanced_refresh_is_cancelled_when_power_bi_says_so() -> None:
    h = landed(PREMIUM, NOVEMBER)
    h.world.lasts = HOUR
    h.pass_time(3 * MINUTE)
    run = h.engine().cancel(only(h).id)
    assert (run.status, run.cancel_requested) == (RunStatus.RUNNING, True)
    h.pass_time(30 * SECOND)
    assert h.run(run.id).status is RunStatus.CANCELLED


def test_a_standard_refresh_that_is_to_be_cancelled_runs_out() -> None:
    h = landed()
    h.pass_time(3 * MINUTE)
    run = h.engine().cancel(only(h).id)
    h.pass_time(30 * SECOND)
    assert "standard" in h.run(run.id).reason
    h.settle()
    assert h.run(run.id).status is RunStatus.COMPLETED


def test_a_run_that_is_cancelled_while_it_is_claimed_is_never_started() -> None:
    for number in range(1, 14):
        interference = Interference()
        h = Harness(tap=interference)
        h.land("a")
        id = only(h).id
        h.clock.advance(2 * MINUTE)
        cancelled: list[bool] = []

        def cancel(h: Harness = h, id: str = id, cancelled: list[bool] = cancelled) -> None:
            cancelled.append(h.world.calls["start"] == 0)
            h.engine().cancel(id)

        interference.arm({(number, False): cancel})
        h.deliver(h.queue.sent[0])
        h.settle()
        assert h.run(id).final
        assert h.world.truly_covered("a")
        assert h.world.harm == []


def test_what_has_ended_or_never_was_cannot_be_cancelled() -> None:
    h = landed()
    h.settle()
    with pytest.raises(Ended, match="completed"):
        h.engine().cancel(only(h).id)
    with pytest.raises(Unknown):
        h.engine().cancel("nobody")


# ---- somebody asks
def test_a_request_without_a_body_joins_a_run_that_waits_and_hurries_it() -> None:
    h = landed()
    joined = h.start("m1")
    assert joined.id == only(h).id
    h.pass_time(10 * SECOND, sweeps=False)
    assert h.world.calls["start"] == 1
    h.settle(sweeps=False)
    assert len(h.all_runs()) == 1


def test_a_request_while_a_refresh_runs_is_a_run_of_its_own_that_follows() -> None:
    h = landed()
    h.pass_time(3 * MINUTE, sweeps=False)
    run = h.start("m1")
    assert (run.status, run.trigger.value, run.caller) == (RunStatus.QUEUED, "manual", {"clientId": "c"})
    h.land("b")
    h.settle(sweeps=False)
    assert [(each.id, each.status) for each in h.all_runs()][1:] == [("m1", RunStatus.COMPLETED)]
    assert h.world.truly_covered("b")


def test_a_request_with_a_body_queues_behind_and_covers_nothing() -> None:
    h = landed(PREMIUM, NOVEMBER)
    h.pass_time(3 * MINUTE, sweeps=False)
    h.land("b", NOVEMBER)
    first, second = h.start("m1", OWN), h.start("m2", OWN)
    assert {first.id, second.id} == {"m1", "m2"}
    h.settle(sweeps=False)
    bodies = [refresh.body for refresh in h.world.ours()]
    assert bodies.count(OWN) == 2
    assert all(run.status is RunStatus.COMPLETED for run in h.all_runs())
    assert h.world.truly_covered("b")


def test_the_same_request_again_is_the_same_run() -> None:
    h = Harness(PREMIUM)
    assert h.start("m1", OWN).id == h.start("m1", OWN).id == "m1"
    h.settle()
    assert h.start("m1", OWN).status is RunStatus.COMPLETED
    assert len(h.world.ours()) == 1


def test_too_many_that_wait_are_refused() -> None:
    h = Harness(PREMIUM)
    for number in range(20):
        h.start(f"m{number}", OWN)
    with pytest.raises(TooManyRequests):
        h.start("m20", OWN)


def test_a_request_for_a_paused_dataset_waits() -> None:
    h = Harness()
    h.change_policy(paused=True)
    run = h.start()
    assert (run.status, "paused" in run.reason) == (RunStatus.WAITING, True)
    h.pass_time(HOUR)
    assert h.world.calls == {}
    h.change_policy(paused=False)
    h.settle()
    assert h.run("m1").status is RunStatus.COMPLETED


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


# ---- lists, and who dies where
def test_lists_give_the_newest_first_and_lead_on() -> None:
    h = Harness(PREMIUM)
    for number in range(5):
        h.start(f"m{number}", OWN)
        h.clock.advance(SECOND)
    page = h.engine().listed("", "", 3)
    assert [run.id for _, run in page if run] == ["m4", "m3", "m2"]
    rest = h.engine().listed(PREMIUM.dataset_id, page[-1][0], 3)
    assert [run.id for _, run in rest if run] == ["m1", "m0"]
    assert h.engine().listed("d-other", "", 3) == []


def test_keys_that_another_worker_wrote_for_the_same_run_cover_nothing() -> None:
    """Two looks start the same run; the slower one read more, after the faster one's POST, and loses the claim."""
    interference = Interference()
    h = Harness(tap=interference)
    h.land("a")
    [message] = h.queue.sent
    twin = type(message)(message.body, message.visible_at)
    h.clock.advance(2 * MINUTE)

    def faster() -> None:
        h.queue.sent.append(twin)
        h.deliver(twin)

    calls = _calls_of_a_start()
    interference.arm({(calls.index("blob runs put") + 1, False): faster})
    h.deliver(message)
    assert len(h.world.ours()) == 1
    assert len([name for name in h.blobs.blobs if "/landings/" in name]) == 2
    flight = h.head().flight
    assert flight is not None
    assert h.store.keys(flight.entry.run_id, flight.claim) == {event.key for event in h.delivered}


def _calls_of_a_start() -> list[str]:
    interference = Interference()
    h = Harness(tap=interference)
    h.land("a")
    h.clock.advance(2 * MINUTE)
    interference.arm({})
    h.deliver(h.queue.sent[0])
    return interference.calls


def test_a_worker_that_dies_right_after_the_claim_holds_the_dataset_up_for_no_longer_than_promised() -> None:
    interference = Interference()
    h = Harness(tap=interference)
    h.land("a")
    h.clock.advance(2 * MINUTE)
    claim = _calls_of_a_start().index("blob runs put") + 2
    interference.arm({(claim, True): crash})
    h.deliver(h.queue.sent[0])
    h.settle()
    assert h.world.truly_covered("a")
    assert started(h)[0] <= 2 + 1.5 + 10 + 5 + 4


def test_a_worker_that_is_too_late_for_its_post_does_not_send_it() -> None:
    interference = Interference()
    h = Harness(tap=interference)
    h.land("a")
    h.clock.advance(2 * MINUTE)
    announced = _calls_of_a_start().index("audit record") + 1
    interference.arm({(announced, True): lambda: h.clock.advance(31 * SECOND)})
    h.deliver(h.queue.sent[0])
    assert (h.world.calls["start"], outcomes(h)) == (0, ["unknown"])
    h.settle()
    assert h.world.truly_covered("a")


def test_a_request_id_that_comes_when_the_claim_is_another_ones_is_dropped() -> None:
    interference = Interference()
    h = Harness(tap=interference)
    h.land("a")
    h.clock.advance(2 * MINUTE)
    h.world.fates.append(fates.DROPPED)
    h.world.lasts = HOUR
    posted = _calls_of_a_start().index("powerbi start") + 1
    interference.arm({(posted, True): lambda: h.pass_time(30 * MINUTE)})
    h.deliver(h.queue.sent[0])
    flight = h.head().flight
    assert flight is not None
    assert flight.request_id == "r2"
    h.settle()
    assert [run.request_id for run in h.all_runs()] == ["r2"]
