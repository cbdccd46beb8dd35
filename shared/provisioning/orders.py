"""What was accepted: the request with everything that the policy decided at that moment, as the workflow keeps it.

A policy that changes later changes nothing about an accepted request, except that the guardrails stop it. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shared.provisioning.policy import PolicyDocument
from shared.provisioning.principals import ADMIN, Grant, Principal, principal_of
from shared.provisioning.request import AnyRequest, ProvisionRequest, canonical, environments_of, workspace_name
from shared.provisioning.rules import capacity_of

Json = dict[str, Any]


@dataclass(frozen=True)
class Order:
    """What is wanted of one environment."""

    operation: str
    environment: str
    workspace_name: str
    capacity_id: str = ""
    """Empty for shared capacity."""
    capacity_name: str = ""
    storage_format: str = ""
    """Empty: as it is."""
    grants: tuple[Grant, ...] = ()
    """Owners first."""
    revocations: tuple[Principal, ...] = ()
    exact: bool = False
    adopt: bool = False
    named: bool = True
    """The request names the environment, rather than meaning whichever the project has."""
    required_owners: int = 0
    max_admins: int = 1000

    @property
    def steps(self) -> tuple[str, ...]:
        """The names of the steps, in the order in which they run.

        The storage format comes after the capacity: on shared capacity there is no choice.
        """
        if self.operation != "provision":
            return ("access",)
        return ("workspace", "capacity", *(("storageFormat",) if self.storage_format else ()), "access")


def accepted(request: AnyRequest, policy: PolicyDocument) -> Json:
    """The body of the workflow."""
    names = environments_of(request, list(policy.environments))
    return {"request": canonical(request), "orders": [_order(request, name, policy) for name in names]}


def orders(body: Mapping[str, Any]) -> list[Order]:
    """The orders of a body that `accepted` made."""
    return [_read(raw) for raw in body["orders"]]


def _order(request: AnyRequest, environment: str, policy: PolicyDocument) -> Json:
    rules = policy.principals
    order: Json = {
        "operation": request.operation,
        "environment": environment,
        "workspaceName": workspace_name(request.project, environment),
        "requiredOwners": rules.required_owners,
        "maxAdmins": rules.max_admins,
    }
    if isinstance(request, ProvisionRequest):
        capacity = capacity_of(request, environment, policy)
        order |= {
            "capacityId": policy.capacity_id(capacity),
            "capacityName": capacity,
            "storageFormat": request.storage_format or "",
            "exact": request.exact,
            "adopt": request.adopt,
        }
    else:
        order["named"] = any(environment in (entry.environments or []) for entry in request.access)
    return order | {"access": [[principal.key, role] for principal, role in _access(request, environment)]}


def _access(request: AnyRequest, environment: str) -> Iterator[tuple[Principal, str]]:
    """Principals with their roles, owners first; an owner that stands in `access` as well is told once."""
    owners = request.owners if isinstance(request, ProvisionRequest) else []
    for owner in owners:
        yield Principal("User", owner), ADMIN
    for entry in request.access:
        known = entry.principal_type == "User" and entry.principal in owners
        if not known and environment in (entry.environments or [environment]):
            yield Principal(entry.principal_type, entry.principal), entry.role or ""


def _read(raw: Mapping[str, Any]) -> Order:
    access = [(principal_of(key), role) for key, role in raw["access"]]
    revoking = raw["operation"] == "revokeAccess"
    return Order(
        operation=raw["operation"],
        environment=raw["environment"],
        workspace_name=raw["workspaceName"],
        capacity_id=raw.get("capacityId", ""),
        capacity_name=raw.get("capacityName", ""),
        storage_format=raw.get("storageFormat", ""),
        grants=() if revoking else tuple(Grant(principal, role) for principal, role in access),
        revocations=tuple(principal for principal, _ in access) if revoking else (),
        exact=raw.get("exact", False),
        adopt=raw.get("adopt", False),
        named=raw.get("named", True),
        required_owners=raw["requiredOwners"],
        max_admins=raw["maxAdmins"],
    )
