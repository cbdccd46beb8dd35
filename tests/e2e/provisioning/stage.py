"""The provisioning service on a stage: requests as callers send them, and what is there at Power BI afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from emulator import seed
from shared.auth.own_identity import OwnIdentity
from shared.errors import Retryable
from shared.idempotency import Keys
from shared.provisioning.from_queue import QueuedRequests
from shared.provisioning.kinds import kinds
from shared.provisioning.outside import Told
from shared.provisioning.request import ProvisioningRequest
from shared.provisioning.service import Provisioning
from shared.provisioning.steps.common import Services
from shared.storage.audit import Audit
from shared.storage.events import Events
from shared.storage.queues import put_back
from shared.validation import check
from shared.workflow.engine import Engine
from shared.workflow.store import Store, Tables
from shared.workflow.triggers import Triggers
from tests.cloud import Cloud
from tests.doubles.clock import HOUR
from tests.doubles.storage import MemoryContainer, MemoryTable
from tests.doubles.taps import Tap, untapped
from tests.e2e.stage import Json, WorkingStage
from tests.seeded import ANA, OPERATIONS

GHOST = "ghost@contoso.com"
"""A user whom nobody knows."""
MUTATING = ("POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True)
class Client:
    """A verified caller."""

    client_id: str = "client-a"
    roles: frozenset[str] = frozenset({"Provisioning.Write"})
    kind: str = "application"
    object_id: str = "object-a"


PORTAL = Client()
OTHER = Client("client-b")
ADMIN = Client("client-c", frozenset({"Provisioning.Write", "Provisioning.Admin"}))


def provision(project: str = "FIN-Margin", environments: str = "dev", **more: Any) -> Json:
    """A request's body: `environments` by their names."""
    return {
        "operation": "provision",
        "project": project,
        "environments": [{"name": name} for name in environments.split()],
        "owners": [ANA],
        **more,
    }


def access(principal: str, role: str | None = "Viewer", kind: str = "User", environments: str = "") -> Json:
    """An entry of `access`."""
    entry: Json = {"principal": principal, "principalType": kind}
    if role:
        entry["role"] = role
    return entry | ({"environments": environments.split()} if environments else {})


class ProvisioningStage(WorkingStage):
    """One deployment of the service."""

    def __init__(self, cloud: Cloud, tap: Tap = untapped, before: ProvisioningStage | None = None) -> None:
        super().__init__(cloud, "workflow-steps", tap, before)
        self.services = Services(self.transport, OwnIdentity(self.tokens, "operations"))
        self.workflows, self.open, self.projects = (
            MemoryTable(name, self.tapped) for name in ("workflows", "open", "projects")
        )
        self.requests = MemoryContainer("requests", self.tapped)
        self.store = Store(Tables(self.workflows, self.open, self.projects), self.requests)
        told = Told(Audit(self.audit), Events(self.events), self.now)
        self.engine = Engine(self.store, self.queue, told, kinds(self.services), self.now)
        keys = Keys(MemoryTable("idempotency", self.tapped), self.now)
        self.provisioning = Provisioning(self.engine, self.services, lambda: self.policy, keys)
        self.queued = QueuedRequests(self.provisioning, self.engine, self.rejected, self.now)
        self.triggers = Triggers(self.engine, self.rejected, self.now)
        self._forgotten = 0

    def handle(self, message: bytes) -> None:
        try:
            self.triggers.go_on(message)
        except Retryable as error:
            put_back(self.queue, message, error)  # as the decorator of the function does

    def sweep(self) -> None:
        self.triggers.sweep()

    def settle(self, patience: timedelta = 3 * HOUR) -> None:
        """Until every request has ended."""
        self.until(lambda: not self.open.rows, patience)

    # ---- what callers do
    def submit(self, body: Json, caller: Client = PORTAL, key: str | None = None) -> Json:
        return self.provisioning.submit(caller, check(ProvisioningRequest, body), key)

    def plan(self, body: Json, caller: Client = PORTAL) -> Json:
        return self.provisioning.submit(caller, check(ProvisioningRequest, body), dry_run=True)

    def document(self, id: str) -> Json:
        return self.provisioning.get(id)

    def done(self, body: Json, caller: Client = PORTAL, key: str | None = None) -> Json:
        """The status document at the end."""
        accepted = self.submit(body, caller, key)
        self.settle()
        return self.provisioning.get(accepted["id"])

    # ---- what there is at Power BI
    def workspaces(self, name: str = "") -> list[Json]:
        """Active ones of that name, or all that are not seeded."""
        seeded = {workspace.id for workspace in seed.WORKSPACES}
        found = [each for each in self.cloud.state()["workspaces"].values() if each["state"] == "Active"]
        return [each for each in found if (each["name"] == name if name else each["id"] not in seeded)]

    def workspace(self, name: str) -> Json:
        (found,) = self.workspaces(name)
        return found

    def members(self, name: str) -> dict[str, str]:
        """Roles by UPN or object id, without our own."""
        members = self.workspace(name)["members"]
        return {key: member["right"] for key, member in members.items() if key != OPERATIONS}

    def stranger(self, name: str, *members: str, role: str = "Admin", **more: Any) -> str:
        """A workspace that somebody made by hand."""
        id = f"d5000000-0000-4000-8000-{len(self.cloud.state()['workspaces']):012}"
        since = "2026-01-01T00:00:00Z"
        rights = {member: {"right": role, "since": since} for member in members}
        self.cloud.change(workspaces={id: {"name": name, "members": rights, "created": since, **more}})
        return id

    def calls(self, *methods: str, path: str = "") -> list[Json]:
        """Calls to Power BI since the last reset, or since `forget`."""
        found = self.sent(path) if path else self.sent()[self._forgotten :]
        return [call for call in found if call["method"] in methods]

    def mutating(self) -> list[str]:
        return [f"{call['method']} {call['path']}" for call in self.calls(*MUTATING)]

    def forget(self) -> None:
        """Calls up to now are not counted."""
        self._forgotten = len(self.sent())


def step(document: Json, environment: str, name: str) -> Json:
    """One step of a status document."""
    steps: list[Json] = document["environments"][environment]["steps"]
    return next(each for each in steps if each["name"] == name)
