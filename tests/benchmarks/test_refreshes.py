"""What refreshing costs: ten thousand files in a minute beside one refresh per file, and how an end is detected."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.errors import AppError
from tests.benchmarks.figures import say
from tests.doubles.clock import MINUTE
from tests.refresh.costs import burst, watched
from tests.refresh.harness import DATASET, Harness
from tests.refresh.world import World

EVENTS, DATASETS = 10_000, 10


def test_ten_thousand_files_for_ten_datasets_in_a_minute() -> None:
    figure = burst(EVENTS, DATASETS, MINUTE)
    say(
        "10,000 files for 10 datasets in a minute: refreshes, files uncovered",
        f"{figure.refreshes}, {figure.uncovered}",
    )
    say("… storage operations an event", f"{figure.operations_per_event:.2f}")
    say("… events a second (storage in memory)", f"{figure.events_a_second:.0f}")
    accepted, refused = _one_refresh_per_file()
    say("the same by one refresh per file: accepted, refused", f"{accepted}, {refused}")
    assert figure.uncovered == 0
    assert figure.operations_per_event <= 2


@pytest.mark.parametrize("duration", [timedelta(seconds=10), timedelta(minutes=10), timedelta(hours=2)], ids=str)
def test_detecting_the_end_of_a_refresh(duration: timedelta) -> None:
    figure = watched(duration)
    say(f"a refresh of {duration}: calls to Power BI, delay of detection", f"{figure.calls}, {figure.delay}")
    assert figure.calls <= 20
    assert figure.delay <= duration / 10


def _one_refresh_per_file() -> tuple[int, int]:
    """What a function does that posts a refresh for each event: Power BI refuses it while another one runs."""
    h = Harness()
    worlds = [World(h.clock) for _ in range(DATASETS)]
    accepted = refused = 0
    for number in range(EVENTS):
        world = worlds[number % DATASETS]
        world.lands(f"f{number}")
        try:
            world.start("workspace", DATASET, None, deadline=30)
            accepted += 1
        except AppError:
            refused += 1
        h.clock.advance(MINUTE / EVENTS)
    return accepted, refused
