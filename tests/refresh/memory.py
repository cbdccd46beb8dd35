"""A table that takes transactions, in memory: the contract is tested beside it against the real one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shared.storage.batches import MOST_ROWS, BatchTable
from shared.storage.tables import Entity, Stale
from tests.workflow.memory import MemoryTable


class MemoryBatchTable(MemoryTable, BatchTable):
    """One table; quick with many rows in other partitions."""

    def partition(
        self, partition: str, *, after: str = "", below: str = "", top: int = 0
    ) -> Iterator[tuple[Entity, str]]:
        with self._tap(f"table {self._name} partition"):
            found = [
                (row, dict(entity), etag)
                for (part, row), (entity, etag) in self.rows.items()
                if part == partition and row > after and (not below or row < below)
            ]
        yield from ((entity, etag) for _, entity, etag in sorted(found, key=lambda each: each[0]))

    def together(self, partition: str, inserts: Mapping[str, Mapping[str, Any]], deletes: Sequence[str] = ()) -> None:
        if len(inserts) + len(deletes) > MOST_ROWS:
            raise ValueError("a transaction takes a hundred rows")
        with self._tap(f"table {self._name} transaction"):
            there = [row for row in inserts if (partition, row) in self.rows]
            missing = [row for row in deletes if (partition, row) not in self.rows]
            if there or missing:
                raise Stale(partition)
            for row, values in inserts.items():
                self._write(partition, row, values)
            for row in deletes:
                del self.rows[partition, row]
