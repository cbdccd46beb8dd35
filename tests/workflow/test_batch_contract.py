"""Transactions of the double and of the real storage service keep the same rules."""

from __future__ import annotations

import pytest

from shared.errors import Misconfigured
from shared.refresh.landings import Landings
from shared.storage.batches import BatchTable
from shared.storage.connection import StorageAccount
from shared.storage.tables import Stale
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


def rows(table: BatchTable) -> list[str]:
    return [entity["RowKey"] for entity, _ in table.partition("p")]


def test_rows_are_written_and_removed_together(table: BatchTable) -> None:
    table.together("p", {"a": {"n": 1}, "b": {"n": 2}})
    table.together("p", {"c": {"n": 3}}, ["a", "b"])
    assert rows(table) == ["c"]
    table.together("p", {}, [])


def test_one_row_that_is_there_already_refuses_all(table: BatchTable) -> None:
    table.together("p", {"a": {"n": 1}})
    with pytest.raises(Stale):
        table.together("p", {"b": {"n": 2}, "a": {"n": 2}})
    assert rows(table) == ["a"]


def test_one_row_that_is_not_there_refuses_all(table: BatchTable) -> None:
    table.together("p", {"a": {"n": 1}})
    with pytest.raises(Stale):
        table.together("p", {"b": {"n": 2}}, ["a", "gone"])
    assert rows(table) == ["a"]


def test_a_missing_table_is_no_missing_row(account: StorageAccount, unique: str) -> None:
    with pytest.raises(Misconfigured):
        BatchTable(account.tables, unique).together("p", {"a": {}})


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
