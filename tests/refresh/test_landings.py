"""The table `landings`, in a real storage service and in memory: kept once, covered together, forgotten."""

from __future__ import annotations

import pytest

from shared.refresh.landings import Landings
from shared.storage.batches import BatchTable
from shared.storage.connection import StorageAccount
from tests.doubles.clock import HOUR, SECOND
from tests.doubles.storage import MemoryTable
from tests.doubles.taps import Interference
from tests.refresh.harness import DATASET, Harness


@pytest.fixture(params=["real", "double"])
def table(request: pytest.FixtureRequest, unique: str) -> BatchTable:
    if request.param == "double":
        return MemoryTable("t")
    account: StorageAccount = request.getfixturevalue("account")
    account.tables().create_table(unique)
    return BatchTable(account.tables, unique)


def test_landings_are_kept_covered_and_forgotten(table: BatchTable) -> None:
    h, landings = Harness(), Landings(table)
    h.landings.together = table.together  # type: ignore[method-assign]
    keys = [h.land(f"f{number}").key for number in range(130)]
    assert {each.key for each in landings.pending(DATASET)} == set(keys)
    assert landings.any_pending(DATASET)
    landings.cover(DATASET, keys[:120], h.clock())
    assert {each.key for each in landings.pending(DATASET)} == set(keys[120:])
    assert not landings.is_pending(DATASET, keys[0])
    assert landings.forget(DATASET, h.clock()) == 0
    assert landings.forget(DATASET, h.clock() + SECOND) == 2
    assert len(list(table.partition(DATASET))) == 20


def test_a_thousand_landings_are_covered_in_a_few_calls() -> None:
    h = Harness()
    for number in range(1000):
        h.land(f"f{number}")
    h.counted()
    h.settle(sweeps=False)
    counted = h.counted()
    assert counted["table landings transaction"] == 11
    assert h.all_runs()[0].events == 1000


def test_covering_what_somebody_else_covers_at_the_same_time_loses_nothing() -> None:
    h = Harness()
    keys = [h.land(f"f{number}").key for number in range(250)]
    landings, now = h.store.landings, h.clock()
    interference = Interference()
    h.tap = interference
    interference.arm({(3, False): lambda: landings.cover(DATASET, keys[100:130], now)})
    landings.cover(DATASET, keys, now)
    assert h.pending() == set()
    assert landings.forget(DATASET, now + SECOND) >= 3
    assert not [row for row in h.landings.rows if row[1].startswith(("t-", "c-"))]


def test_tombstones_are_kept_for_eight_days_and_then_removed_by_the_sweep() -> None:
    h = Harness()
    for number in range(150):
        h.land(f"f{number}")
    h.settle(sweeps=False)
    h.clock.advance(7 * 24 * HOUR)
    h.pass_time(24 * HOUR)
    assert len([row for row in h.landings.rows if row[1].startswith("t-")]) == 150
    h.pass_time(25 * HOUR)
    assert not h.landings.rows


def test_forgetting_goes_on_where_it_was_broken_off() -> None:
    table = MemoryTable("landings")
    h = Harness()
    h.landings.rows = table.rows
    keys = [h.land(f"f{number}").key for number in range(3)]
    Landings(table).cover(DATASET, keys, h.clock())
    table.delete(DATASET, f"t-{keys[1]}")
    assert Landings(table).forget(DATASET, h.clock() + SECOND) == 1
    assert not table.rows
