"""The decisions of the provisioning steps, as tables: what was seen, what the journal says, what is done about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.errors import Conflict, Evidence, Forbidden, NotFound
from shared.powerbi.guardrails import Observed, OutsideTouch
from shared.provisioning.orders import Order
from shared.provisioning.principals import Grant, Principal
from shared.provisioning.steps.access import AccessStep
from shared.provisioning.steps.capacity import CapacityRefused, CapacityStep
from shared.provisioning.steps.common import Services
from shared.provisioning.steps.storage_format import StorageFormatStep
from shared.provisioning.steps.workspace import Hidden, WorkspaceStep
from shared.workflow.records import StepRow, StepStatus
from shared.workflow.steps import Act, Done, Fail, Undone, Wait

Json = dict[str, Any]

NOW = datetime(2026, 11, 22, 7, tzinfo=UTC)
CAPACITY = "c-1"
ANA, BEN = Principal("User", "ana@contoso.com"), Principal("User", "ben@contoso.com")
OWN = Principal("App", "own")
NOBODY = Services(None, lambda: "own")  # type: ignore[arg-type]  # decisions call nothing
FACTS = {"workspaceId": "w-1", "workspaceName": "FIN-X-DEV", "capacityId": "", "storageFormat": ""}
ORDER = Order(
    "provision",
    "dev",
    "FIN-X-DEV",
    CAPACITY,
    "premium-eu",
    "Large",
    (Grant(ANA, "Admin"), Grant(BEN, "Viewer")),
    required_owners=1,
)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def row(**more: Any) -> StepRow:
    return StepRow("step-001-000-dev-x", **more)


def opened(ago: timedelta, **more: Any) -> StepRow:
    """An act was announced so long ago, and nothing is known of what came of it."""
    return row(status=StepStatus.RUNNING, attempts=1, open=True, attempted_at=NOW - ago, started_at=NOW - ago, **more)


def told(verdict: object) -> str:
    """A verdict in one word; a failure by its code."""
    return verdict.code if isinstance(verdict, Fail) else type(verdict).__name__


# ---- workspace
@pytest.mark.parametrize(
    ("journal", "seen", "expected"),
    [
        (row(), {}, "Act"),
        (row(), {"lost": True}, "Act"),
        (row(), {"registered": True, "group": FACTS}, "Done"),
        (row(), {"registered": False, "group": FACTS}, "nameTaken"),
        (opened(minutes(0)), {}, "Wait"),
        (opened(minutes(5.4)), {}, "Wait"),
        (opened(minutes(5.6)), {}, "Act"),
        (opened(minutes(5.6), outcome={"taken": True}), {}, "Wait"),
        (opened(minutes(15.1), outcome={"taken": True}), {}, "notVisible"),
        (opened(minutes(1)), {"registered": False, "group": FACTS, "ours": True}, "Done"),
        (opened(minutes(1)), {"registered": False, "group": FACTS, "ours": False}, "nameTaken"),
    ],
)
def test_workspace(journal: StepRow, seen: Json, expected: str) -> None:
    assert told(WorkspaceStep(NOBODY, ORDER).decide(journal, seen, NOW)) == expected


def test_a_workspace_that_was_found_is_uncertain_and_one_that_is_adopted_was_not_created() -> None:
    seen = {"registered": False, "group": FACTS, "ours": True}
    found = WorkspaceStep(NOBODY, ORDER).decide(opened(minutes(1)), seen, NOW)
    assert isinstance(found, Done) and found.outcome["created"] == "uncertain"
    adopting = WorkspaceStep(NOBODY, replace(ORDER, adopt=True))
    adopted = adopting.decide(row(), {"registered": False, "group": FACTS}, NOW)
    assert isinstance(adopted, Done) and adopted.outcome["created"] is False


@pytest.mark.parametrize(
    ("journal", "error", "expected"),
    [
        (row(), Conflict("x"), "nameTaken"),
        (row(), Forbidden("x"), "forbidden"),
        (row(), Hidden("x"), "Wait"),
        (row(started_at=NOW - minutes(16)), Hidden("x"), "notVisible"),
        (row(), OutsideTouch("x"), "outsideTouch"),
        (row(), Observed("x"), "Done"),
        (opened(minutes(6)), Conflict("x"), "Wait"),
        (opened(minutes(16)), Conflict("x"), "notVisible"),
        (opened(minutes(1)), Forbidden("x"), "Wait"),
    ],
)
def test_a_refusal_of_the_workspace(journal: StepRow, error: Exception, expected: str) -> None:
    assert told(WorkspaceStep(NOBODY, ORDER).refused(journal, error, NOW)) == expected


def test_a_name_that_is_left_is_named_once() -> None:
    step = WorkspaceStep(NOBODY, ORDER)
    verdict = step.refused(opened(minutes(16)), Conflict("x"), NOW)
    assert isinstance(verdict, Fail)
    assert [entry["status"] for entry in verdict.cleanup] == ["left"]
    failed = opened(minutes(16)).failed(NOW, verdict.error("dev/workspace"), None, verdict.cleanup)
    assert step.decide_undo(failed, {"absent": True}, NOW) == Undone()


CREATED = {**FACTS, "created": True}


@pytest.mark.parametrize(
    ("journal", "seen", "expected"),
    [
        (row(), {}, []),
        (opened(minutes(1)), {"absent": True}, None),
        (opened(minutes(16)), {"absent": True}, []),
        (opened(minutes(16), outcome={"taken": True}), {"absent": True}, ["left"]),
        (opened(minutes(1), undo_attempts=1), {"absent": True}, ["undone"]),
        (opened(minutes(1)), {"group": FACTS, "ours": False}, ["left"]),
        (opened(minutes(1), outcome=CREATED), {"group": FACTS, "ours": False}, ["left"]),
        (opened(minutes(1), outcome=CREATED), {"absent": True}, None),
    ],
)
def test_what_the_workspace_takes_back(journal: StepRow, seen: Json, expected: list[str] | None) -> None:
    verdict = WorkspaceStep(NOBODY, ORDER).decide_undo(journal, seen, NOW)
    if expected is None:
        assert isinstance(verdict, Wait)
    else:
        assert isinstance(verdict, Undone)
        assert [entry["status"] for entry in verdict.cleanup] == expected


def test_what_is_ours_is_deleted() -> None:
    assert isinstance(WorkspaceStep(NOBODY, ORDER).decide_undo(row(), {"group": FACTS, "ours": True}, NOW), Act)


# ---- capacity
def capacity(status: str = "", towards: str = "", now: str = "") -> Json:
    seen: Json = {"made": FACTS, "capacityId": now}
    return seen | ({"status": status, "towards": towards} if status else {})


@pytest.mark.parametrize(
    ("journal", "seen", "expected"),
    [
        (row(), capacity(), "Act"),
        (row(), capacity(now=CAPACITY), "Done"),
        (row(), capacity("CompletedSuccessfully", "c-2"), "Act"),
        (row(), capacity("InProgress", CAPACITY), "Wait"),
        (row(), capacity("CompletedSuccessfully", CAPACITY), "Act"),
        (row(), capacity("CompletedSuccessfully", CAPACITY, CAPACITY), "Done"),
        (row(), capacity("AssignmentFailed", CAPACITY), "Act"),
        (opened(minutes(1)), capacity("Pending", CAPACITY), "Wait"),
        (opened(minutes(1)), capacity("CompletedSuccessfully", CAPACITY), "Done"),
        (opened(minutes(1)), capacity("AssignmentFailed", CAPACITY), "capacityRefused"),
        (opened(minutes(1)), capacity("CompletedSuccessfully", ""), "Act"),
        (opened(minutes(121)), capacity("InProgress", CAPACITY), "timedOut"),
        (row(), {"made": {}}, "Done"),
    ],
)
def test_capacity(journal: StepRow, seen: Json, expected: str) -> None:
    assert told(CapacityStep(NOBODY, ORDER).decide(journal, seen, NOW)) == expected


@pytest.mark.parametrize(
    ("started", "error", "expected"),
    [
        (minutes(0), CapacityRefused("x"), "capacityRefused"),
        (minutes(1), Forbidden("x"), "Wait"),
        (minutes(6), NotFound("x"), "notVisible"),
        (minutes(0), OutsideTouch("x"), "outsideTouch"),
        (minutes(0), Conflict("x"), "capacityRefused"),
    ],
)
def test_a_refusal_of_the_capacity(started: timedelta, error: Exception, expected: str) -> None:
    journal = row(started_at=NOW - started)
    assert told(CapacityStep(NOBODY, ORDER).refused(journal, error, NOW)) == expected


def test_it_is_watched_less_often_the_longer_it_takes() -> None:
    step = CapacityStep(NOBODY, ORDER)
    waits = [
        step.decide(opened(ago), capacity("Pending", CAPACITY), NOW) for ago in (minutes(0), minutes(1), minutes(9))
    ]
    assert [wait.seconds for wait in waits if isinstance(wait, Wait)] == [2, 5, 30]


def test_an_adopted_workspace_goes_back_to_where_it_was_even_while_it_is_moving() -> None:
    step = CapacityStep(NOBODY, ORDER)
    seen = {"made": FACTS, "previous": "c-0", "capacityId": "c-0"}
    assert isinstance(step.decide_undo(opened(minutes(1)), seen, NOW), Act)
    assert step.decide_undo(opened(minutes(1), undo_attempts=1), seen, NOW) == Undone()
    assert step.decide_undo(opened(minutes(1)), {}, NOW) == Undone()


# ---- storage format
@pytest.mark.parametrize(
    ("journal", "seen", "expected"),
    [
        (row(), {"made": FACTS, "shared": False, "format": "Small"}, "Act"),
        (row(), {"made": FACTS, "shared": False, "format": "Large"}, "Done"),
        (row(started_at=NOW), {"made": FACTS, "shared": True, "format": "Small"}, "Wait"),
        (row(started_at=NOW - minutes(6)), {"made": FACTS, "shared": True, "format": "Small"}, "Act"),
        (opened(minutes(1)), {"made": FACTS, "shared": False, "format": "Large"}, "Done"),
        (row(), {"made": {}}, "Done"),
    ],
)
def test_storage_format(journal: StepRow, seen: Json, expected: str) -> None:
    assert told(StorageFormatStep(NOBODY, ORDER).decide(journal, seen, NOW)) == expected


# ---- access
def members(open: bool = False, **roles: str) -> Json:
    named = {"ana": ANA, "ben": BEN}
    found = {named[name].key: role for name, role in roles.items()}
    made = {**FACTS, "created": False}
    return {
        "made": made,
        "own": OWN.key,
        "open": open,
        "roles": found,
        "otherAdmins": 0,
        "otherOwners": 0,
        "more": False,
    }


def results(verdict: object) -> dict[str, tuple[str, str]]:
    """Status and role before, by principal."""
    assert isinstance(verdict, Done | Fail) and verdict.outcome is not None
    return {entry["key"].split(":")[1]: (entry["status"], entry["before"]) for entry in verdict.outcome["results"]}


def test_access_acts_while_there_is_something_to_change() -> None:
    step = AccessStep(NOBODY, ORDER)
    assert isinstance(step.decide(row(), members(), NOW), Act)
    assert isinstance(step.decide(row(), members(ana="Admin", ben="Member"), NOW), Act)


def test_what_was_there_before_is_not_ours_and_what_came_after_a_lost_answer_is() -> None:
    step = AccessStep(NOBODY, ORDER)
    before = members(ben="Viewer")
    unchanged = step.decide(row(), members(ana="Admin", ben="Viewer"), NOW)
    assert results(unchanged) == {ANA.id: ("unchanged", "Admin"), BEN.id: ("unchanged", "Viewer")}
    ours = step.decide(opened(minutes(1), seen=before), members(open=True, ana="Admin", ben="Viewer"), NOW)
    assert results(ours) == {ANA.id: ("granted", ""), BEN.id: ("unchanged", "Viewer")}


def test_a_role_that_was_changed_remembers_the_one_before() -> None:
    step = AccessStep(NOBODY, ORDER)
    journal = opened(minutes(1), seen=members(ana="Admin", ben="Member"))
    changed = step.decide(journal, members(open=True, ana="Admin", ben="Viewer"), NOW)
    assert results(changed)[BEN.id] == ("granted", "Member")


def test_what_an_earlier_act_recorded_stays() -> None:
    step = AccessStep(NOBODY, ORDER)
    entry = {"key": ANA.key, "role": "Admin", "status": "granted", "before": "Viewer", "error": ""}
    journal = opened(minutes(1), seen=members(), outcome={"results": [entry]})
    verdict = step.decide(journal, members(open=True, ana="Admin", ben="Viewer"), NOW)
    assert results(verdict)[ANA.id] == ("granted", "Viewer")


def test_too_few_owners_fail_only_where_the_request_names_owners() -> None:
    order = replace(ORDER, grants=(Grant(BEN, "Viewer"),))
    assert told(AccessStep(NOBODY, order).decide(row(), members(ben="Viewer"), NOW)) == "noOwners"
    granting = replace(order, operation="grantAccess")
    assert told(AccessStep(NOBODY, granting).decide(row(), members(ben="Viewer"), NOW)) == "Done"


def entry(principal: Principal, role: str, before: str, status: str = "granted") -> Json:
    return {"key": principal.key, "role": role, "status": status, "before": before, "error": ""}


@pytest.mark.parametrize(
    ("made", "now", "expected"),
    [
        (entry(BEN, "Viewer", ""), "Viewer", None),
        (entry(BEN, "Member", "Viewer"), "Member", None),
        (entry(BEN, "Viewer", ""), "Member", []),  # somebody has changed it since
        (entry(BEN, "Viewer", ""), "", []),
        (entry(BEN, "Viewer", "Viewer", "unchanged"), "Viewer", []),
        (entry(BEN, "Viewer", "Admin"), "Viewer", ["left"]),  # nobody gets access by a failure
        (entry(BEN, "", "Member", "removed"), "", ["left"]),
    ],
)
def test_access_takes_back_only_what_it_gave(made: Json, now: str, expected: list[str] | None) -> None:
    seen = {"made": FACTS, "results": [made], "roles": {BEN.key: now}}
    verdict = AccessStep(NOBODY, ORDER).decide_undo(row(), seen, NOW)
    if expected is None:
        assert isinstance(verdict, Act)
    else:
        assert isinstance(verdict, Undone)
        assert [each["status"] for each in verdict.cleanup] == expected


def test_a_workspace_that_refuses_us_is_waited_for_and_then_not_visible() -> None:
    step = AccessStep(NOBODY, ORDER)
    error = Forbidden("x", evidence=Evidence(request_id="r-1"))
    assert told(step.refused(row(started_at=NOW), error, NOW)) == "Wait"
    verdict = step.refused(row(started_at=NOW - minutes(6)), error, NOW)
    assert isinstance(verdict, Fail)
    assert (verdict.code, verdict.request_id) == ("notVisible", "r-1")
