"""The provisioning service in this process: Power BI is emulated over the network, storage in memory, time in hand."""

from __future__ import annotations

import json
import os
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from emulator import seed
from shared.auth.own_identity import OwnIdentity
from shared.auth.tokens import AppTokens
from shared.powerbi.guardrails import Guard
from shared.powerbi.transport import Answer, Transport
from shared.provisioning.from_queue import QueuedRequests
from shared.provisioning.kinds import kinds
from shared.provisioning.outside import Told
from shared.provisioning.policy import PolicyDocument, read_policy_document
from shared.provisioning.request import ProvisioningRequest
from shared.provisioning.service import Provisioning
from shared.provisioning.steps.common import Services
from shared.settings import Settings
from shared.storage.audit import Audit
from shared.storage.events import Events
from shared.times import utc_now
from shared.validation import check
from shared.workflow.engine import Engine
from shared.workflow.store import Store, Tables
from shared.workflow.triggers import Triggers
from tests.cloud import PROJECT, Cloud
from tests.e2e.identities import Identities
from tests.doubles.storage import MemoryContainer, MemoryQueue, MemoryTable
from tests.doubles.taps import Tap, untapped

Json = dict[str, Any]

POWER_BI = "api.powerbi.com"
CAPACITY = seed.CAPACITIES[0].id
ANALYSTS, SELLERS = (group.object_id for group in seed.GROUPS)
APPS = {app.name: app for app in seed.APPLICATIONS}
OPERATIONS = APPS["operations"].object_id
ANA, BEN, CHLOE = "ana@contoso.com", "ben@contoso.com", "chloe@contoso.com"
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


class TappedTransport(Transport):
    """The transport, with the tap around each call."""

    tap: Tap = staticmethod(untapped)

    def call(self, operation: str, method: str, path: str, **more: Any) -> Answer:
        with self.tap(f"powerbi {operation}"):
            return super().call(operation, method, path, **more)


@dataclass
class Stage:
    """One deployment of the service against the emulated cloud."""

    cloud: Cloud
    offset: timedelta = timedelta(0)
    poisoned: list[bytes] = field(default_factory=list)
    tap: Tap = untapped
    """Wraps every storage operation and every call to Power BI."""
    before: Stage | None = None
    """Its tokens are used again: getting them is not what is tested."""

    def __post_init__(self) -> None:
        settings = Settings.from_env(os.environ)
        self.tokens: AppTokens = self.before.tokens if self.before else _tokens(settings)
        tokens = self.tokens
        self.policy: PolicyDocument | None = read_policy_document((PROJECT / "config/policy.yaml").read_bytes())
        self.transport = TappedTransport(settings.cloud, tokens, self.now, Guard(lambda: self.policy))
        self.transport.tap = self._tapped
        self.services = Services(self.transport, OwnIdentity(tokens, "operations"))
        self.workflows, self.open, self.projects, self.audit = (
            MemoryTable(name, self._tapped) for name in ("workflows", "open", "projects", "audit")
        )
        self.queue = MemoryQueue(self.now, self._tapped, "workflow-steps")
        self.events = MemoryQueue(self.now, self._tapped, "operations-events")
        self.requests, self.rejected = (MemoryContainer(name, self._tapped) for name in ("requests", "rejected"))
        self.store = Store(Tables(self.workflows, self.open, self.projects), self.requests)
        told = Told(Audit(self.audit), Events(self.events), self.now)
        self.engine = Engine(self.store, self.queue, told, kinds(self.services), self.now)
        self.provisioning = Provisioning(self.engine, self.services, lambda: self.policy)
        self.queued = QueuedRequests(self.provisioning, self.engine, self.rejected, self.now)
        self.triggers = Triggers(self.engine, self.queue, self.rejected)

    def _tapped(self, operation: str) -> AbstractContextManager[None]:
        return self.tap(operation)  # as it is by then

    # ---- time
    def now(self) -> datetime:
        return utc_now() + self.offset

    def advance(self, by: timedelta) -> None:
        """Time passes, here and at Power BI."""
        by = max(by, timedelta(milliseconds=1))
        self.offset += by
        self.cloud.control("POST", "clock", {"advance": f"PT{by.total_seconds():.3f}S"})

    # ---- what callers do
    def submit(self, body: Json, caller: Client = PORTAL, key: str | None = None) -> Json:
        return self.provisioning.submit(caller, check(ProvisioningRequest, body), key)

    def plan(self, body: Json, caller: Client = PORTAL) -> Json:
        return self.provisioning.submit(caller, check(ProvisioningRequest, body), dry_run=True)

    def done(self, body: Json, caller: Client = PORTAL, key: str | None = None) -> Json:
        """The status document at the end."""
        accepted = self.submit(body, caller, key)
        self.settle()
        return self.provisioning.get(accepted["id"])

    # ---- the host
    def deliver(self) -> bool:
        """Deliver what is visible, once; False if that is nothing. What a function raises poisons here at once."""
        visible = self.queue.visible()
        for message in visible:
            self.queue.sent.remove(message)
            try:
                self.triggers.go_on(message.body)
            except Exception:
                self.poisoned.append(message.body)
                raise
        return bool(visible)

    def settle(self, patience: timedelta = timedelta(hours=3)) -> None:
        """Until nothing is left to do; messages come when they are due, and the sweep each minute."""
        end = self.now() + patience
        while self.open.rows:
            if self.deliver():
                continue
            assert self.now() < end, "never comes to rest"
            due = min((message.visible_at for message in self.queue.sent), default=self.now() + timedelta(minutes=1))
            self.advance(min(due - self.now(), timedelta(minutes=1)))
            self.triggers.sweep()

    # ---- the policy
    def change_policy(self, **fields: Any) -> None:
        assert self.policy is not None
        self.policy = self.policy.model_copy(update=fields)

    def touch(self, **fields: Any) -> None:
        assert self.policy is not None
        self.change_policy(touch=self.policy.touch.model_copy(update=fields))

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
        found = self.cloud.calls(host=POWER_BI, path=path)
        return [call for call in found[getattr(self, "_seen", 0) if not path else 0 :] if call["method"] in methods]

    def mutating(self) -> list[str]:
        return [f"{call['method']} {call['path']}" for call in self.calls(*MUTATING)]

    def forget(self) -> None:
        """Calls up to now are not counted."""
        self._seen = len(self.cloud.calls(host=POWER_BI))

    # ---- what others are told
    def told(self) -> list[str]:
        return [message["type"] for message in self.events.messages()]

    def audited(self) -> list[str]:
        return [str(entity["decision"]) for entity, _ in self.audit.rows.values()]

    def rejections(self) -> list[Json]:
        return [json.loads(blob) for blob in self.rejected.blobs.values()]


def _tokens(settings: Settings) -> AppTokens:
    return Identities(settings, utc_now).tokens


def step(document: Json, environment: str, name: str) -> Json:
    """One step of a status document."""
    steps: list[Json] = document["environments"][environment]["steps"]
    return next(each for each in steps if each["name"] == name)
