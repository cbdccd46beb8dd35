"""The table `landings`, in a real storage service and in memory: kept once, covered together, forgotten."""

from __future__ import annotations

import pytest

from shared.refresh.landings import Landings
from shared.storage.batches import BatchTable
from shared.storage.connection import StorageAccount
from tests.doubles.clock import SECOND
from tests.doubles.storage import MemoryTable
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
