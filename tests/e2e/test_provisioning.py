"""Provisioning against the emulated Power BI: what is asked for is there at the end, and nothing else was touched."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from shared.errors import Ended, InvalidRequest, NotAllowed, Unknown
from shared.listing import Query, read_query
from shared.provisioning.service import FILTERS
from tests.cloud import Cloud
from tests.doubles.clock import MINUTE
from tests.e2e.provisioning_stage import (
    ADMIN,
    ANA,
    ANALYSTS,
    BEN,
    CAPACITY,
    CHLOE,
    OPERATIONS,
    OTHER,
    PORTAL,
    POWER_BI,
    SELLERS,
    Stage,
    access,
    provision,
    step,
)

GHOST = "ghost@contoso.com"


@pytest.fixture
def stage(cloud: Cloud) -> Stage:
    return Stage(cloud)


# ---- from nothing
def test_three_environments_are_made_from_nothing(stage: Stage) -> None:
    grants = [access(ANALYSTS, "Member", "Group", "dev test"), access(BEN, "Viewer", environments="prod")]
    document = stage.done(provision(environments="dev test prod", access=grants, storageFormat="Small"))

    assert document["status"] == "succeeded"
    assert document["progress"] == {"done": 12, "of": 12}
    assert stage.members("FIN-Margin-DEV") == {ANA: "Admin", ANALYSTS: "Member"}
    assert stage.members("FIN-Margin-TEST") == {ANA: "Admin", ANALYSTS: "Member"}
    assert stage.members("FIN-Margin-PROD") == {ANA: "Admin", BEN: "Viewer"}
    assert [stage.workspace(f"FIN-Margin-{name}")["capacityId"] for name in ("DEV", "TEST", "PROD")] == [
        "",
        CAPACITY,
        CAPACITY,
    ]
    assert step(document, "test", "capacity")["status"] == "done"
    assert step(document, "dev", "capacity")["status"] == "skipped"
    assert stage.told() == ["provisioning.succeeded"]


def test_an_identical_second_request_changes_nothing(stage: Stage) -> None:
    body = provision(environments="dev test prod", access=[access(ANALYSTS, "Viewer", "Group")])
    first = stage.done(body)
    stage.forget()
    second = stage.done(body)

    assert second["status"] == "succeeded"
    assert second["id"] != first["id"]
    assert stage.mutating() == []
    assert len(stage.calls("GET")) == 6  # the workspace and its members, in each environment
    assert {each["status"] for each in second["environments"]["prod"]["access"]} == {"unchanged"}
    assert all(step["status"] == "skipped" for each in second["environments"].values() for step in each["steps"])


def test_the_same_key_answers_the_same_request_and_does_nothing(stage: Stage) -> None:
    first = stage.done(provision(requestId="margin-2026-11"))
    stage.forget()
    assert stage.submit(provision(requestId="margin-2026-11"))["id"] == first["id"]
    assert stage.submit(provision(), key="margin-2026-11")["status"] == "succeeded"
    assert stage.calls("GET", "POST") == []
    with pytest.raises(Ended):
        stage.submit(provision("FIN-Other", requestId="margin-2026-11"))
    assert stage.submit(provision("FIN-Other", requestId="margin-2026-11"), OTHER)["id"] != first["id"]


def test_a_user_whom_nobody_knows_is_a_warning_on_its_own_line(stage: Stage) -> None:
    document = stage.done(provision(access=[access(GHOST), access(BEN)]))
    assert document["status"] == "succeededWithWarnings"
    lines = {each["principal"]: each["status"] for each in document["environments"]["dev"]["access"]}
    assert lines == {ANA: "granted", GHOST: "failed", BEN: "granted"}
    assert GHOST in document["warnings"][0]
    assert stage.members("FIN-Margin-DEV") == {ANA: "Admin", BEN: "Viewer"}


def test_without_enough_owners_it_fails_and_is_taken_back(stage: Stage) -> None:
    document = stage.done(provision(owners=[GHOST]))
    assert (document["status"], document["error"]["code"]) == ("failed", "noOwners")
    assert document["error"]["step"] == "dev/access"
    assert stage.workspaces() == []
    assert document["cleanup"] == [{"what": document["cleanup"][0]["what"], "status": "undone", "remedy": ""}]
    assert stage.told() == ["provisioning.failed"]


def test_a_description_is_a_warning(stage: Stage) -> None:
    document = stage.done(provision(description="Margin reporting"))
    assert document["warnings"] == ["The description was not set: Power BI's API lets only administrators do that."]


# ---- capacity
def test_a_slow_assignment_is_waited_for_without_asking_often(stage: Stage) -> None:
    stage.cloud.change(switches={"capacityAssignment": "PT10M", "capacityPending": "PT1M"})
    document = stage.done(provision(environments="prod"))
    assert document["status"] == "succeeded"
    assert len(stage.calls("GET", path="CapacityAssignmentStatus")) < 60


def test_a_capacity_that_refuses_ends_in_undo_with_its_request_id(stage: Stage) -> None:
    stage.cloud.change(capacities={CAPACITY: {"rights": {OPERATIONS: None}}})
    document = stage.done(provision(environments="dev prod"))
    assert (document["status"], document["error"]["code"]) == ("failed", "capacityRefused")
    assert document["error"]["requestId"]
    assert document["error"]["step"] == "prod/capacity"
    assert stage.workspaces() == []
    assert [each["status"] for each in document["cleanup"]] == ["undone", "undone"]


def test_an_assignment_that_fails_ends_in_undo(stage: Stage) -> None:
    stage.cloud.change(capacities={CAPACITY: {"nextAssignment": "AssignmentFailed"}})
    document = stage.done(provision(environments="prod"))
    assert (document["status"], document["error"]["code"]) == ("failed", "capacityRefused")
    assert stage.workspaces() == []


def test_the_storage_format_is_set_on_a_capacity(stage: Stage) -> None:
    document = stage.done(provision(environments="test", storageFormat="Large"))
    assert document["status"] == "succeeded"
    assert stage.workspace("FIN-Margin-TEST")["storageFormat"] == "Large"


def test_a_workspace_that_shows_late_is_waited_for(stage: Stage) -> None:
    stage.cloud.change(switches={"workspaceAccessLag": "PT2M", "workspaceListLag": "PT2M"})
    document = stage.done(provision(environments="dev prod"))
    assert document["status"] == "succeeded"
    assert len(stage.workspaces()) == 2


# ---- names
@pytest.mark.parametrize("members", [(BEN,), (BEN, OPERATIONS), (OPERATIONS,)])
def test_a_strangers_workspace_is_not_touched(stage: Stage, members: tuple[str, ...]) -> None:
    id = stage.stranger("fin-margin-dev", *members)
    before = stage.cloud.state()["workspaces"][id]
    document = stage.done(provision())
    assert (document["status"], document["error"]["code"]) == ("failed", "nameTaken")
    assert stage.cloud.state()["workspaces"][id] == before
    assert document["cleanup"] == []


def test_only_an_administrator_adopts(stage: Stage) -> None:
    stage.stranger("FIN-Margin-DEV", BEN, OPERATIONS)
    with pytest.raises(NotAllowed, match=r"Provisioning\.Admin"):
        stage.submit(provision(adopt=True))
    document = stage.done(provision(adopt=True), ADMIN)
    assert document["status"] == "succeeded"
    assert document["environments"]["dev"]["created"] is False
    assert stage.members("FIN-Margin-DEV") == {BEN: "Admin", ANA: "Admin"}
    assert stage.done(provision(), ADMIN)["status"] == "succeeded"  # it is registered now


def test_undo_of_an_adopted_workspace_leaves_it_as_it_was(stage: Stage) -> None:
    stage.touch(capacities=["premium-eu"])
    stage.stranger("FIN-Margin-DEV", BEN, OPERATIONS, capacityId=CAPACITY)
    stage.stranger("FIN-Margin-TEST", BEN)
    before = stage.cloud.state()["workspaces"]
    body = provision(environments="dev test", adopt=True, access=[access(BEN, "Admin"), access(CHLOE)])
    document = stage.done(body, ADMIN)
    assert (document["status"], document["error"]["code"]) == ("failed", "nameTaken")
    stage.advance(MINUTE)
    now = stage.cloud.state()["workspaces"]
    for id, workspace in before.items():
        assert now[id]["members"] == workspace["members"]
        assert now[id]["capacityId"] == workspace["capacityId"]


def test_a_grant_that_existed_is_not_undone_and_a_raised_role_goes_back(stage: Stage) -> None:
    stage.stranger("FIN-Margin-DEV", BEN, OPERATIONS)
    id = stage.stranger("FIN-Margin-TEST", BEN)
    members = {CHLOE: {"right": "Viewer", "since": "2026-01-01T00:00:00Z"}}
    dev = stage.workspace("FIN-Margin-DEV")["id"]
    stage.cloud.change(workspaces={dev: {"members": members}})
    body = provision(
        environments="dev test",
        adopt=True,
        access=[access(CHLOE, "Member"), access(BEN, "Admin"), access(SELLERS, "Viewer", "Group")],
    )
    document = stage.done(body, ADMIN)
    assert document["status"] == "failed"
    assert stage.members("FIN-Margin-DEV") == {BEN: "Admin", CHLOE: "Viewer"}
    assert list(stage.cloud.state()["workspaces"][id]["members"]) == [BEN]


def test_a_workspace_that_was_deleted_is_made_again(stage: Stage) -> None:
    first = stage.done(provision())["environments"]["dev"]["workspaceId"]
    stage.cloud.change(workspaces={first: {"state": "Deleted", "members": None}})
    document = stage.done(provision())
    assert document["status"] == "succeeded"
    assert document["environments"]["dev"]["created"] is True
    assert document["environments"]["dev"]["workspaceId"] != first
    again = stage.done(provision())
    assert again["environments"]["dev"]["workspaceId"] == document["environments"]["dev"]["workspaceId"]


def test_a_workspace_that_we_were_shut_out_of_is_not_visible(stage: Stage) -> None:
    id = stage.done(provision())["environments"]["dev"]["workspaceId"]
    stage.cloud.change(workspaces={id: {"members": {OPERATIONS: None}}})
    document = stage.done(provision())
    assert (document["status"], document["error"]["code"]) == ("failed", "notVisible")
    assert len(stage.workspaces()) == 1


# ---- answers that are lost
def test_a_workspace_whose_creation_was_not_answered_is_taken_over(stage: Stage) -> None:
    stage.cloud.fault(POWER_BI, "/groups$", method="POST", drop="after")
    document = stage.done(provision())
    assert document["status"] == "succeeded"
    assert document["environments"]["dev"]["created"] == "uncertain"
    assert len(stage.workspaces("FIN-Margin-DEV")) == 1
    assert "createWorkspace found" in stage.audited()


def test_it_is_taken_over_though_it_shows_late_and_not_made_twice(stage: Stage) -> None:
    stage.cloud.change(switches={"workspaceListLag": "PT8M", "workspaceAccessLag": "PT8M"})
    stage.cloud.fault(POWER_BI, "/groups$", method="POST", drop="after")
    document = stage.done(provision())
    assert document["status"] == "succeeded"
    assert len(stage.workspaces("FIN-Margin-DEV")) == 1
    assert len(stage.calls("POST", path="/groups")) <= 3


def test_a_create_that_never_had_an_effect_is_sent_again_only_when_it_can_have_none(stage: Stage) -> None:
    stage.cloud.fault(POWER_BI, "/groups$", method="POST", drop="before")
    accepted = stage.submit(provision())
    began = stage.now()
    while not stage.workspaces():
        stage.deliver()
        assert stage.workspaces() == [] or stage.now() - began >= timedelta(minutes=5)
        stage.advance(timedelta(seconds=20))
    stage.settle()
    assert stage.provisioning.get(accepted["id"])["status"] == "succeeded"


def test_an_unanswered_create_of_a_name_that_stays_hidden_is_left_and_named(stage: Stage) -> None:
    stage.cloud.fault(POWER_BI, "/groups$", method="POST", drop="before")
    accepted = stage.submit(provision())
    stage.deliver()
    stage.stranger("FIN-Margin-DEV", BEN)
    stage.settle()
    document = stage.provisioning.get(accepted["id"])
    assert (document["status"], document["error"]["code"]) == ("failed", "notVisible")
    assert [(each["what"], each["status"]) for each in document["cleanup"]] == [("workspace FIN-Margin-DEV", "left")]


@pytest.mark.parametrize("used", ["members", "content"])
def test_what_others_use_is_never_taken_for_ours_after_a_lost_answer(stage: Stage, used: str) -> None:
    stage.cloud.fault(POWER_BI, "/groups$", method="POST", drop="before")
    accepted = stage.submit(provision())
    stage.deliver()
    id = stage.stranger("FIN-Margin-DEV", OPERATIONS, *([BEN] if used == "members" else []))
    if used == "content":
        report = {"name": "Mine", "workspaceId": id}
        stage.cloud.change(reports={str(uuid.uuid4()): report})
    stage.settle()
    document = stage.provisioning.get(accepted["id"])
    assert (document["status"], document["error"]["code"]) == ("failed", "nameTaken")
    assert stage.workspace("FIN-Margin-DEV")["id"] == id
    assert document["cleanup"][0]["status"] == "left"


def test_cancel_after_a_lost_answer_removes_what_shows_up_late(stage: Stage) -> None:
    stage.cloud.change(switches={"workspaceListLag": "PT4M"})
    stage.cloud.fault(POWER_BI, "/groups$", method="POST", drop="after")
    accepted = stage.submit(provision())
    stage.deliver()
    assert len(stage.workspaces()) == 1
    stage.provisioning.cancel(PORTAL, accepted["id"])
    stage.settle()
    document = stage.provisioning.get(accepted["id"])
    assert (document["status"], document["error"]["code"]) == ("cancelled", "cancelled")
    assert stage.workspaces() == []
    assert stage.told() == ["provisioning.cancelled"]


def test_grants_whose_answers_were_lost_are_not_given_twice(stage: Stage) -> None:
    stage.cloud.fault(POWER_BI, "/users$", method="POST", drop="after", skip=1)
    document = stage.done(provision(access=[access(BEN), access(CHLOE)]))
    assert document["status"] == "succeeded"
    assert {each["status"] for each in document["environments"]["dev"]["access"]} == {"granted"}
    assert len(stage.calls("POST", path="/users")) == 3


def test_a_deletion_whose_answer_was_lost_is_told_as_done(stage: Stage) -> None:
    stage.cloud.fault(POWER_BI, "/groups/", method="DELETE", drop="after")
    document = stage.done(provision(owners=[GHOST]))
    assert document["status"] == "failed"
    assert [each["status"] for each in document["cleanup"]] == ["undone"]
    assert stage.workspaces() == []


def test_content_that_somebody_put_into_it_meanwhile_is_not_deleted(stage: Stage) -> None:
    stage.cloud.change(switches={"capacityAssignment": "PT10M"})
    accepted = stage.submit(provision(environments="prod"))
    stage.deliver()
    id = stage.workspace("FIN-Margin-PROD")["id"]
    stage.cloud.change(reports={str(uuid.uuid4()): {"name": "Mine", "workspaceId": id}})
    stage.provisioning.cancel(PORTAL, accepted["id"])
    stage.settle()
    document = stage.provisioning.get(accepted["id"])
    assert document["status"] == "cancelled"
    assert [each["status"] for each in document["cleanup"]] == ["left"]
    assert stage.workspace("FIN-Margin-PROD")["id"] == id


# ---- access
def test_exact_removes_who_is_not_named_after_everybody_is_in(stage: Stage) -> None:
    stage.done(provision(access=[access(BEN, "Admin"), access(SELLERS, "Viewer", "Group")]))
    stage.forget()
    document = stage.done(provision(owners=[CHLOE], exact=True))
    assert document["status"] == "succeeded"
    assert stage.members("FIN-Margin-DEV") == {CHLOE: "Admin"}
    assert OPERATIONS in stage.workspace("FIN-Margin-DEV")["members"]
    assert [call.split()[0] for call in stage.mutating()] == ["POST", "DELETE", "DELETE", "DELETE"]
    removed = {each["principal"] for each in document["environments"]["dev"]["access"] if each["status"] == "removed"}
    assert removed == {ANA, BEN, SELLERS}


def test_many_strangers_are_removed_in_portions(stage: Stage) -> None:
    stage.done(provision())
    id = stage.workspace("FIN-Margin-DEV")["id"]
    people = {f"a9000000-0000-4000-8000-{number:012}": f"user{number}@contoso.com" for number in range(90)}
    stage.cloud.change(
        principals={id: {"kind": "User", "upn": upn} for id, upn in people.items()},
        workspaces={id: {"members": {upn: {"right": "Viewer", "since": ""} for upn in people.values()}}},
    )
    assert stage.done(provision(exact=True))["status"] == "succeeded"
    assert stage.members("FIN-Margin-DEV") == {ANA: "Admin"}


def test_access_is_granted_and_revoked(stage: Stage) -> None:
    stage.done(provision(environments="dev prod"))
    grant = {"operation": "grantAccess", "project": "FIN-Margin", "access": [access(BEN, "Viewer")]}
    document = stage.done(grant)
    assert document["status"] == "succeeded"
    assert stage.members("FIN-Margin-PROD") == {ANA: "Admin", BEN: "Viewer"}
    assert step(document, "test", "access")["status"] == "skipped"  # the project has no such environment

    revoke = {"operation": "revokeAccess", "project": "fin-margin", "access": [access(BEN, None, environments="prod")]}
    document = stage.done(revoke)
    assert document["environments"]["prod"]["access"][0]["status"] == "removed"
    assert stage.members("FIN-Margin-PROD") == {ANA: "Admin"}
    assert stage.members("FIN-Margin-DEV") == {ANA: "Admin", BEN: "Viewer"}


def test_the_last_owner_is_not_removed(stage: Stage) -> None:
    stage.done(provision())
    revoke = {"operation": "revokeAccess", "project": "FIN-Margin", "access": [access(ANA, None)]}
    document = stage.done(revoke)
    assert document["status"] == "succeededWithWarnings"
    assert "owners" in document["environments"]["dev"]["access"][0]["error"]
    assert stage.members("FIN-Margin-DEV") == {ANA: "Admin"}


def test_access_to_a_project_that_does_not_exist_fails(stage: Stage) -> None:
    document = stage.done({"operation": "grantAccess", "project": "FIN-None", "access": [access(BEN)]})
    assert (document["status"], document["error"]["code"]) == ("failed", "notVisible")
    stage.done(provision())
    grant = {"operation": "grantAccess", "project": "FIN-Margin", "access": [access(BEN, environments="prod")]}
    assert stage.done(grant)["error"]["code"] == "notVisible"


# ---- who may
def test_what_the_policy_does_not_allow_is_told_all_at_once_and_nothing_is_called(stage: Stage) -> None:
    body = provision("OPS-x y", "dev qa", owners=["eve@fabrikam.com"], access=[access(OPERATIONS, "Viewer", "App")])
    with pytest.raises(InvalidRequest) as refused:
        stage.submit(body)
    paths = {fault.path for fault in refused.value.faults}
    assert paths == {"project", "environments[1].name", "owners[0]", "access[0].principal"}
    assert stage.calls("GET", "POST") == []


def test_without_a_policy_nothing_may_be_asked_for(stage: Stage) -> None:
    stage.policy = None
    with pytest.raises(NotAllowed, match=r"policy\.yaml"):
        stage.submit(provision())


def test_a_project_belongs_to_the_client_that_created_it(stage: Stage) -> None:
    first = stage.done(provision())
    with pytest.raises(NotAllowed, match="belongs to another client"):
        stage.submit(provision(), OTHER)
    for act in (stage.provisioning.cancel, stage.provisioning.retry):
        with pytest.raises(NotAllowed):
            act(OTHER, first["id"])
    assert stage.done(provision(), ADMIN)["status"] == "succeeded"


def test_two_clients_that_want_one_project_at_once_do_not_share_it(stage: Stage) -> None:
    first, second = stage.submit(provision()), stage.submit(provision(), OTHER)
    stage.settle()
    assert stage.provisioning.get(first["id"])["status"] == "succeeded"
    document = stage.provisioning.get(second["id"])
    assert (document["status"], document["error"]["code"]) == ("failed", "forbidden")
    assert len(stage.workspaces()) == 1


# ---- one project at a time
def test_two_requests_for_one_project_come_one_after_the_other(stage: Stage) -> None:
    stage.cloud.change(switches={"capacityAssignment": "PT5M"})
    first = stage.submit(provision(environments="prod"))
    second = stage.submit(provision("fin-margin".upper().replace("MARGIN", "Margin"), "prod", access=[access(BEN)]))
    stage.deliver()
    stage.deliver()
    waiting = stage.provisioning.get(second["id"])
    assert (waiting["status"], waiting["waitingFor"]) == (
        "waiting",
        f"Waits for request {first['id']}, which works on the same project.",
    )
    stage.settle()
    assert stage.provisioning.get(second["id"])["status"] == "succeeded"
    assert stage.members("FIN-Margin-PROD") == {ANA: "Admin", BEN: "Viewer"}
    assert len(stage.workspaces()) == 1


def test_a_request_that_fails_hands_the_project_to_the_one_that_waits(stage: Stage) -> None:
    first, second = stage.submit(provision(owners=[GHOST])), stage.submit(provision())
    stage.settle()
    assert stage.provisioning.get(first["id"])["status"] == "failed"
    assert stage.provisioning.get(second["id"])["status"] == "succeeded"
    assert stage.members("FIN-Margin-DEV") == {ANA: "Admin"}


# ---- cancel and retry
def test_cancel_takes_back_what_was_made(stage: Stage) -> None:
    stage.cloud.change(switches={"capacityAssignment": "PT30M"})
    accepted = stage.submit(provision(environments="dev prod"))
    stage.deliver()
    assert len(stage.workspaces()) == 2
    assert stage.provisioning.cancel(PORTAL, accepted["id"])["cancelRequested"] is True
    stage.settle()
    assert stage.workspaces() == []
    with pytest.raises(Ended):
        stage.provisioning.cancel(PORTAL, accepted["id"])


def test_retry_begins_again_by_the_policy_of_now(stage: Stage) -> None:
    assert stage.policy is not None
    stage.change_policy(capacities={"premium-eu": str(uuid.uuid4())})
    failed = stage.done(provision(environments="prod"))
    assert failed["error"]["code"] == "capacityRefused"
    stage.change_policy(capacities={"premium-eu": CAPACITY})
    stage.provisioning.retry(PORTAL, failed["id"])
    stage.settle()
    document = stage.provisioning.get(failed["id"])
    assert (document["status"], document["error"]) == ("succeeded", None)
    assert stage.told() == ["provisioning.failed", "provisioning.succeeded"]
    with pytest.raises(Ended):
        stage.provisioning.retry(PORTAL, failed["id"])


# ---- guardrails
def test_mode_observe_makes_no_mutating_call(stage: Stage) -> None:
    stage.change_policy(mode="observe")
    document = stage.done(provision(environments="dev prod", storageFormat="Small", access=[access(BEN)]))
    assert document["status"] == "succeededWithWarnings"
    assert stage.mutating() == []
    assert len(document["warnings"]) == 8
    assert "creating 'FIN-Margin-DEV' was planned" in document["warnings"][0]
    stage.change_policy(mode="act")
    assert stage.done(provision(environments="dev prod"))["environments"]["dev"]["created"] is True


def test_mode_observe_leaves_what_exists_as_it_is(stage: Stage) -> None:
    stage.done(provision())
    stage.change_policy(mode="observe")
    stage.forget()
    document = stage.done(provision(access=[access(BEN)]))
    assert document["status"] == "succeededWithWarnings"
    assert stage.mutating() == []
    assert stage.members("FIN-Margin-DEV") == {ANA: "Admin"}


def test_what_lies_outside_touch_is_refused_before_it_is_sent(stage: Stage) -> None:
    accepted = stage.submit(provision(environments="prod"))
    stage.touch(name_prefixes=["HR-"])  # narrowed after it was accepted
    stage.settle()
    document = stage.provisioning.get(accepted["id"])
    assert (document["status"], document["error"]["code"]) == ("failed", "outsideTouch")
    assert stage.mutating() == []


def test_a_capacity_outside_touch_is_refused_and_what_was_made_is_taken_back(stage: Stage) -> None:
    accepted = stage.submit(provision(environments="prod"))
    stage.touch(capacities=[])
    stage.settle()
    assert stage.provisioning.get(accepted["id"])["error"]["code"] == "outsideTouch"
    assert [call.split()[0] for call in stage.mutating()] == ["POST", "DELETE"]
    assert stage.workspaces() == []


def test_the_plan_says_what_would_be_done_and_does_nothing(stage: Stage) -> None:
    stage.done(provision())
    stage.forget()
    before = dict(stage.workflows.rows)
    plan = stage.plan(provision(environments="dev prod", access=[access(BEN)], description="x"))
    assert stage.mutating() == []
    dev = [(each["name"], each["action"]) for each in plan["environments"]["dev"]["steps"]]
    prod = [(each["name"], each["action"]) for each in plan["environments"]["prod"]["steps"]]
    assert dev == [("access", "grant")]
    assert prod == [("workspace", "create"), ("capacity", "assign"), ("access", "grant"), ("access", "grant")]
    assert stage.workflows.rows == before


# ---- outages
def test_ten_minutes_without_power_bi_fail_nothing_and_poison_nothing(stage: Stage) -> None:
    stage.cloud.fault(POWER_BI, ".*", status=503, times=10_000, body="")
    accepted = stage.submit(provision(environments="dev prod"))
    until = stage.now() + timedelta(minutes=10)
    while stage.now() < until:
        stage.deliver()
        stage.triggers.sweep()
        stage.advance(timedelta(seconds=15))
    assert stage.provisioning.get(accepted["id"])["status"] == "waiting"
    stage.cloud.control("DELETE", "faults")
    stage.settle()
    assert stage.provisioning.get(accepted["id"])["status"] == "succeeded"
    assert stage.poisoned == []
    assert len(stage.workspaces()) == 2


def test_nothing_is_sent_before_retry_after_is_over(stage: Stage) -> None:
    stage.cloud.fault(POWER_BI, "/groups", method="GET", status=429, headers={"Retry-After": "600"})
    accepted = stage.submit(provision())
    stage.deliver()
    for _ in range(9):
        stage.advance(MINUTE)
        stage.triggers.sweep()
        stage.deliver()
    assert len(stage.calls("GET", "POST")) == 1
    stage.settle()
    assert stage.provisioning.get(accepted["id"])["status"] == "succeeded"


# ---- the queue
def message(body: object) -> bytes:
    import json

    return json.dumps(body).encode()


def test_a_message_is_a_request_of_the_client_queue(stage: Stage) -> None:
    import base64

    stage.queued.take(str(uuid.uuid4()), message(provision(requestId="from-queue-1")))
    stage.queued.take(str(uuid.uuid4()), base64.b64encode(message(provision(requestId="from-queue-1"))))
    stage.settle()
    (listed,) = stage.provisioning.list(Query())["value"]
    assert (listed["status"], listed["caller"]["clientId"]) == ("succeeded", "queue")
    with pytest.raises(NotAllowed):
        stage.submit(provision())


def test_the_same_message_delivered_twice_is_one_request(stage: Stage) -> None:
    id = str(uuid.uuid4())
    for _ in range(2):
        stage.queued.take(id, message(provision()))
    assert len(stage.provisioning.list(Query())["value"]) == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (message(provision(owners=["eve@fabrikam.com"], requestId="bad-queue-1")), "owners[0]"),
        (message({**provision(requestId="bad-queue-1"), "foo": 1}), "foo"),
        (message({"operation": "revokeAccess", "project": "FIN-Margin", "access": [access(BEN, None)]}), "operation"),
        (message(provision(adopt=True)), "Provisioning.Admin"),
        (b"not json", "not JSON"),
        (b'{"operation": "provision", "operation": "provision"}', "more than once"),
        (b"[]", "JSON object"),
    ],
)
def test_a_message_that_can_never_succeed_is_told_and_kept_with_the_reason(
    stage: Stage, body: bytes, said: str
) -> None:
    id = str(uuid.uuid4())
    for _ in range(2):
        stage.queued.take(id, body)
    (copy,) = stage.rejections()
    assert said in copy["reason"] + str(copy["errors"])
    document = stage.provisioning.get(copy["requestId"])
    assert (document["status"], document["error"]["code"]) == ("failed", "invalidRequest")
    assert said in document["error"]["message"]
    assert stage.told() == ["provisioning.failed"]
    assert stage.calls("GET", "POST") == []
    with pytest.raises((Ended, NotAllowed)):
        stage.provisioning.retry(ADMIN, copy["requestId"])


def test_a_message_waits_for_a_policy(stage: Stage) -> None:
    from shared.errors import Misconfigured

    stage.policy = None
    with pytest.raises(Misconfigured):
        stage.queued.take(str(uuid.uuid4()), message(provision()))
    assert stage.rejections() == []


def test_a_poisoned_message_is_kept_and_told(stage: Stage) -> None:
    stage.queued.poisoned(str(uuid.uuid4()), message(provision(requestId="poison-1")))
    (copy,) = stage.rejections()
    assert stage.provisioning.get(copy["requestId"])["error"]["code"] == "internal"


# ---- lists
def test_lists_page_newest_first_and_end(stage: Stage) -> None:
    ids = []
    for number in range(5):
        ids.append(stage.submit(provision(f"FIN-P{number % 2}"))["id"])
        stage.advance(timedelta(seconds=1))
    found, token = [], None
    for _ in range(9):
        page = stage.provisioning.list(
            read_query({"top": "2"} | ({"continuationToken": token} if token else {}), FILTERS)
        )
        found += [each["id"] for each in page["value"]]
        token = page["continuationToken"]
        if token is None:
            break
    assert found == ids[::-1]
    of_project = stage.provisioning.list(Query({"status": "accepted", "project": "fin-p1"}))
    assert [each["id"] for each in of_project["value"]] == [ids[3], ids[1]]
    assert of_project["continuationToken"] is None
    assert stage.provisioning.list(Query({"status": "failed"}))["value"] == []


def test_a_request_that_nobody_made_is_unknown(stage: Stage) -> None:
    for id in (str(uuid.uuid4()), "x", "../list", "list"):
        with pytest.raises(Unknown):
            stage.provisioning.get(id)
