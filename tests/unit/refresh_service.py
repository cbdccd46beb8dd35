"""The refresh service and its triggers over an engine that only notes what it is told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shared.auth.callers import Caller
from shared.errors import Ended
from shared.idempotency import Keys
from shared.refresh.documents import DatasetPolicy, RefreshDocument, read_refresh_document
from shared.refresh.events import Landed
from shared.refresh.records import Run, Trigger
from shared.refresh.requests import RefreshRunRequest
from shared.refresh.rules import Match
from shared.refresh.service import RefreshRuns
from shared.refresh.triggers import RefreshTriggers
from shared.validation import check
from tests.doubles.storage import MemoryContainer, MemoryTable

Json = dict[str, Any]
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DOCUMENT = read_refresh_document(Path("config/refresh.yaml").read_bytes())
CALLER = Caller("application", "client", "tenant", "object", frozenset({"Refresh.Write"}), frozenset(), {})
CALENDAR, SALES = (DOCUMENT.datasets[alias] for alias in ("calendar", "sales"))


class Engine:
    """What an engine does as far as it matters here: it joins what is queued."""

    def __init__(self) -> None:
        self.kept: dict[str, Run] = {}
        self.bodies: dict[str, Json | None] = {}
        self.landed: list[tuple[Landed, Sequence[Match]]] = []
        self.looks: list[tuple[str, int]] = []
        self.poisons: list[str] = []
        self.breaks: Exception | None = None

    def start(self, policy: DatasetPolicy, *, run_id: str, caller: Json, body: Json | None, correlation_id: str) -> Run:
        joined = None if body else next((run for run in self.kept.values() if not self.bodies[run.id]), None)
        run = joined or Run(
            run_id, policy.alias, policy.workspace_id, policy.dataset_id, Trigger.MANUAL, NOW, correlation_id, caller
        )
        self.bodies.setdefault(run.id, body)
        return self.kept.setdefault(run.id, run)

    def cancel(self, run_id: str, act: str) -> Run:
        if self.kept[run_id].final:
            raise Ended("It has ended.")
        self.kept[run_id] = replace(self.kept[run_id], cancel_requested=True)
        return self.kept[run_id]

    def run(self, run_id: str) -> Run | None:
        return self.kept.get(run_id)

    def listed(self, dataset_id: str, after: str, top: int) -> Sequence[tuple[str, Run | None]]:
        places: list[tuple[str, Run | None]] = [
            (f"{1:015}-{run.id}", run) for run in self.kept.values() if run.dataset_id == (dataset_id or run.dataset_id)
        ]
        return sorted((place for place in places if place[0] > after), key=lambda place: place[0])[:top]

    def land(self, landed: Landed, matches: Sequence[Match]) -> int:
        if self.breaks:
            raise self.breaks
        self.landed.append((landed, matches))
        return len(matches)

    def look(self, dataset_id: str, number: int) -> None:
        self.looks.append((dataset_id, number))

    def poisoned(self, dataset_id: str) -> None:
        if self.breaks:
            raise self.breaks
        self.poisons.append(dataset_id)

    def sweep(self) -> int:
        return 0


class World:
    """The service and the triggers over that engine."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.document: RefreshDocument | None = DOCUMENT
        self.container = MemoryContainer("rejected")
        keys = Keys(MemoryTable("idempotency"), lambda: NOW)
        self.runs = RefreshRuns(self.engine, lambda: self.document, keys)
        self.triggers = RefreshTriggers(self.engine, lambda: self.document, self.container, lambda: NOW)

    @property
    def rejected(self) -> dict[str, Json]:
        """Copies in the container `rejected`, by their names."""
        return {name: json.loads(blob) for name, blob in self.container.blobs.items()}

    def start(self, key: str | None = None, **body: Any) -> Json:
        return self.runs.start(CALLER, check(RefreshRunRequest, body), key)
