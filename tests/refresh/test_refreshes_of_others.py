"""Refreshes of other people: waited for, counted where they surely cover, never taken for ours, never cancelled."""

from __future__ import annotations

from shared.refresh.records import RunStatus
from tests.doubles.clock import HOUR, MINUTE, SECOND
from tests.refresh import world as fates
from tests.refresh.harness import PREMIUM, Harness
from tests.refresh.moves import NOVEMBER, landed, only, started


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


def test_an_enhanced_refresh_of_somebody_else_that_is_taken_for_ours_covers_nothing_it_did_not_refresh() -> None:
    h = landed(PREMIUM, NOVEMBER)
    h.pass_time(115 * SECOND)
    h.world.fates.append(fates.NEVER)
    h.pass_time(6 * SECOND)
    h.world.stranger("ViaEnhancedApi")
    h.settle()
    assert [refresh.ours for refresh in h.world.refreshes] == [False, True]
    assert h.world.truly_covered("a")


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
