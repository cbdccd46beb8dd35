"""Where refreshes are kept: tables `datasets` (heads), `landings` and `runs`, and the container `runs`.

Heads lie in sixteen partitions, by their id's hash: no partition is hot, and the sweep reads all of them. Partition of
`runs`: the run's id; and the lists.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.refresh.landings import Landings
from shared.refresh.records import DatasetHead, Json, Run
from shared.storage.batches import BatchTable
from shared.storage.lists import NewestFirst
from shared.storage.records import Records
from shared.storage.tables import Stale, Table

if TYPE_CHECKING:
    from shared.storage.blobs import Container

__all__ = ["RefreshStore", "RefreshTables", "Stale"]

RUN = "run"
_SHARDS = "0123456789abcdef"


@dataclass(frozen=True)
class RefreshTables:
    """The three tables."""

    datasets: Table
    landings: BatchTable
    runs: Table


class RefreshStore:
    """Reads and writes records. A conditional write that lost raises Stale; storage away raises a Retryable."""

    def __init__(self, tables: RefreshTables, blobs: Container) -> None:
        self._heads = Records(tables.datasets, DatasetHead)
        self._runs = Records(tables.runs, Run)
        self._lists = NewestFirst(tables.runs)
        self._blobs = blobs
        self.landings = Landings(tables.landings)

    # ---- heads
    def head(self, dataset_id: str) -> DatasetHead | None:
        """The head as it is now."""
        return self._heads.get(_shard(dataset_id), dataset_id)

    def put_head(self, head: DatasetHead) -> DatasetHead:
        """Write it if nobody wrote since it was read, or if it is new and nobody made it."""
        return self._heads.put(_shard(head.dataset_id), head.dataset_id, head)

    def heads(self, start: int = 0) -> Iterator[DatasetHead]:
        """All heads; `start` says with which of the partitions to begin."""
        for shard in (_SHARDS[(start + at) % len(_SHARDS)] for at in range(len(_SHARDS))):
            yield from self._heads.partition(f"heads-{shard}")

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
        return self._runs.get(run_id, RUN)

    def add_run(self, run: Run) -> Run:
        """Keep a new run and list it; the one that is there, if it was kept before."""
        self._lists.add(run.id, run.queued_at, run.dataset_id)
        try:
            return self._runs.put(run.id, RUN, run)
        except Stale:
            return self.run(run.id) or run

    def put_run(self, run: Run) -> Run:
        """Write it if nobody wrote since it was read."""
        return self._runs.put(run.id, RUN, run)

    def listed(self, dataset_id: str = "", after: str = "", top: int = 50) -> list[tuple[str, str]]:
        """Up to `top` runs, the newest first: their place in the list, to go on after, and their id."""
        return self._lists.page(dataset_id, after, top)


def _shard(dataset_id: str) -> str:
    return f"heads-{hashlib.sha256(dataset_id.encode()).hexdigest()[0]}"
