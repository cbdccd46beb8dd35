"""From files in the landing zone to Power BI's history, over real storage: Event Grid, queues, tables, documents."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from azure.storage.blob import ContainerClient
from azure.storage.queue import QueueClient

from shared.errors import Retryable
from shared.idempotency import Keys
from shared.listing import read_query
from shared.powerbi.refreshes import Refreshes
from shared.refresh.documents import NAME, RefreshDocument, read_refresh_document
from shared.refresh.engine import RefreshEngine
from shared.refresh.outside import Told
from shared.refresh.service import FILTERS, RefreshRuns
from shared.refresh.store import RefreshStore, RefreshTables
from shared.refresh.triggers import RefreshTriggers
from shared.settings import Settings
from shared.storage.audit import Audit
from shared.storage.batches import BatchTable
from shared.storage.documents import Documents
from shared.storage.queues import Queue, put_back
from shared.storage.tables import Table
from shared.times import from_text, utc_now
from shared.wiring import Services
from tests.cloud import Cloud
from tests.e2e.refresh.stage import WORKSPACES
from tests.e2e.stage import Json
from tests.seeded import CALENDAR, MARGIN, SALES
from tests.waiting import eventually


class Deployment:
    """The refresh service as it is wired, and a host for its queues: two threads for each, as two instances would."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        services = Services(Settings.from_env(os.environ))
        storage = services.storage
        documents = Documents(storage.blobs, {NAME: read_refresh_document}, utc_now)
        self.transport = services.powerbi

        def document() -> RefreshDocument | None:
            accepted = documents.accepted(NAME)
            return accepted.value if accepted and isinstance(accepted.value, RefreshDocument) else None

        def table(name: str) -> Table:
            return Table(storage.tables, name)

        tables = RefreshTables(table("datasets"), BatchTable(storage.tables, "landings"), table("runs"))
        self.engine = RefreshEngine(
            RefreshStore(tables, services.container("runs")),
            services.queue("refresh-looks"),
            Refreshes(self.transport, "operations", utc_now),
            lambda dataset_id: found.policy(dataset_id) if (found := document()) else None,
            Told(Audit(table("audit")), services.events, utc_now),
            utc_now,
        )
        self.runs = RefreshRuns(self.engine, document, Keys(table("idempotency"), utc_now))
        self._earlier = {run["id"] for run in self._all_runs()}  # of other tests: storage outlives a reset of the cloud
        self.triggers = RefreshTriggers(self.engine, document, services.container("rejected"), utc_now)
        self._stop = threading.Event()
        self._broken: list[BaseException] = []
        routes = {"data-landed": self.triggers.land, "refresh-looks": self.triggers.look}
        self._threads = [
            threading.Thread(target=self._serve, args=(name, act, services.queue(name)))
            for name, act in routes.items()
            for _ in range(2)
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
        assert self._broken == []

    def _serve(self, name: str, act: Callable[[bytes], None], queue: Queue) -> None:
        with QueueClient.from_connection_string(self.cloud.connection_string, name) as client:
            while not self._stop.is_set():
                message = client.receive_message(visibility_timeout=60)
                if message is None:
                    time.sleep(0.1)
                    continue
                try:
                    act(message.content.encode())
                except Retryable as error:
                    put_back(queue, message.content.encode(), error)
                except BaseException as error:  # noqa: BLE001 - told at the end
                    self._broken.append(error)
                client.delete_message(message)

    def _all_runs(self) -> list[Json]:
        listed: list[Json] = self.runs.list(read_query({"top": "200"}, FILTERS))["value"]
        return listed

    def new_runs(self) -> list[Json]:
        """Runs since this was deployed."""
        return [run for run in self._all_runs() if run["id"] not in self._earlier]

    def completed(self) -> dict[str, list[Json]]:
        """Completed refreshes by dataset, from Power BI's own history."""
        found = {}
        for dataset_id, workspace_id in WORKSPACES.items():
            path = f"/groups/{workspace_id}/datasets/{dataset_id}/refreshes"
            history = self.transport.call("test.history", "GET", path, identity="operations").json()["value"]
            found[dataset_id] = [entry for entry in history if entry["status"] == "Completed"]
        return found


@pytest.fixture
def deployment(cloud: Cloud) -> Iterator[Deployment]:
    cloud.change(datasets={dataset_id: {"refreshDuration": "PT2S"} for dataset_id in WORKSPACES})
    with closing(Deployment(cloud)) as made:
        yield made


def test_every_file_is_covered_by_few_refreshes_whatever_event_grid_does(deployment: Deployment) -> None:
    deployment.cloud.change(switches={"eventSchema": "cloudEvents", "eventDuplicates": 1, "eventReorder": True})
    landed: dict[str, list[Any]] = {dataset_id: [] for dataset_id in WORKSPACES}
    folders = {CALENDAR: "calendar", SALES: "sales/2026/11", MARGIN: "margin/a b/ü"}
    with ContainerClient.from_connection_string(deployment.cloud.connection_string, "landing") as container:
        for number in range(8):
            for dataset_id, folder in folders.items():
                blob = container.upload_blob(f"{folder}/{number}.parquet", b"x", overwrite=True)
                landed[dataset_id].append(blob.get_blob_properties().last_modified)
        eventually(lambda: _uncovered(deployment, landed) == 0)
    assert len(deployment.new_runs()) <= 6, "8 files for each of three datasets"
    posts = [call for call in deployment.cloud.calls(path="/refreshes", method="POST") if call["status"] == 202]
    assert len(posts) <= 6
    eventually(lambda: {run["status"] for run in deployment.new_runs()} == {"completed"})


def _uncovered(deployment: Deployment, landed: dict[str, list[Any]]) -> int:
    """Storage knows the moment of a landing to the second only."""
    completed = deployment.completed()
    starts = {
        dataset_id: [from_text(entry["startTime"]) for entry in entries] for dataset_id, entries in completed.items()
    }
    return sum(
        1
        for dataset_id, moments in landed.items()
        for moment in moments
        if not any(start > moment + timedelta(seconds=1) for start in starts[dataset_id])
    )
