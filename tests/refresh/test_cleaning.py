"""What is remembered of files that were covered is forgotten in time, however many there are."""

from __future__ import annotations

from shared.refresh.landings import COVERED, TOMBSTONE, due_for_cleaning
from shared.refresh.records import Landing
from tests.doubles.clock import DAY, MINUTE, NOON
from tests.refresh.harness import DATASET, Harness

REFRESHES = 96
"""A day: one each quarter of an hour."""


def covered(h: Harness, key: str) -> None:
    """A file landed, and a refresh covered it."""
    h.store.landings.add(DATASET, Landing(key, (), False, h.clock(), h.clock()))
    h.store.landings.cover(DATASET, [key], h.clock())


def remembered(h: Harness, prefix: str) -> list[str]:
    return [row for _, row in h.landings.rows if row.startswith(prefix)]


def test_a_dataset_that_is_refreshed_all_day_keeps_no_more_than_the_files_of_eight_days() -> None:
    h = Harness()
    h.start()
    h.settle()
    for number in range(11 * REFRESHES):
        covered(h, f"{number:032}")
        for _ in range(15):
            h.clock.advance(MINUTE)
            if due_for_cleaning(DATASET, h.clock()):
                h.sweep()
    kept = 8 * REFRESHES
    assert kept <= len(remembered(h, TOMBSTONE)) <= kept + 4
    assert kept <= len(remembered(h, COVERED)) <= kept + 4


def test_a_sweep_that_comes_to_a_dataset_after_its_minute_cleans_up_all_the_same() -> None:
    h = Harness()
    h.start()
    h.settle()
    covered(h, "0" * 32)
    h.clock.now = next(at for at in (NOON + 9 * DAY + n * MINUTE for n in range(1440)) if due_for_cleaning(DATASET, at))
    heads = h.store.heads

    def slowly(start: int = 0):  # type: ignore[no-untyped-def]
        for head in heads(start):
            h.clock.advance(MINUTE)
            yield head

    h.store.heads = slowly  # type: ignore[method-assign]
    h.sweep()
    assert remembered(h, TOMBSTONE) == []
