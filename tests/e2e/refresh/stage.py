"""The refresh service on a stage: files as they land, and Power BI's own history of what was refreshed."""

from __future__ import annotations

import itertools
import json
from datetime import datetime, timedelta
from typing import Any

from shared.auth.callers import Caller
from shared.errors import Retryable
from shared.idempotency import Keys
from shared.listing import read_query
from shared.powerbi.refreshes import Refreshes
from shared.refresh.documents import DatasetPolicy, RefreshDocument, read_refresh_document
from shared.refresh.engine import RefreshEngine
from shared.refresh.outside import Told
from shared.refresh.requests import RefreshRunRequest
from shared.refresh.run_document import RunDocument
from shared.refresh.service import FILTERS, RefreshRuns
from shared.refresh.store import RefreshStore, RefreshTables
from shared.refresh.triggers import RefreshTriggers
from shared.storage.audit import Audit
from shared.storage.events import Events
from shared.storage.queues import put_back
from shared.validation import check, parse_yaml
from tests.cloud import PROJECT, Cloud
from tests.doubles.clock import HOUR
from tests.doubles.storage import MemoryContainer, MemoryTable
from tests.e2e.stage import Json, WorkingStage
from tests.seeded import ANALYTICS, CALENDAR, MARGIN, REFERENCE, SALES

WORKSPACES = {CALENDAR: REFERENCE, SALES: ANALYTICS, MARGIN: ANALYTICS}
"""Where each dataset is."""
REFRESHES = ".*/refreshes$"
OPERATOR = Caller("application", "operator", "tenant", "object", frozenset({"Refresh.Write"}), frozenset(), {})
MONTH = "sales/2026/11"


class RefreshStage(WorkingStage):
    """One deployment of the service. `landed`: files by path, with their dataset and the moment they landed."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud, "refresh-looks")
        self.landed: dict[str, tuple[str, datetime]] = {}
        self._written: Any = parse_yaml((PROJECT / "config/refresh.yaml").read_bytes())
        self.document: RefreshDocument | None = self._read()
        self.landings = MemoryTable("landings")
        tables = RefreshTables(MemoryTable("datasets"), self.landings, MemoryTable("runs"))
        self.engine = RefreshEngine(
            RefreshStore(tables, MemoryContainer("runs")),
            self.queue,
            Refreshes(self.transport, "operations", self.now),
            self._policy,
            Told(Audit(self.audit), Events(self.events), self.now),
            self.now,
            datasets=lambda: [each.dataset_id for each in self.document.datasets.values()] if self.document else [],
        )
        keys = Keys(MemoryTable("idempotency", self.tapped), self.now)
        self.runs = RefreshRuns(self.engine, lambda: self.document, keys)
        self.triggers = RefreshTriggers(self.engine, lambda: self.document, self.rejected, self.now)
        self._numbers = itertools.count(1)

    def _read(self) -> RefreshDocument:
        return read_refresh_document(json.dumps(self._written).encode())

    def _policy(self, dataset_id: str) -> DatasetPolicy | None:
        return self.document.policy(dataset_id) if self.document else None

    def handle(self, message: bytes) -> None:
        try:
            self.triggers.look(message)
        except Retryable as error:
            put_back(self.queue, message, error)

    def sweep(self) -> None:
        self.triggers.sweep()

    def settle(self, patience: timedelta = 3 * HOUR) -> None:
        """Until no look is to come."""
        self.until(lambda: not self.queue.sent, patience)

    def running(self, dataset_id: str = SALES) -> None:
        """Until Power BI refreshes it."""
        self.until(lambda: any(each["endTime"] is None for each in self.history(dataset_id)))

    # ---- what callers and files do
    def land(self, *names: str) -> None:
        """Files land, and Event Grid tells of each."""
        for name in names:
            self.deliver_event(self.event(name))
            self.landed[name] = _dataset_of(name), self.now()

    def event(self, name: str) -> Json:
        etag = f"0x{next(self._numbers):X}"
        url = f"https://contosopowerbi.blob.core.windows.net/landing/{name}"
        return {
            "id": f"event-{etag}",
            "eventType": "Microsoft.Storage.BlobCreated",
            "eventTime": self.now().isoformat(),
            "data": {"api": "PutBlob", "eTag": etag, "url": url},
        }

    def deliver_event(self, event: Json) -> None:
        self.triggers.land(json.dumps(event).encode())

    def start(self, key: str | None = None, **body: Any) -> Json:
        return self.runs.start(OPERATOR, check(RefreshRunRequest, body), key)

    def all_runs(self, **filters: str) -> list[Json]:
        """The newest first."""
        found: list[Json] = self.runs.list(read_query(filters, FILTERS))["value"]
        for run in found:
            check(RunDocument, run)
        return found

    def run(self, **filters: str) -> Json:
        """The only one."""
        (found,) = self.all_runs(**filters)
        return found

    # ---- what there is at Power BI
    def lasts(self, duration: str, dataset_id: str = SALES, **more: Any) -> None:
        self.cloud.change(datasets={dataset_id: {"refreshDuration": duration, **more}})

    def history(self, dataset_id: str = SALES) -> list[Json]:
        """As Power BI shows it, the newest first; `endTime` None while it runs."""
        path = f"/groups/{WORKSPACES[dataset_id]}/datasets/{dataset_id}/refreshes"
        answer = self.transport.call("test.history", "GET", path, identity="operations")
        return [{"endTime": None, **each} for each in answer.json()["value"]]

    def posts(self, dataset_id: str = "") -> list[Json]:
        """Calls that were to start a refresh."""
        found = self.sent(f"{dataset_id}/refreshes", "POST")
        return [call for call in found if call["path"].endswith("/refreshes")]

    def uncovered(self) -> list[str]:
        """Files that no completed refresh covers which started after they landed, by Power BI's own history."""
        starts = {
            dataset_id: [
                datetime.fromisoformat(each["startTime"])
                for each in self.history(dataset_id)
                if each["status"] == "Completed"
            ]
            for dataset_id in WORKSPACES
        }
        return [name for name, (dataset_id, at) in self.landed.items() if not any(s >= at for s in starts[dataset_id])]

    def pending(self) -> int:
        """Landings that wait."""
        return sum(1 for _, row in self.landings.rows if row.startswith("p-"))

    # ---- the operator
    def change_dataset(self, alias: str, **fields: Any) -> None:
        """Other words of one dataset in refresh.yaml."""
        self._written["datasets"][alias] |= fields
        self.document = self._read()


def _dataset_of(name: str) -> str:
    return {"calendar": CALENDAR, "sales": SALES, "margin": MARGIN}[name.partition("/")[0]]
