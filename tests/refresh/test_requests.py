"""Somebody asks for a refresh: joined, queued behind, refused, listed."""

from __future__ import annotations

import pytest

from shared.errors import (
    TooManyRequests,
)
from shared.refresh.records import RunStatus
from tests.doubles.clock import HOUR, MINUTE, SECOND
from tests.refresh.harness import PREMIUM, Harness
from tests.refresh.moves import NOVEMBER, OWN, landed, only


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
