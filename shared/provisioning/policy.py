"""`policy.yaml`: what this deployment may change at all, and what may be asked of it. Nothing accepted: nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from shared.errors import Fault
from shared.provisioning.naming import rule_fault
from shared.provisioning.principals import Role
from shared.provisioning.request import EnvironmentName
from shared.validation import Document, Guid, VersionedDocument, read_document

NAME = "policy.yaml"
"""Under which name operators upload it."""
SHARED = "shared"
"""What a request and the policy call the capacity of workspaces that are on none of their own."""

CapacityName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Domain = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$", max_length=253), AfterValidator(str.lower)]
Operation = Literal["provision", "grantAccess", "revokeAccess", "decommission"]


def _rule(value: str) -> str:
    fault = rule_fault(value)
    if fault:
        raise ValueError(fault)
    return value


class Touch(Document):
    """What this deployment may change at all; whatever is not named here is refused before it is sent."""

    capacities: list[Annotated[str, Field(min_length=1)]] = Field([], description="Names below `capacities`, or ids.")
    name_prefixes: list[Annotated[str, Field(min_length=1, max_length=100)]] = Field(
        [], description="Of workspaces' names, as they are written."
    )
    workspace_ids: list[Guid] = Field([], description="Workspaces besides, whatever they are called.")


class EnvironmentRule(Document):
    """What holds for one environment of every project."""

    capacity: CapacityName | Annotated[list[CapacityName], Field(min_length=1)] = Field(
        description="A name below `capacities`, or `shared`; of a list the first is the default, all may be asked for."
    )
    roles: Annotated[list[Role], Field(min_length=1)] = Field(
        description="That `access` may give. Owners become Admin all the same."
    )

    @property
    def capacities(self) -> list[str]:
        """All that may be asked for, the default first."""
        return [self.capacity] if isinstance(self.capacity, str) else self.capacity


class Principals(Document):
    """Who may be given access."""

    allowed_domains: list[Domain] = Field([])
    allowed_object_ids: list[Guid] = Field([], description="Of security groups and enterprise applications.")
    max_admins: Annotated[int, Field(ge=1, le=1000)] = Field(5, description="In one workspace, besides this app.")
    required_owners: Annotated[int, Field(ge=0, le=10)] = 1


class Limits(Document):
    """Thresholds of the governance report."""

    items_per_workspace: Annotated[int, Field(ge=1)] | None = None
    stale_after_days: Annotated[int, Field(ge=1)] | None = None


class Callbacks(Document):
    """Where a project's progress may be told."""

    allowed_hosts: list[Domain] = Field([])


class PolicyDocument(VersionedDocument):
    """policy.yaml as a whole."""

    mode: Literal["act", "observe"] = Field(
        "act", description="observe: nothing outside is changed; everything is planned and logged."
    )
    touch: Touch
    naming: Annotated[str, AfterValidator(_rule)] = Field(
        description="A regular expression for whole workspace names, as in FIN-Margin-DEV."
    )
    environments: Annotated[dict[EnvironmentName, EnvironmentRule], Field(min_length=1)]
    capacities: dict[CapacityName, Guid] = Field({}, description="Capacities' ids by the names used here.")
    principals: Principals
    clients: dict[str, list[Operation]] = Field(
        {}, description="`queue`: what messages in the queue provisioning-requests may ask for."
    )
    limits: Limits = Limits()
    callbacks: Callbacks = Callbacks()
    promotion: dict[str, Any] = Field({}, description="Read by promotion.")

    def capacity_id(self, name: str) -> str:
        """The id of a capacity by its name; empty for shared capacity. KeyError for a name that is not known."""
        return "" if name == SHARED else self.capacities[name]

    def touches_capacity(self, capacity_id: str) -> bool:
        """Whether workspaces may be put on that capacity."""
        named = {self.capacities.get(entry, entry.lower()) for entry in self.touch.capacities}
        return capacity_id.lower() in named

    def touches_workspace(self, workspace_id: str, name: str) -> bool:
        """Whether a workspace may be changed: it is named by id, or its name begins as it should."""
        if workspace_id and workspace_id.lower() in self.touch.workspace_ids:
            return True
        return any(name.startswith(prefix) for prefix in self.touch.name_prefixes)


def read_policy_document(raw: bytes) -> PolicyDocument:
    """The document, or InvalidRequest with every fault of form, or else of meaning, at once."""
    return read_document(NAME, PolicyDocument, raw, in_document=_contradictions)


def _contradictions(document: PolicyDocument) -> Iterator[Fault]:
    known = {SHARED, *document.capacities}
    if SHARED in document.capacities:
        yield Fault(f"capacities.{SHARED}", f"'{SHARED}' means no capacity of one's own: take another name.")
    for name, rule in document.environments.items():
        for capacity in rule.capacities:
            if capacity not in known:
                yield Fault(f"environments.{name}.capacity", f"Must be one of: {', '.join(sorted(known))}.")
    for number, entry in enumerate(document.touch.capacities):
        if entry not in document.capacities and not _is_id(entry, document.capacities):
            allowed = ", ".join(sorted(document.capacities)) or "none is defined under capacities"
            yield Fault(f"touch.capacities[{number}]", f"Must be a capacity's name or its id: {allowed}.")
    if document.principals.required_owners > document.principals.max_admins:
        yield Fault("principals.requiredOwners", "Must not be more than principals.maxAdmins: owners are Admins.")


def _is_id(entry: str, capacities: Mapping[str, str]) -> bool:
    return entry.lower() in capacities.values()
