"""A crash before and after every single call of a clean run, and of one that fails and is tried again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.errors import Retryable
from shared.refresh.records import RunStatus
from shared.refresh.rules import RefreshObject
from tests.doubles.clock import MINUTE, SECOND
from tests.doubles.taps import Act, Crash, Interference, Point, crash, points, storage_away, told
from tests.refresh.harness import PREMIUM, Harness
from tests.refresh.moves import GATEWAY, NOVEMBER, OWN


def clean(h: Harness) -> None:
    """Two files, one refresh."""
    h.land("a", NOVEMBER)
    h.clock.advance(10 * SECOND)
    h.land("b", RefreshObject("Sales", "2026-12"))


def failing(h: Harness) -> None:
    """A file, a refresh that fails, another."""
    h.world.outcomes.append(GATEWAY)
    h.land("a", NOVEMBER)


def manual(h: Harness) -> None:
    """Somebody asks for something of his own, again if it breaks, while a file waits."""
    h.land("a", RefreshObject("Sales"))
    for _ in range(3):
        try:
            h.start("m1", OWN)
        except (Crash, Retryable):
            h.clock.advance(SECOND)
        else:
            return


STORIES: dict[str, Callable[[Harness], None]] = {"clean": clean, "failing": failing, "manual": manual}


def played(story: str, interference: Interference) -> Harness:
    """The story as it begins; its refreshes last long enough to be watched, and no longer: every call is a point."""
    h = Harness(PREMIUM, interference)
    h.world.lasts = 30 * SECOND
    STORIES[story](h)
    return h


def calls_of(story: str) -> list[str]:
    """What a run without a crash calls, in order."""
    interference = Interference()
    played(story, interference).settle(sweeps=False)
    return interference.calls


def run_with(story: str, point: Point, act: Act) -> Harness:
    """The story with something going wrong at one point, to its end."""
    h = played(story, Interference({point: act}))
    h.settle()
    return h


def check(h: Harness, where: str) -> None:
    """Nothing is lost, nothing is done twice at once, and everything is told."""
    assert h.world.harm == [], where
    assert all(h.world.truly_covered(file) for file in h.world.landed), where
    runs = h.all_runs()
    assert {run.status for run in runs} == {RunStatus.COMPLETED}, where
    assert {(run.id, run.status) for run in runs} == set(h.told.ends), where
    started = {change.request_id for change in h.told.changes.values() if change.outcome == "done"}
    assert {refresh.id for refresh in h.world.ours()} == started, where


@pytest.mark.parametrize("story", STORIES)
def test_a_crash_anywhere_loses_nothing(story: str) -> None:
    calls = calls_of(story)
    assert len(calls) > 30
    for point in points(len(calls)):
        h = run_with(story, point, crash)
        check(h, told(point, calls))
        assert len(h.world.ours()) <= len(STORIES) + 1


@pytest.mark.parametrize("story", STORIES)
def test_storage_that_is_away_for_one_call_loses_nothing(story: str) -> None:
    calls = calls_of(story)
    for point in points(len(calls)):
        if not calls[point[0] - 1].startswith("powerbi"):
            check(run_with(story, point, storage_away), told(point, calls))


def test_a_clean_run_needs_no_sweep() -> None:
    h = Harness(PREMIUM)
    clean(h)
    h.settle(patience=10 * MINUTE, sweeps=False)
    check(h, "undisturbed")
    assert len(h.world.ours()) == 1
