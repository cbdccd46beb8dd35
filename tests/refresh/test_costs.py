"""What the engine costs: refreshes and storage calls for a burst of files, calls to Power BI for a refresh."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.refresh.costs import DURATIONS, burst, watched


def test_a_burst_of_events_is_a_refresh_for_each_dataset_and_leaves_nothing_uncovered() -> None:
    made = burst(events=1500, datasets=10)
    assert made.operations_per_event <= 2
    assert (made.refreshes, made.uncovered) == (10, 0)


@pytest.mark.parametrize("duration", DURATIONS, ids=str)
def test_a_refresh_is_watched_with_few_calls_and_its_end_is_seen_soon(duration: timedelta) -> None:
    seen = watched(duration)
    assert seen.calls <= 20
    assert seen.share <= 0.1


@pytest.mark.parametrize("duration", DURATIONS, ids=str)
def test_the_first_refresh_ever_is_watched_with_as_few_calls_though_its_end_is_seen_later(duration: timedelta) -> None:
    seen = watched(duration, learned=False)
    assert seen.calls <= 20
    assert seen.share <= 0.6
