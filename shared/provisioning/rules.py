"""A request against the policy: every fault with its field, the rule that it breaks and what is allowed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from shared.errors import Fault
from shared.provisioning.naming import LONGEST_NAME, SHORTEST_NAME, matches
from shared.provisioning.policy import SHARED, PolicyDocument
from shared.provisioning.principals import ADMIN
from shared.provisioning.request import (
    AccessGrant,
    AccessRevocation,
    AnyRequest,
    GrantAccessRequest,
    ProvisionRequest,
    environments_of,
    workspace_name,
)

_MOST_TOLD = 20

AccessEntry = AccessGrant | AccessRevocation


def broken_rules(request: AnyRequest, policy: PolicyDocument) -> list[Fault]:
    """Everything that the policy does not allow; empty if it may be done.

    Taking access away is never refused by a rule about who may have it.
    """
    if isinstance(request, ProvisionRequest):
        return [*_provision(request, policy)]
    if isinstance(request, GrantAccessRequest):
        return [*_grant_access(request, policy)]
    return [*_doubled(request.access, "access", list(policy.environments))]


def capacity_of(request: ProvisionRequest, environment: str, policy: PolicyDocument) -> str:
    """The name of the capacity for one environment: what was asked for, else the policy's default."""
    asked = next((entry.capacity for entry in request.environments if entry.name == environment), None)
    return asked or policy.environments[environment].capacities[0]


def _provision(request: ProvisionRequest, policy: PolicyDocument) -> Iterator[Fault]:
    known = [entry.name for entry in request.environments if entry.name in policy.environments]
    yield from _unknown_environments(request, policy)
    yield from _names(request.project, known, policy)
    if not (request.adopt and policy.touch.workspace_ids):  # one that is named by id is looked at when it is found
        yield from _prefixes(request.project, known, policy)
    yield from _capacities(request, policy)
    yield from _owners(request, policy)
    yield from _entries(request.access, policy, known, [entry.name for entry in request.environments])
    yield from _owners_twice(request)
    yield from _admins(request, known, policy)


def _grant_access(request: GrantAccessRequest, policy: PolicyDocument) -> Iterator[Fault]:
    known = list(policy.environments)
    if not policy.touch.workspace_ids:
        yield from _prefixes(request.project, environments_of(request, known), policy)
    yield from _entries(request.access, policy, known, known)


# ---- names and environments
def _unknown_environments(request: ProvisionRequest, policy: PolicyDocument) -> Iterator[Fault]:
    for number, entry in enumerate(request.environments):
        if entry.name not in policy.environments:
            yield Fault(f"environments[{number}].name", _one_of("The policy's environments", policy.environments))


def _names(project: str, environments: Sequence[str], policy: PolicyDocument) -> Iterator[Fault]:
    for name in (workspace_name(project, environment) for environment in environments):
        if not SHORTEST_NAME <= len(name) <= LONGEST_NAME:
            yield Fault("project", f"Workspace names have {SHORTEST_NAME} to {LONGEST_NAME} characters: '{name}'.")
        elif not matches(policy.naming, name):
            yield Fault("project", f"The workspace name '{name}' does not follow the naming rule {policy.naming}")


def _prefixes(project: str, environments: Sequence[str], policy: PolicyDocument) -> Iterator[Fault]:
    if any(not policy.touches_workspace("", workspace_name(project, name)) for name in environments):
        allowed = ", ".join(policy.touch.name_prefixes) or "none"
        yield Fault("project", f"This deployment may touch (touch.namePrefixes) only names that begin with: {allowed}.")


# ---- capacities
def _capacities(request: ProvisionRequest, policy: PolicyDocument) -> Iterator[Fault]:
    on_shared = []
    for number, entry in enumerate(request.environments):
        rule = policy.environments.get(entry.name)
        if rule is None:
            continue
        name = capacity_of(request, entry.name, policy)
        path = f"environments[{number}].capacity"
        if name not in rule.capacities:
            yield Fault(path, _one_of(f"Capacities of {entry.name}", rule.capacities))
        elif name != SHARED and not policy.touches_capacity(policy.capacities[name]):
            yield Fault(path, f"This deployment may not touch the capacity '{name}' (touch.capacities).")
        if name == SHARED:
            on_shared.append(entry.name)
    if request.storage_format == "Large" and on_shared:
        told = ", ".join(on_shared)
        yield Fault("storageFormat", f"Large needs a premium capacity in every environment; on shared: {told}.")


# ---- principals
def _owners(request: ProvisionRequest, policy: PolicyDocument) -> Iterator[Fault]:
    rules = policy.principals
    if len(request.owners) < rules.required_owners:
        yield Fault("owners", f"At least {rules.required_owners} must be named (principals.requiredOwners).")
    for number, owner in enumerate(request.owners):
        yield from _domain(f"owners[{number}]", owner, policy)


def _entries(
    access: Sequence[AccessGrant], policy: PolicyDocument, known: Sequence[str], allowed: Sequence[str]
) -> Iterator[Fault]:
    for number, entry in enumerate(access):
        path = f"access[{number}]"
        yield from _principal(f"{path}.principal", entry, policy)
        for place, environment in enumerate(entry.environments or []):
            if environment not in allowed:
                yield Fault(f"{path}.environments[{place}]", _one_of("Environments", allowed))
        for environment in entry.environments or known:
            rule = policy.environments.get(environment)
            if rule is not None and entry.role not in rule.roles:
                yield Fault(f"{path}.role", _one_of(f"Roles in {environment}", rule.roles))
    yield from _doubled(access, "access", allowed)


def _principal(path: str, entry: AccessGrant, policy: PolicyDocument) -> Iterator[Fault]:
    if entry.principal_type == "User":
        yield from _domain(path, entry.principal, policy)
    elif entry.principal not in policy.principals.allowed_object_ids:
        message = _one_of("Object ids that the policy allows", policy.principals.allowed_object_ids)
        yield Fault(path, message)


def _domain(path: str, user: str, policy: PolicyDocument) -> Iterator[Fault]:
    allowed = policy.principals.allowed_domains
    if not _domains(user) <= set(allowed):
        yield Fault(path, _one_of("Domains of users, and of guests' own addresses", allowed))


def _domains(user: str) -> set[str]:
    """The directory's, and of a guest (`eve_fabrikam.com#ext#@contoso.com`) also the one where it is at home."""
    name, _, directory = user.rpartition("@")
    home, guest, _ = name.partition("#ext#")
    return {directory, home.rpartition("_")[2]} if guest else {directory}


def _doubled(access: Sequence[AccessEntry], path: str, every: Sequence[str]) -> Iterator[Fault]:
    seen: set[tuple[str, str, str]] = set()
    for number, entry in enumerate(access):
        keys = {(entry.principal_type, entry.principal, name) for name in entry.environments or every}
        doubled = sorted(name for _, _, name in keys & seen)
        seen |= keys
        if doubled:
            yield Fault(f"{path}[{number}].principal", f"Named more than once in: {', '.join(doubled)}.")


def _owners_twice(request: ProvisionRequest) -> Iterator[Fault]:
    for number, entry in enumerate(request.access):
        if entry.principal_type == "User" and entry.principal in request.owners and entry.role != ADMIN:
            message = "Is an owner, and owners are Admin in every environment: leave this entry out."
            yield Fault(f"access[{number}].role", message)


def _admins(request: ProvisionRequest, environments: Sequence[str], policy: PolicyDocument) -> Iterator[Fault]:
    most = policy.principals.max_admins
    for environment in environments:
        admins = {("User", owner) for owner in request.owners}
        admins |= {
            (entry.principal_type, entry.principal)
            for entry in request.access
            if entry.role == ADMIN and environment in (entry.environments or environments)
        }
        if len(admins) > most:
            yield Fault("access", f"{len(admins)} Admins in {environment}; at most {most} (principals.maxAdmins).")


def _one_of(what: str, allowed: Iterable[str]) -> str:
    names = list(allowed)
    told = ", ".join(names[:_MOST_TOLD]) or "none"
    more = f" and {len(names) - _MOST_TOLD} more" if len(names) > _MOST_TOLD else ""
    return f"{what}: {told}{more}."
