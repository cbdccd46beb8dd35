"""Tables, queues and containers in memory, with the interface and the rules of the real ones.

`tests/storage` holds both against the same assertions. Every operation passes through a tap.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shared.errors import Invalid
from shared.storage.batches import MOST_ROWS, BatchTable
from shared.storage.blobs import Container
from shared.storage.queues import LARGEST_MESSAGE, Queue
from shared.storage.tables import Entity, Stale
from tests.doubles.taps import Tap, untapped


class MemoryTable(BatchTable):
    """One table; quick with many rows in other partitions."""

    def __init__(self, name: str, tap: Tap = untapped) -> None:
        self._name = name
        self._tap = tap
        self._versions = itertools.count(1)
        self.rows: dict[tuple[str, str], tuple[Entity, str]] = {}

    def get(self, partition: str, row: str) -> tuple[Entity, str] | None:
        with self._tap(f"table {self._name} get"):
            found = self.rows.get((partition, row))
        return (dict(found[0]), found[1]) if found else None

    def insert(self, partition: str, row: str, values: Mapping[str, Any]) -> str:
        with self._tap(f"table {self._name} insert"):
            if (partition, row) in self.rows:
                raise Stale(row)
            return self._write(partition, row, values)

    def replace(self, partition: str, row: str, values: Mapping[str, Any], etag: str = "") -> str:
        with self._tap(f"table {self._name} replace"):
            if etag and self.rows.get((partition, row), ({}, ""))[1] != etag:
                raise Stale(row)
            return self._write(partition, row, values)

    def delete(self, partition: str, row: str, etag: str = "") -> None:
        with self._tap(f"table {self._name} delete"):
            found = self.rows.get((partition, row))
            if etag and found and found[1] != etag:
                raise Stale(row)
            self.rows.pop((partition, row), None)

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

    def _write(self, partition: str, row: str, values: Mapping[str, Any]) -> str:
        etag = f"v{next(self._versions)}"
        self.rows[partition, row] = ({"PartitionKey": partition, "RowKey": row, **values}, etag)
        return etag


@dataclass
class Sent:
    """A message in a queue."""

    body: bytes
    visible_at: datetime
    dequeued: int = 0

    def twin(self) -> Sent:
        """The same message, delivered a second time."""
        return Sent(self.body, self.visible_at)


@dataclass
class MemoryQueue(Queue):
    """One queue, with the side that receives."""

    now: Callable[[], datetime]
    tap: Tap = untapped
    name: str = "queue"
    sent: list[Sent] = field(default_factory=list)

    def send_text(self, text: str, delay: timedelta = timedelta(0)) -> None:
        with self.tap(f"queue {self.name} send"):
            if len(text.encode()) > LARGEST_MESSAGE:
                raise Invalid("larger than 64 KiB")
            self.sent.append(Sent(text.encode(), self.now() + max(timedelta(0), delay)))

    def visible(self) -> list[Sent]:
        """What may be received now, the first sent first."""
        return [message for message in self.sent if message.visible_at <= self.now()]

    def messages(self) -> list[Any]:
        """All bodies."""
        return [json.loads(message.body) for message in self.sent]


class MemoryContainer(Container):
    """One container."""

    def __init__(self, name: str, tap: Tap = untapped) -> None:
        self._name = name
        self._tap = tap
        self.blobs: dict[str, bytes] = {}

    def put(self, name: str, content: bytes) -> None:
        with self._tap(f"blob {self._name} put"):
            self.blobs[name] = bytes(content)

    def get(self, name: str) -> bytes | None:
        with self._tap(f"blob {self._name} get"):
            return self.blobs.get(name)

    def documents(self) -> list[Any]:
        """All blobs, read as JSON."""
        return [json.loads(blob) for blob in self.blobs.values()]
