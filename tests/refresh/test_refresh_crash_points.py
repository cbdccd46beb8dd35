"""A crash before and after every single call of a clean run, and of one that fails and is tried again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.errors import Retryable
from shared.refresh.records import RunStatus
from shared.refresh.rules import RefreshObject
from tests.refresh.harness import MINUTE, PREMIUM, SECOND, Crash, Harness
from tests.refresh.interference import Interference, crash, storage_away


def clean(h: Harness) -> None:
    """Two files, one refresh."""
    h.land("a", RefreshObject("Sales", "2026-11"))
    h.clock.advance(10 * SECOND)
    h.land("b", RefreshObject("Sales", "2026-12"))


def failing(h: Harness) -> None:
    """A file, a refresh that fails, another."""
    h.world.outcomes.append(("Failed", '{"errorCode":"DM_GWPipeline_Gateway_Offline"}'))
    h.land("a", RefreshObject("Sales", "2026-11"))


def manual(h: Harness) -> None:
    """Somebody asks for something of his own, again if it breaks, while a file waits."""
    h.land("a", RefreshObject("Sales"))
    for _ in range(3):
        try:
            h.start("m1", {"type": "Full", "objects": [{"table": "Other"}]})
        except (Crash, Retryable):
            h.clock.advance(SECOND)
        else:
            return


STORIES: dict[str, Callable[[Harness], None]] = {"clean": clean, "failing": failing, "manual": manual}


def calls_of(story: str) -> list[str]:
    """What a run without a crash calls, in order."""
    interference = Interference()
    h = Harness(PREMIUM, interference)
    STORIES[story](h)
    h.settle(sweeps=False)
    return interference.calls


def crash_points() -> list[tuple[str, int, bool]]:
    """Before and after every call."""
    return [
        (story, number, after)
        for story in STORIES
        for number in range(1, len(calls_of(story)) + 1)
        for after in (False, True)
    ]


def run_with(story: str, number: int, after: bool, what: Callable[[], None]) -> Harness:
    """The story with something going wrong at one point, to its end."""
    interference = Interference()
    h = Harness(PREMIUM, interference)
    interference.arm({(number, after): what})
    STORIES[story](h)
    h.settle()
    return h


def check(h: Harness) -> None:
    """Nothing is lost, nothing is done twice at once, and everything is told."""
    assert h.world.harm == []
    assert all(h.world.truly_covered(file) for file in h.world.landed)
    assert all(run.status is RunStatus.COMPLETED for run in h.all_runs())
    assert {(run.id, run.status) for run in h.all_runs()} == set(h.told.ends)
    started = {change.request_id for change in h.told.changes.values() if change.outcome == "done"}
    assert {refresh.id for refresh in h.world.ours()} == started


@pytest.mark.parametrize("story", STORIES)
def test_a_crash_anywhere_loses_nothing(story: str) -> None:
    points = [(number, after) for name, number, after in crash_points() if name == story]
    assert len(points) == 2 * len(calls_of(story)) > 60
    for number, after in points:
        h = run_with(story, number, after, crash)
        check(h)
        assert len(h.world.ours()) <= len(STORIES) + 1


@pytest.mark.parametrize("story", STORIES)
def test_storage_that_is_away_for_one_call_loses_nothing(story: str) -> None:
    for at, operation in enumerate(calls_of(story), 1):
        if not operation.startswith("powerbi"):
            for after in (False, True):
                check(run_with(story, at, after, storage_away))


def test_a_clean_run_needs_no_sweep() -> None:
    h = Harness(PREMIUM)
    clean(h)
    h.settle(patience=10 * MINUTE, sweeps=False)
    check(h)
    assert len(h.world.ours()) == 1
