"""The process that runs the app is killed with SIGKILL at random moments, twenty times: nothing accepted is lost."""

from __future__ import annotations

import os
import random
import time

import pytest

from tests.cloud import Cloud
from tests.e2e.mortal_app import Json, MortalApp, mortal_app

KILLS = 20
PROJECTS = 3
ENVIRONMENTS = ("dev", "test")
PATIENCE = 150.0


def submitted(app: MortalApp, project: str) -> str:
    """The id, once it is acknowledged; a client that repeats it has its idempotency key."""
    body = {
        "operation": "provision",
        "project": project,
        "environments": [{"name": name} for name in ENVIRONMENTS],
        "owners": ["ana@contoso.com"],
        "access": [{"principal": "ben@contoso.com", "principalType": "User", "role": "Viewer"}],
    }
    answer = app.call("POST", "provisioning-requests", json=body, headers={"Idempotency-Key": f"kill-{project}"})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


@pytest.mark.timeout(400)
def test_twenty_kills_lose_nothing_and_make_nothing_twice(cloud: Cloud) -> None:
    moments = random.Random(20)
    projects = [f"FIN-K{os.getpid()}x{number}" for number in range(PROJECTS)]
    with mortal_app(cloud) as app:
        ids = [submitted(app, project) for project in projects]
        for _ in range(KILLS):
            time.sleep(moments.uniform(0.05, 0.6))  # the moment of death is what is random here
            app.die()
            app.tick("workflow-sweep")
        documents = _all_ended(app, ids)
    assert {document["status"] for document in documents} == {"succeeded"}, documents
    for project in projects:
        made = [space for space in cloud.state()["workspaces"].values() if space["name"].startswith(f"{project}-")]
        assert sorted(space["name"] for space in made) == [f"{project}-DEV", f"{project}-TEST"]
        assert all({"ana@contoso.com", "ben@contoso.com"} <= set(space["members"]) for space in made)


def _all_ended(app: MortalApp, ids: list[str]) -> list[Json]:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        app.tick("workflow-sweep")
        documents = [app.call("GET", f"provisioning-requests/{id}").json() for id in ids]
        if all(document["status"] in ("succeeded", "failed", "succeededWithWarnings") for document in documents):
            return documents
        time.sleep(0.5)
    raise AssertionError(f"not at their ends within {PATIENCE:g} s: {documents}")
