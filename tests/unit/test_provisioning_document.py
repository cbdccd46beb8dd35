"""The status document and the lists' tokens: exactly what callers were promised."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from shared.provisioning.kinds import ProvisioningKind
from shared.provisioning.principals import Principal
from shared.provisioning.status_document import status_document
from shared.provisioning.steps.common import Services
from shared.workflow.records import Head, Project, Status, StepRow, StepStatus

Json = dict[str, Any]
NOW = datetime(2026, 11, 22, 7, 0, 0, 123000, tzinfo=UTC)
ANA = Principal("User", "ana@contoso.com").key


def head(**more: Any) -> Head:
    base: Json = {
        "id": "id-1",
        "kind": "provision",
        "project": "FIN-Margin",
        "client": "client-a",
        "caller": {"clientId": "client-a", "kind": "application", "roles": [], "requestedBy": "Ana"},
        "body_hash": "",
        "plan_version": 1,
        "correlation_id": "c-1",
        "created_at": NOW,
        "due": NOW,
        "updated_at": NOW + timedelta(seconds=5),
    }
    return Head(**{**base, **more})


def order(environment: str = "dev", **more: Any) -> Json:
    name = f"FIN-Margin-{environment.upper()}"
    base = {"operation": "provision", "environment": environment, "workspaceName": name}
    return {**base, "access": [[ANA, "Admin"]], "requiredOwners": 1, "maxAdmins": 5, **more}


def body(*orders: Json, **request: Any) -> Json:
    return {"request": request, "orders": list(orders)}


def row(key: str, status: StepStatus = StepStatus.DONE, **more: Any) -> StepRow:
    base: Json = {"attempts": 1, "started_at": NOW, "ended_at": NOW}
    return StepRow(key, status, **{**base, **more})


def test_what_has_not_begun_is_pending() -> None:
    document = status_document(head(), {}, body(order(storageFormat="Large")))
    assert document["status"] == "accepted"
    assert document["progress"] == {"done": 0, "of": 4}
    dev = document["environments"]["dev"]
    assert [step["name"] for step in dev["steps"]] == ["workspace", "capacity", "storageFormat", "access"]
    assert {step["status"] for step in dev["steps"]} == {"pending"}
    assert (dev["workspaceId"], dev["workspaceName"], dev["created"]) == (None, "FIN-Margin-DEV", False)
    assert (document["error"], document["warnings"], document["cleanup"]) == (None, [], [])
    assert (document["requestedBy"], document["caller"]["clientId"]) == ("Ana", "client-a")
    assert "requestedBy" not in document["caller"]


def test_steps_access_warnings_and_cleanup_come_from_the_journal() -> None:
    made = {"workspaceId": "w-1", "workspaceName": "FIN-Margin-DEV", "created": True, "fresh": True}
    results = [
        {"key": ANA, "role": "Admin", "status": "granted", "before": "", "error": ""},
        {"key": "Group:g", "role": "Viewer", "status": "failed", "before": "", "error": "Nobody knows it."},
        {"key": "User:ben@contoso.com", "role": "", "status": "removed", "before": "Member", "error": ""},
    ]
    left = {"what": "x", "status": "left", "remedy": "y"}
    rows = {
        each.key: each
        for each in (
            row("step-001-000-dev-workspace", outcome=made),
            row("step-001-001-dev-capacity", StepStatus.SKIPPED, attempts=0),
            row("step-001-002-dev-access", outcome={"results": results, "warnings": ["dev: one."]}, cleanup=(left,)),
        )
    }
    document = status_document(head(status=Status.RUNNING), rows, body(order(), order("prod"), description="d"))
    assert document["progress"] == {"done": 3, "of": 6}
    dev = document["environments"]["dev"]
    assert (dev["workspaceId"], dev["created"]) == ("w-1", True)
    assert dev["steps"][0] == {
        "name": "workspace",
        "status": "done",
        "attempts": 1,
        "startedAt": "2026-11-22T07:00:00Z",
        "endedAt": "2026-11-22T07:00:00Z",
        "detail": "",
    }
    assert dev["access"] == [
        {"principal": "ana@contoso.com", "principalType": "User", "role": "Admin", "status": "granted", "error": None},
        {"principal": "g", "principalType": "Group", "role": "Viewer", "status": "failed", "error": "Nobody knows it."},
        {"principal": "ben@contoso.com", "principalType": "User", "role": "Member", "status": "removed", "error": None},
    ]
    assert len(document["warnings"]) == 2
    assert document["cleanup"] == [left]


def test_the_steps_that_are_told_are_the_steps_that_are_planned() -> None:
    kind = ProvisioningKind(Services(None, lambda: ""))  # type: ignore[arg-type]
    asked = body(order(storageFormat="Small"), order("prod"))
    planned = [(step.environment, step.name) for step in kind.plan(head(), asked)]
    document = status_document(head(), {}, asked)
    told = [(name, step["name"]) for name, of_one in document["environments"].items() for step in of_one["steps"]]
    assert told == planned


def test_an_error_has_its_four_fields_and_a_request_that_was_never_valid_has_no_environments() -> None:
    error = {"code": "invalidRequest", "message": "m", "step": "", "requestId": ""}
    document = status_document(head(status=Status.FAILED, error=error), {}, None)
    assert document["error"] == error
    assert (document["environments"], document["progress"]) == ({}, {"done": 0, "of": 0})


# ---- the registry
def test_what_was_made_is_registered_and_what_was_known_stays() -> None:
    kind = ProvisioningKind(Services(None, lambda: ""))  # type: ignore[arg-type]
    known = {"workspaceId": "w-1", "workspaceName": "FIN-Margin-DEV", "created": True, "workflow": "old"}
    made = {"workspaceId": "w-2", "workspaceName": "FIN-Margin-PROD", "created": True}
    outcomes: dict[str, Json] = {
        "dev/workspace": {**known, "created": False},
        "prod/workspace": made,
        "test/workspace": {"observed": True},
        "prod/access": {"workspaceId": "w-9"},
    }
    registered = kind.register(head(), Project("FIN-Margin", environments={"dev": known}), outcomes)
    assert registered == {"dev": known, "prod": {**made, "workflow": "id-1"}}


def test_another_client_needs_the_role_at_its_turn_too() -> None:
    kind = ProvisioningKind(Services(None, lambda: ""))  # type: ignore[arg-type]
    project = Project("FIN-Margin", client="client-b")
    refusal = kind.refusal(head(), project, body(order()))
    assert refusal is not None and refusal.code == "forbidden"
    assert kind.refusal(head(caller={"roles": ["Provisioning.Admin"]}), project, body(order())) is None
