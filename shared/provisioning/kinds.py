"""The three operations as kinds of workflow: which steps, whose project, and what is registered at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shared.provisioning.orders import Order, orders
from shared.provisioning.request import OPERATIONS
from shared.provisioning.steps.access import AccessStep
from shared.provisioning.steps.capacity import CapacityStep
from shared.provisioning.steps.common import Services
from shared.provisioning.steps.storage_format import StorageFormatStep
from shared.provisioning.steps.workspace import WorkspaceStep
from shared.workflow.records import Head, Project
from shared.workflow.steps import Fail, Kind, Step

Json = dict[str, Any]

ADMIN_ROLE = "Provisioning.Admin"
VERSION = 1
"""Of the plans. A plan that has other steps, or the same in another order, is another version; the one before stays."""

STEPS: Mapping[str, Callable[[Services, Order], Step]] = {
    step.name: step for step in (WorkspaceStep, CapacityStep, StorageFormatStep, AccessStep)
}


class ProvisioningKind:
    """`provision`, `grantAccess` or `revokeAccess`."""

    versions: Sequence[int] = (VERSION,)

    def __init__(self, services: Services) -> None:
        self._services = services

    def plan(self, head: Head, body: Json) -> Sequence[Step]:  # noqa: ARG002 - the engine's interface
        """Environment by environment, as the request names them: the first is finished before the next is begun."""
        return [STEPS[name](self._services, order) for order in orders(body) for name in order.steps]

    def refusal(self, head: Head, project: Project, body: Json) -> Fail | None:
        """Asked at the workflow's turn: what came before it in the project may have changed the answer."""
        if not owns(head.client, head.caller.get("roles", ()), project):
            return Fail("forbidden", not_owner(project))
        if not project.environments and orders(body)[0].operation != "provision":
            return Fail("notVisible", f"This app has not created a project '{head.project}'.")
        return None

    def register(self, head: Head, project: Project, outcomes: Mapping[str, Json]) -> Json:
        """Workspaces that this request made or took over are the project's from now on; others stay as they are."""
        registered = dict(project.environments)
        for path, outcome in outcomes.items():
            environment, _, name = path.rpartition("/")
            if name != "workspace" or not outcome.get("workspaceId"):
                continue
            known = registered.get(environment, {})
            if known.get("workspaceId") == outcome["workspaceId"]:
                continue
            registered[environment] = {
                "workspaceId": outcome["workspaceId"],
                "workspaceName": outcome["workspaceName"],
                "created": outcome["created"],
                "workflow": head.id,
            }
        return registered


def kinds(services: Services) -> dict[str, Kind]:
    """The kinds by the names under which the engine knows them."""
    return {operation: ProvisioningKind(services) for operation in OPERATIONS}


def owns(client: str, roles: Sequence[str] | frozenset[str], project: Project) -> bool:
    """A project belongs to the client that created it; one that nobody has created yet, to whoever comes first."""
    return not project.client or project.client == client or ADMIN_ROLE in roles


def not_owner(project: Project) -> str:
    """Why a client may not touch it."""
    return f"The project '{project.name}' belongs to another client. This needs the app role '{ADMIN_ROLE}'."
