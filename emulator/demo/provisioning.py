"""A project is provisioned for dev, test and prod over HTTP, asked for again, and another one comes by the queue."""

from __future__ import annotations

import time
from typing import Any

from emulator import seed
from emulator.demo.stage import DemoFailed, Json, Stage, expect, step

PROJECT = "FIN-Margin"
QUEUED = "HR-Absence"
UNKNOWN = "zoe@contoso.com"
PATIENCE = 60.0
ENDED = ("succeeded", "succeededWithWarnings", "failed", "cancelled")


def play(stage: Stage) -> None:
    """The workspaces, their capacity and their members in the outcomes are read back from Power BI."""
    token = stage.caller_token("operator")
    step(f"{PROJECT} is planned, and nothing is done", lambda: _planned(stage, token))
    warned: list[str] = []
    step(f"{PROJECT} is provisioned for dev, test and prod", lambda: _provisioned(stage, token, warned))
    step(f"it warns of {UNKNOWN}, whom nobody knows", lambda: _warning(warned))
    step("the same is asked for again", lambda: _again(stage, token))
    step(f"another system puts {QUEUED} on the queue", lambda: _queued(stage, token))


def _request(project: str) -> Json:
    analysts = seed.GROUPS[0].object_id
    return {
        "operation": "provision",
        "project": project,
        "environments": [{"name": "dev"}, {"name": "test"}, {"name": "prod"}],
        "owners": ["ana@contoso.com"],
        "access": [
            {"principal": "ben@contoso.com", "principalType": "User", "role": "Viewer"},
            {"principal": analysts, "principalType": "Group", "role": "Member", "environments": ["dev", "test"]},
            {"principal": UNKNOWN, "principalType": "User", "role": "Viewer", "environments": ["dev"]},
        ],
        "requestedBy": "demo",
    }


def _planned(stage: Stage, token: str) -> str:
    before = _changes(stage)
    answer = stage.app("POST", "provisioning-requests?dryRun=true", token, _request(PROJECT))
    expect(answer.status_code == 200, f"expected 200, got {answer.status_code}: {answer.text}")
    return f"a plan for {', '.join(answer.json()['environments'])}; {_changes(stage) - before} changes at Power BI"


def _provisioned(stage: Stage, token: str, warned: list[str]) -> str:
    document = _to_the_end(stage, token, _request(PROJECT))
    expect(document["status"] == "succeededWithWarnings", f"expected one warning, got {document}")
    warned.extend(document["warnings"])
    return _workspaces(stage, PROJECT)


def _warning(warned: list[str]) -> str:
    expect(len(warned) == 1 and UNKNOWN in warned[0], f"expected one warning of {UNKNOWN}, got {warned}")
    return warned[0]


def _again(stage: Stage, token: str) -> str:
    before = _changes(stage)
    without_the_unknown = {**_request(PROJECT), "access": _request(PROJECT)["access"][:2]}
    document = _to_the_end(stage, token, without_the_unknown)
    made = _changes(stage) - before
    expect(made == 0, f"expected no change at Power BI, got {made}")
    return f"{document['status']}, {made} changes at Power BI"


def _queued(stage: Stage, token: str) -> str:
    stage.put_on_queue("provisioning-requests", {**_request(QUEUED), "access": [], "requestId": "demo-hr-absence"})
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        listed = stage.app("GET", f"provisioning-requests?project={QUEUED}", token).json()["value"]
        if listed and listed[0]["status"] in ENDED:
            expect(listed[0]["status"] == "succeeded", f"expected success, got {listed[0]}")
            return _workspaces(stage, QUEUED)
        time.sleep(0.2)
    raise DemoFailed(f"{QUEUED} was not provisioned within {PATIENCE:g} s")


def _to_the_end(stage: Stage, token: str, request: Json) -> Json:
    answer = stage.app("POST", "provisioning-requests", token, request)
    expect(answer.status_code == 202, f"expected 202, got {answer.status_code}: {answer.text}")
    document: Json = answer.json()
    path = answer.headers["Location"].removeprefix("/api/")
    deadline = time.monotonic() + PATIENCE
    while document["status"] not in ENDED:
        expect(time.monotonic() < deadline, f"not at its end within {PATIENCE:g} s: {document}")
        time.sleep(0.2)
        document = stage.app("GET", path, token).json()
    return document


def _changes(stage: Stage) -> int:
    """Calls to Power BI that may change something."""
    calls = stage.control("GET", "requests")["value"]
    return sum(call["host"] == "api.powerbi.com" and call["method"] != "GET" for call in calls)


def _workspaces(stage: Stage, project: str) -> str:
    state = stage.control("GET", "state")
    capacities = {id: name for name, id in stage.described["seed"]["capacities"].items()}
    found = [space for space in state["workspaces"].values() if space["name"].startswith(f"{project}-")]
    expect(len(found) == 3, f"expected three workspaces of {project}, got {[space['name'] for space in found]}")
    told = (_in_words(space, capacities) for space in sorted(found, key=lambda space: str(space["name"])))
    return f"Power BI has {', '.join(told)}"


def _in_words(workspace: Json, capacities: dict[str, Any]) -> str:
    capacity = capacities.get(workspace.get("capacityId") or "", "shared")
    environment = str(workspace["name"]).rpartition("-")[2]
    return f"{environment} on {capacity} with {len(workspace['members'])} members"
