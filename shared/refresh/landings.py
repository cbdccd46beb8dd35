"""The table `landings`: what has landed for a dataset, and what of it no refresh has covered yet.

Partition: the dataset's id. Rows, by their keys:

    t-{key}             a tombstone for each landing, from the first event on: a redelivered event is no event
    p-{key}             the same landing while it is pending
    c-{time}-{key}      which landings were covered together, so that their tombstones are found when they are old

Both rows of a landing are written in one transaction, which is one call, and covering takes the pending rows away, a
hundred in one call. So what is pending is read without passing the tombstones of the past week.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice

from shared.refresh.records import Landing
from shared.storage.batches import MOST_ROWS, BatchTable
from shared.storage.records import record_of, sortable, values_of
from shared.storage.tables import Stale

PENDING, TOMBSTONE, COVERED = "p-", "t-", "c-"
_AT_ONCE = MOST_ROWS - 1
_ATTEMPTS = 5


def due_for_cleaning(dataset_id: str, now: datetime) -> bool:
    """Once an hour for each dataset, at a minute of its own."""
    return hashlib.sha256(dataset_id.encode()).digest()[0] % 60 == now.minute


def landing_key(url: str, etag: str) -> str:
    """One file in one version: what a redelivered event is known by."""
    return hashlib.sha256(f"{url}\n{etag}".encode()).hexdigest()[:32]


class Landings:
    """Raises the Retryable errors of shared.errors when storage is away."""

    def __init__(self, table: BatchTable) -> None:
        self._table = table

    def add(self, dataset_id: str, landing: Landing) -> bool:
        """Keep it; False if it is known already (or if a call of this was repeated below us)."""
        rows = {
            TOMBSTONE + landing.key: {"arrivedAt": sortable(landing.arrived_at)},
            PENDING + landing.key: values_of(landing),
        }
        try:
            self._table.together(dataset_id, rows)
        except Stale:
            return False
        return True

    def pending(self, dataset_id: str, most: int | None = None) -> list[Landing]:
        """All that no refresh has covered, or `most` of it."""
        return [record_of(Landing, entity) for entity, _ in islice(self._rows(dataset_id, PENDING), most)]

    def any_pending(self, dataset_id: str) -> bool:
        """Whether there is one."""
        rows = self._table.partition(dataset_id, after=PENDING, below=_end(PENDING), top=1)
        return next(rows, None) is not None

    def is_pending(self, dataset_id: str, key: str) -> bool:
        """Whether this one is."""
        return self._table.get(dataset_id, PENDING + key) is not None

    def cover(self, dataset_id: str, keys: Iterable[str], now: datetime) -> None:
        """These are covered; those that are not pending (any more) are left as they are."""
        left = sorted(set(keys))
        for _ in range(_ATTEMPTS):
            if not left or self._covered_all(dataset_id, left, now):
                return
            there = set(self._pending_keys(dataset_id))
            left = [key for key in left if key in there]
        self._one_by_one(dataset_id, left, now)

    def forget(self, dataset_id: str, before: datetime, most: int = 200) -> int:
        """Remove tombstones of what was covered before then, `most` hundreds at most; answers how many hundreds."""
        old = self._table.partition(dataset_id, after=COVERED, below=COVERED + sortable(before), top=most)
        removed = 0
        for entity, _ in islice(old, most):
            keys = json.loads(entity["keys"])
            try:
                self._table.together(dataset_id, {}, [*(TOMBSTONE + key for key in keys), entity["RowKey"]])
            except Stale:
                self._forget_each(dataset_id, keys, entity["RowKey"])
            removed += 1
        return removed

    def _forget_each(self, dataset_id: str, keys: Iterable[str], row: str) -> None:
        """Some are gone already: a transaction would refuse all of them."""
        for each in [*(TOMBSTONE + key for key in keys), row]:
            self._table.delete(dataset_id, each)

    def _covered_all(self, dataset_id: str, keys: list[str], now: datetime) -> bool:
        """A hundred at a time; False if somebody else covered one of them meanwhile."""
        try:
            for at in range(0, len(keys), _AT_ONCE):
                self._cover_together(dataset_id, keys[at : at + _AT_ONCE], now)
        except Stale:
            return False
        return True

    def _one_by_one(self, dataset_id: str, keys: list[str], now: datetime) -> None:
        """Somebody covers the same ones at the same time, again and again."""
        for key in keys:
            if self.is_pending(dataset_id, key):
                self._covered_all(dataset_id, [key], now)

    def _cover_together(self, dataset_id: str, keys: list[str], now: datetime) -> None:
        mark = {f"{COVERED}{sortable(now)}-{keys[0]}": {"keys": json.dumps(keys)}}
        self._table.together(dataset_id, mark, [PENDING + key for key in keys])

    def _pending_keys(self, dataset_id: str) -> list[str]:
        return [str(entity["RowKey"]).removeprefix(PENDING) for entity, _ in self._rows(dataset_id, PENDING)]

    def _rows(self, dataset_id: str, prefix: str) -> Iterator[tuple[dict[str, object], str]]:
        return self._table.partition(dataset_id, after=prefix, below=_end(prefix))


def _end(prefix: str) -> str:
    """The first key after all with this prefix."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)
