"""What a request would do, found out by looking only."""

from __future__ import annotations

from typing import Any

from shared.errors import Forbidden, NotFound
from shared.powerbi.group_users import every_member
from shared.powerbi.groups import Group, find_group, get_group
from shared.provisioning.orders import Order
from shared.provisioning.planner import AccessFound, Found, FoundWorkspace, plan
from shared.provisioning.principals import Principal
from shared.provisioning.steps.common import IDENTITY, Services
from shared.workflow.records import Project

Json = dict[str, Any]


def planned(services: Services, order: Order, project: Project) -> Json:
    """One environment: the workspace if there is one, and each step with its reason. Makes GET calls only."""
    registered = project.environments.get(order.environment)
    group = _group(services, order, registered)
    found = Found()
    own = Principal("App", services.own_id())
    if group is not None:
        workspace = FoundWorkspace(group.id, group.name, group.capacity_id, group.storage_format)
        ours = registered is not None and registered["workspaceId"] == group.id
        found = Found(workspace, ours, AccessFound(_members(services, group.id)))
    steps = plan(order, found, own)
    return {
        "workspaceId": group.id if group else None,
        "workspaceName": group.name if group else order.workspace_name,
        "steps": [
            {"name": step.step, "action": step.action, "target": step.target, "reason": step.reason} for step in steps
        ],
    }


def _group(services: Services, order: Order, registered: Json | None) -> Group | None:
    """By the registry, else, where the request may create or adopt it, by name."""
    if registered is not None:
        try:
            return get_group(services.transport, registered["workspaceId"], identity=IDENTITY)
        except (Forbidden, NotFound):
            pass  # deleted, or hidden: the name decides
    if order.operation != "provision":
        return None
    return find_group(services.transport, order.workspace_name, identity=IDENTITY)


def _members(services: Services, workspace_id: str) -> dict[Principal, str]:
    members = every_member(services.transport, workspace_id, identity=IDENTITY)
    return {Principal(member.kind, member.identifier, member.profile_id): member.role for member in members}
