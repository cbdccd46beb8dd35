"""The refresh service in this process: Power BI is emulated over the network, storage in memory, time in hand."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from emulator import seed
from shared.auth.callers import Caller
from shared.auth.tokens import AppTokens
from shared.errors import Retryable
from shared.idempotency import Keys
from shared.listing import read_query
from shared.powerbi.guardrails import Guard
from shared.powerbi.refreshes import Refreshes
from shared.powerbi.transport import Transport
from shared.provisioning.policy import PolicyDocument, read_policy_document
from shared.refresh.documents import DatasetPolicy, RefreshDocument, read_refresh_document
from shared.refresh.engine import RefreshEngine
from shared.refresh.outside import Told
from shared.refresh.requests import RefreshRunRequest
from shared.refresh.run_document import RunDocument
from shared.refresh.service import FILTERS, RefreshRuns
from shared.refresh.store import RefreshStore, RefreshTables
from shared.refresh.triggers import RefreshTriggers
from shared.settings import Settings
from shared.storage.audit import Audit
from shared.storage.events import Events
from shared.storage.queues import put_back
from shared.times import utc_now
from shared.validation import check
from tests.cloud import PROJECT, Cloud
from tests.e2e.identities import Identities
from tests.doubles.storage import MemoryContainer, MemoryQueue, MemoryTable

Json = dict[str, Any]

POWER_BI = "api.powerbi.com"
ANALYTICS, REFERENCE = seed.WORKSPACES[0].id, seed.WORKSPACES[1].id
CALENDAR, SALES, MARGIN = (dataset.id for dataset in seed.DATASETS)
OPERATOR = Caller("application", "operator", "tenant", "object", frozenset({"Refresh.Write"}), frozenset(), {})
MONTH = "sales/2026/11"
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


@dataclass
class Stage:
    """One deployment of the service against the emulated cloud."""

    cloud: Cloud
    offset: timedelta = timedelta(0)
    landed: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    """Files by dataset and path, with the moment at which they landed."""

    def __post_init__(self) -> None:
        settings = Settings.from_env(os.environ)
        tokens = Identities(settings, utc_now).tokens
        self.policy: PolicyDocument | None = read_policy_document((PROJECT / "config/policy.yaml").read_bytes())
        self.document: RefreshDocument | None = read_refresh_document((PROJECT / "config/refresh.yaml").read_bytes())
        self.transport = Transport(settings.cloud, tokens, self.now, Guard(lambda: self.policy))
        self.landings, self.audit = MemoryTable("landings"), MemoryTable("audit")
        tables = RefreshTables(MemoryTable("datasets"), self.landings, MemoryTable("runs"))
        self.looks = MemoryQueue(self.now, name="refresh-looks")
        self.queue = MemoryQueue(self.now, name="data-landed")
        self.events = MemoryQueue(self.now, name="operations-events")
        self.rejected = MemoryContainer("rejected")
        self.engine = RefreshEngine(
            RefreshStore(tables, MemoryContainer("runs")),
            self.looks,
            Refreshes(self.transport, "operations", self.now),
            self._policy,
            Told(Audit(self.audit), Events(self.events), self.now),
            self.now,
            datasets=lambda: [each.dataset_id for each in self.document.datasets.values()] if self.document else [],
        )
        keys = Keys(MemoryTable("idempotency"), self.now)
        self.runs = RefreshRuns(self.engine, lambda: self.document, keys)
        self.triggers = RefreshTriggers(self.engine, lambda: self.document, self.rejected, self.now)
        self._numbers = itertools.count(1)

    def _policy(self, dataset_id: str) -> DatasetPolicy | None:
        return self.document.policy(dataset_id) if self.document else None

    # ---- time
    def now(self) -> datetime:
        return utc_now() + self.offset

    def advance(self, by: timedelta) -> None:
        """Time passes, here and at Power BI."""
        by = max(by, timedelta(milliseconds=1))
        self.offset += by
        self.cloud.control("POST", "clock", {"advance": f"PT{by.total_seconds():.3f}S"})

    # ---- what callers and files do
    def land(self, *names: str) -> None:
        """Files land, and Event Grid tells of each."""
        for name in names:
            self.deliver_event(self.event(name))
            self.landed[name] = (_dataset_of(name), self.now())

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

    # ---- the host
    def deliver(self) -> bool:
        """Deliver the looks that are visible, once; False if there are none."""
        visible = self.looks.visible()
        for message in visible:
            self.looks.sent.remove(message)
            try:
                self.triggers.look(message.body)
            except Retryable as error:
                put_back(self.looks, message.body, error)
        return bool(visible)

    def until(self, there: Callable[[], bool], patience: timedelta = 3 * HOUR) -> None:
        """Looks come when they are due, and the sweep each minute, until it is so."""
        end = self.now() + patience
        while not there():
            assert self.now() < end, "it never comes to that"
            if self.deliver():
                continue
            due = min((message.visible_at for message in self.looks.sent), default=self.now() + MINUTE)
            self.advance(min(due - self.now(), MINUTE))
            self.triggers.sweep()

    def settle(self, patience: timedelta = 3 * HOUR) -> None:
        """Until no look is to come."""
        self.until(lambda: not self.looks.sent, patience)

    def running(self, dataset_id: str = SALES) -> None:
        """Until Power BI refreshes it."""
        self.until(lambda: any(each["endTime"] is None for each in self.history(dataset_id)))

    # ---- what there is at Power BI
    def lasts(self, duration: str, dataset_id: str = SALES, **more: Any) -> None:
        self.cloud.change(datasets={dataset_id: {"refreshDuration": duration, **more}})

    def history(self, dataset_id: str = SALES) -> list[Json]:
        """As Power BI shows it, the newest first; `endTime` None while it runs."""
        path = f"/groups/{REFERENCE if dataset_id == CALENDAR else ANALYTICS}/datasets/{dataset_id}/refreshes"
        answer = self.transport.call("test.history", "GET", path, identity="operations")
        return [{"endTime": None, **each} for each in answer.json()["value"]]

    def posts(self, dataset_id: str = "") -> list[Json]:
        """Calls that were to start a refresh."""
        found = self.cloud.calls(host=POWER_BI, path=f"{dataset_id}/refreshes", method="POST")
        return [call for call in found if call["path"].endswith("/refreshes")]

    def uncovered(self) -> list[str]:
        """Files that no completed refresh covers which started after they landed, by Power BI's own history."""
        starts = {
            dataset_id: [
                datetime.fromisoformat(each["startTime"])
                for each in self.history(dataset_id)
                if each["status"] == "Completed"
            ]
            for dataset_id in (CALENDAR, SALES, MARGIN)
        }
        return [name for name, (dataset_id, at) in self.landed.items() if not any(s >= at for s in starts[dataset_id])]

    def pending(self) -> int:
        """Landings that wait."""
        return sum(1 for _, row in self.landings.rows if row.startswith("p-"))

    # ---- what others are told
    def told(self) -> list[str]:
        return [message["type"] for message in self.events.messages()]

    def audited(self) -> list[str]:
        return [str(entity["decision"]) for entity, _ in self.audit.rows.values()]

    def rejections(self) -> list[Json]:
        return [json.loads(blob) for blob in self.rejected.blobs.values()]

    def change_dataset(self, alias: str, **fields: Any) -> None:
        """What refresh.yaml says of one dataset."""
        assert self.document is not None
        changed = self.document.datasets[alias].model_copy(update=fields)
        self.document = self.document.model_copy(update={"datasets": {**self.document.datasets, alias: changed}})
        self.document.__dict__.pop("compiled", None)
        self.document.__dict__.pop("_aliases", None)


def _dataset_of(name: str) -> str:
    return {"calendar": CALENDAR, "sales": SALES, "margin": MARGIN}[name.partition("/")[0]]
