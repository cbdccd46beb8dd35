"""Where refreshes are kept: tables `datasets` (heads), `landings` and `runs`, and the container `runs`.

Heads lie in sixteen partitions, by their id's hash: no partition is hot, and the sweep reads all of them. Partition of
`runs`: the run's id; and, for lists, `list` and `list-{dataset id}`, whose row keys sort the newest first.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any, Protocol

from shared.refresh.landings import Landings
from shared.refresh.records import DatasetHead, Json, Run
from shared.refresh.rows import head_of, head_values, run_of, run_values
from shared.storage.batches import BatchTable
from shared.storage.tables import Stale, Table

__all__ = ["RefreshStore", "RefreshTables", "Stale"]

RUN = "run"
LIST = "list"
_SHARDS = "0123456789abcdef"
_FAR_FUTURE = 10**14  # milliseconds; later than any run


class Blobs(Protocol):
    """The container `runs`."""

    def put(self, name: str, content: bytes) -> None:
        """Write, over what is there."""

    def get(self, name: str) -> bytes | None:
        """Read; None if it is not there."""


@dataclass(frozen=True)
class RefreshTables:
    """The three tables."""

    datasets: Table
    landings: BatchTable
    runs: Table


class RefreshStore:
    """Reads and writes records. A conditional write that lost raises Stale; storage away raises a Retryable."""

    def __init__(self, tables: RefreshTables, blobs: Blobs) -> None:
        self._datasets = tables.datasets
        self._runs = tables.runs
        self._blobs = blobs
        self.landings = Landings(tables.landings)

    # ---- heads
    def head(self, dataset_id: str) -> DatasetHead | None:
        """The head as it is now."""
        found = self._datasets.get(_shard(dataset_id), dataset_id)
        return head_of(*found) if found else None

    def put_head(self, head: DatasetHead) -> DatasetHead:
        """Write it if nobody wrote since it was read, or if it is new and nobody made it."""
        shard, values = _shard(head.dataset_id), head_values(head)
        try:
            if head.etag:
                etag = self._datasets.replace(shard, head.dataset_id, values, head.etag)
            else:
                etag = self._datasets.insert(shard, head.dataset_id, values)
        except Stale:
            etag = _ours(self._datasets, shard, head.dataset_id, values)
        return replace(head, etag=etag)

    def heads(self, start: int = 0) -> Iterator[DatasetHead]:
        """All heads; `start` says with which of the partitions to begin."""
        for shard in (_SHARDS[(start + at) % len(_SHARDS)] for at in range(len(_SHARDS))):
            for entity, etag in self._datasets.partition(f"heads-{shard}"):
                yield head_of(entity, etag)

    # ---- what a refresh is to cover, and how it was asked for
    def put_keys(self, run_id: str, claim: str, keys: Iterable[str]) -> None:
        """What a refresh that is about to be announced is to cover. Written once: each claim has a blob of its own."""
        self._blobs.put(f"{run_id}/landings/{claim}", json.dumps(sorted(keys)).encode())

    def keys(self, run_id: str, claim: str) -> frozenset[str]:
        """The same; nothing where somebody removed the blob."""
        found = self._blobs.get(f"{run_id}/landings/{claim}")
        return frozenset(json.loads(found)) if found is not None else frozenset()

    def put_body(self, run_id: str, body: Json) -> None:
        """The caller's own body of a refresh."""
        self._blobs.put(f"{run_id}/body", json.dumps(body).encode())

    def body(self, run_id: str) -> Json | None:
        """The same, or None if somebody removed it."""
        found = self._blobs.get(f"{run_id}/body")
        return json.loads(found) if found is not None else None

    # ---- runs
    def run(self, run_id: str) -> Run | None:
        """The run as it is now."""
        found = self._runs.get(run_id, RUN)
        return run_of(*found) if found else None

    def add_run(self, run: Run) -> Run:
        """Keep a new run and list it; the one that is there, if it was kept before."""
        newest_first = _FAR_FUTURE - int(run.queued_at.timestamp() * 1000)
        row = f"{newest_first:015}-{run.id}"
        for partition in (LIST, f"{LIST}-{run.dataset_id}"):
            self._runs.replace(partition, row, {"run": run.id})
        try:
            return replace(run, etag=self._runs.insert(run.id, RUN, run_values(run)))
        except Stale:
            return self.run(run.id) or run

    def put_run(self, run: Run) -> Run:
        """Write it if nobody wrote since it was read."""
        values = run_values(run)
        try:
            etag = self._runs.replace(run.id, RUN, values, run.etag)
        except Stale:
            etag = _ours(self._runs, run.id, RUN, values)
        return replace(run, etag=etag)

    def listed(self, dataset_id: str = "", after: str = "", top: int = 50) -> list[tuple[str, str]]:
        """Up to `top` runs, the newest first: their place in the list, to go on after, and their id."""
        partition = f"{LIST}-{dataset_id}" if dataset_id else LIST
        rows = self._runs.partition(partition, after=after, top=top)
        return [(entity["RowKey"], entity["run"]) for entity, _ in islice(rows, top)]


def due_for_cleaning(dataset_id: str, now: datetime) -> bool:
    """Once a day for each dataset, at a minute of its own."""
    minute = int.from_bytes(hashlib.sha256(dataset_id.encode()).digest()[:4], "big") % (24 * 60)
    return minute == now.hour * 60 + now.minute


def _shard(dataset_id: str) -> str:
    return f"heads-{hashlib.sha256(dataset_id.encode()).hexdigest()[0]}"


def _ours(table: Table, partition: str, row: str, values: dict[str, Any]) -> str:
    """The ETag, if what stands there is what was to be written; else Stale.

    The storage SDK repeats a call whose answer was lost, and then meets its own write.
    """
    found = table.get(partition, row)
    if found is None or any(found[0].get(name) != value for name, value in values.items()):
        raise Stale(f"{row} was written by somebody else")
    return found[1]
