"""Refreshes that take too long, and runs that somebody cancels."""

from __future__ import annotations

from itertools import pairwise

import pytest

from shared.errors import (
    Ended,
    Unavailable,
    Unknown,
)
from shared.refresh.records import RunStatus
from tests.doubles.clock import HOUR, MINUTE, SECOND
from tests.refresh.harness import PREMIUM
from tests.refresh.moves import NOVEMBER, landed, only


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


def test_what_has_ended_or_never_was_cannot_be_cancelled() -> None:
    h = landed()
    h.settle()
    with pytest.raises(Ended, match="completed"):
        h.engine().cancel(only(h).id)
    with pytest.raises(Unknown):
        h.engine().cancel("nobody")
