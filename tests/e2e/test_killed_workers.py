"""The process that runs the app is killed with SIGKILL at random moments, twenty times: nothing accepted is lost."""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.cloud import Cloud
from tests.emulator.host.processes import Watched

Json = dict[str, Any]
APP = Path(__file__).parent / "hurried_app"
KILLS = 20
PROJECTS = 3
ENVIRONMENTS = ("dev", "test")
PATIENCE = 150.0


class Worker:
    """The app in a host of its own, which is started again after each death, as the platform does."""

    def __init__(self, cloud: Cloud) -> None:
        self._token = cloud.caller_token("operator")
        self._start()

    def _start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "emulator.host",
            "--port",
            "0",
            "--app-dir",
            str(APP),
            "--message-lease",
            "PT2S",
        ]
        self._process = Watched(command, os.environ)
        self._url = str(self._process.printed(r"^READY (\S+)$")[0][1])

    def die(self) -> None:
        self._process.kill()
        self._start()

    def stop(self) -> None:
        self._process.kill()

    def submit(self, project: str) -> str:
        """Until it is acknowledged, as a client with an idempotency key would."""
        body = {
            "operation": "provision",
            "project": project,
            "environments": [{"name": name} for name in ENVIRONMENTS],
            "owners": ["ana@contoso.com"],
            "access": [{"principal": "ben@contoso.com", "principalType": "User", "role": "Viewer"}],
        }
        answer = self.call("POST", "provisioning-requests", json=body, headers={"Idempotency-Key": f"kill-{project}"})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def sweep(self) -> None:
        """What the timer does each minute."""
        requests.post(f"{self._url}/admin/functions/workflow-sweep", json={}, timeout=30)

    def document(self, id: str) -> Json:
        answer = self.call("GET", f"provisioning-requests/{id}")
        document: Json = answer.json()
        return document

    def call(self, method: str, path: str, **how: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self._token}", **how.pop("headers", {})}
        return requests.request(method, f"{self._url}/api/{path}", headers=headers, timeout=30, **how)


@contextmanager
def working(cloud: Cloud) -> Iterator[Worker]:
    worker = Worker(cloud)
    try:
        yield worker
    finally:
        worker.stop()


@pytest.mark.timeout(400)
def test_twenty_kills_lose_nothing_and_make_nothing_twice(cloud: Cloud) -> None:
    moments = random.Random(20)
    projects = [f"FIN-K{os.getpid()}x{number}" for number in range(PROJECTS)]
    with working(cloud) as worker:
        ids = [worker.submit(project) for project in projects]
        for _ in range(KILLS):
            time.sleep(moments.uniform(0.05, 0.6))  # the moment of death is what is random here
            worker.die()
            worker.sweep()
        documents = _all_ended(worker, ids)
    assert {document["status"] for document in documents} == {"succeeded"}, documents
    for project in projects:
        made = [space for space in cloud.state()["workspaces"].values() if space["name"].startswith(f"{project}-")]
        assert sorted(space["name"] for space in made) == [f"{project}-DEV", f"{project}-TEST"]
        assert all({"ana@contoso.com", "ben@contoso.com"} <= set(space["members"]) for space in made)


def _all_ended(worker: Worker, ids: list[str]) -> list[Json]:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        worker.sweep()
        documents = [worker.document(id) for id in ids]
        if all(document["status"] in ("succeeded", "failed", "succeededWithWarnings") for document in documents):
            return documents
        time.sleep(0.5)
    raise AssertionError(f"not at their ends within {PATIENCE:g} s: {documents}")
