"""A refresh that Power BI does not take for now: the run waits, and nothing of that counts as an attempt."""

from __future__ import annotations

import pytest

from shared.errors import AppError, Evidence, Invalid, Throttled
from shared.refresh.records import RunStatus
from tests.doubles.clock import HOUR, MINUTE
from tests.doubles.taps import crash
from tests.refresh.moves import about_to_start, audited, landed, only, started

LIMIT = "Invalid dataset refresh request. Number of refresh requests in last 24 hours exceeded limit"


def used_up(status: int = 400, pause: float = 5) -> AppError:
    """The dataset has had its refreshes of the day."""
    evidence = Evidence(status=status, code="InvalidRequest", message=LIMIT)
    if status == 429:
        return Throttled("slow down", retry_after=pause, evidence=evidence)
    return Invalid("no", evidence=evidence)


@pytest.mark.parametrize("status", [400, 429])
def test_a_run_waits_while_the_refreshes_of_the_day_are_used_up(status: int) -> None:
    h = landed()
    h.world.fates.extend(used_up(status) for _ in range(5))
    h.pass_time(4 * HOUR, sweeps=False)
    run = only(h)
    assert (run.status, run.attempts, run.error) == (RunStatus.WAITING, (), None)
    assert "used up" in run.reason
    assert "2026-11-22T17:02:00Z" in run.reason
    assert h.told.ends == []
    assert h.world.calls["start"] == 4
    h.settle(sweeps=False)
    run = only(h)
    assert (run.status, len(run.attempts), run.reason) == (RunStatus.COMPLETED, 1, "")
    assert started(h) == [pytest.approx(377)]
    assert audited(h) == ["refused"] * 5 + ["done"]


def test_it_waits_for_longer_where_power_bi_asks_for_longer() -> None:
    h = landed()
    h.world.fates.append(used_up(429, pause=3 * HOUR.total_seconds()))
    h.pass_time(3 * HOUR, sweeps=False)
    assert h.world.calls["start"] == 1
    h.settle(sweeps=False)
    assert (only(h).status, h.world.calls["start"]) == (RunStatus.COMPLETED, 2)


def test_what_lands_and_who_asks_meanwhile_waits_for_the_same_refresh() -> None:
    h = landed()
    h.world.fates.append(used_up())
    h.pass_time(10 * MINUTE)
    h.land("b", immediate=True)
    h.start()
    h.pass_time(60 * MINUTE)
    assert h.world.calls["start"] == 1
    h.settle()
    assert (only(h).status, only(h).events, h.world.calls["start"]) == (RunStatus.COMPLETED, 2, 2)


@pytest.mark.parametrize("number", range(1, 22))
def test_a_crash_after_a_refusal_leaves_no_attempt_that_seems_to_run(number: int) -> None:
    h, interference = about_to_start()
    h.world.fates.append(Throttled("slow down", retry_after=60))
    interference.arm({(number, True): crash})
    h.settle()
    assert all(attempt.ended_at for attempt in only(h).attempts)
    assert h.world.truly_covered("a")
