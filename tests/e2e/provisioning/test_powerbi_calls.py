"""The calls that provisioning is made of, against the emulated Power BI."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest

from shared.auth.own_identity import object_id
from shared.errors import Conflict, Forbidden, Misconfigured, NotFound, Unavailable
from shared.powerbi.capacities import NO_CAPACITY, assign_to_capacity, assignment_status
from shared.powerbi.group_users import Member, add_member, every_member, remove_member, update_member
from shared.powerbi.groups import Group, create_group, every_group, find_group, get_group, holds_content
from shared.powerbi.guardrails import Target
from shared.powerbi.transport import path_of
from tests.e2e.provisioning.stage import ProvisioningStage
from tests.seeded import ANA, BEN, CAPACITY, OPERATIONS, POWER_BI

US = "operations"


@pytest.fixture
def made(stage: ProvisioningStage) -> Group:
    return create_group(stage.transport, "FIN-Made-DEV", identity=US)[0]


@pytest.mark.parametrize("page", [1, 2, 3, 4, 100])
def test_all_workspaces_are_found_whatever_the_page(stage: ProvisioningStage, page: int) -> None:
    for number in range(2):
        create_group(stage.transport, f"FIN-{number}", identity=US)
    names = [group.name for group in every_group(stage.transport, identity=US, page=page)]
    assert sorted(names) == ["FIN-0", "FIN-1", "Sales Analytics", "Shared Reference"]
    assert len(stage.calls("GET")) <= 4 // page + 1


def test_only_the_pages_that_are_needed_are_asked_for(stage: ProvisioningStage) -> None:
    next(every_group(stage.transport, identity=US, page=1))
    assert len(stage.calls("GET")) == 1


def test_a_workspace_is_found_by_name_whatever_its_case_and_quotes(stage: ProvisioningStage, made: Group) -> None:
    assert find_group(stage.transport, "fin-made-dev", identity=US) == made
    assert find_group(stage.transport, "FIN-Made", identity=US) is None
    assert find_group(stage.transport, "x' or name ne '", identity=US) is None
    stage.stranger("FIN-O'Neill", OPERATIONS)
    found = find_group(stage.transport, "fin-o'neill", identity=US)
    assert found is not None and found.name == "FIN-O'Neill"


def test_an_answer_that_can_not_be_read_leaves_the_effect_unknown(stage: ProvisioningStage) -> None:
    bodies: list[object] = ["oops", {"name": "x"}, []]
    for body in bodies:
        stage.cloud.fault(POWER_BI, "/groups$", method="POST", status=200, body=body)
        with pytest.raises(Unavailable) as odd:
            create_group(stage.transport, "FIN-X", identity=US)
        assert odd.value.effect_unknown


def test_members_are_added_changed_and_removed(stage: ProvisioningStage, made: Group) -> None:
    ben = Member("User", BEN, "Viewer")
    assert add_member(stage.transport, made, ben, identity=US)
    with pytest.raises(Conflict):
        add_member(stage.transport, made, ben, identity=US)
    update_member(stage.transport, made, replace(ben, role="Member"), identity=US)
    with pytest.raises(NotFound):
        update_member(stage.transport, made, Member("User", ANA, "Member"), identity=US)
    found = {member.identifier: member.role for member in every_member(stage.transport, made.id, identity=US, page=1)}
    assert found == {OPERATIONS: "Admin", BEN: "Member"}
    remove_member(stage.transport, made, ben, identity=US)
    with pytest.raises(NotFound):
        remove_member(stage.transport, made, ben, identity=US)


def test_a_workspace_moves_to_a_capacity_and_back(stage: ProvisioningStage, made: Group) -> None:
    assign_to_capacity(stage.transport, made, CAPACITY, identity=US)
    assert assignment_status(stage.transport, made.id, identity=US).capacity_id == CAPACITY
    assign_to_capacity(stage.transport, made, "", identity=US)
    assert assignment_status(stage.transport, made.id, identity=US).capacity_id == ""
    sent = [call["body"] for call in stage.calls("POST", path="AssignToCapacity")]
    assert sent == [{"capacityId": CAPACITY}, {"capacityId": NO_CAPACITY}]


def test_a_workspace_that_is_not_ours_is_refused(stage: ProvisioningStage) -> None:
    with pytest.raises(Forbidden):
        get_group(stage.transport, stage.stranger("FIN-Theirs", BEN), identity=US)


def test_content_is_seen(stage: ProvisioningStage, made: Group) -> None:
    assert not holds_content(stage.transport, made.id, identity=US)
    seeded = next(every_group(stage.transport, identity=US))
    assert holds_content(stage.transport, seeded.id, identity=US)


def test_nothing_but_a_get_is_sent_without_saying_what_it_changes(stage: ProvisioningStage) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        with pytest.raises(TypeError, match="does not say what it changes"):
            stage.transport.call("x.y", method, path_of("groups"), identity=US)
    stage.policy = None
    with pytest.raises(Misconfigured):
        stage.transport.call("x.y", "POST", path_of("groups"), identity=US, target=Target(workspace_name="FIN-X"))
    assert stage.calls("POST", "PUT", "PATCH", "DELETE") == []


def test_we_know_ourselves_by_our_token(stage: ProvisioningStage) -> None:
    assert stage.services.own_id() == OPERATIONS


@pytest.mark.parametrize("claims", [{}, {"oid": "me"}, {"oid": 1}, []])
def test_a_token_that_does_not_say_who_we_are_is_a_fault_of_the_deployment(claims: object) -> None:
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    for token in (f"x.{part}.y", "opaque", "", "a.b.c"):
        with pytest.raises(Misconfigured):
            object_id(token)
