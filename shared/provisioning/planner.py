"""From wanted and found to steps with reasons, for the dry run's answer and for the steps' decisions. Pure.

Access is given before any is taken away: a workspace is never, not for a moment, without the people that it is to have.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from shared.provisioning.orders import Order
from shared.provisioning.principals import ADMIN, Grant, Principal, rank

GIVES = frozenset({"grant", "raise"})
TAKES = frozenset({"lower", "remove"})


@dataclass(frozen=True)
class FoundWorkspace:
    """A workspace as Power BI describes it."""

    id: str
    name: str
    capacity_id: str = ""
    storage_format: str = ""


@dataclass(frozen=True)
class AccessChange:
    """What is done about one principal. `keep` and `refuse` change nothing; a refusal is told to the caller."""

    action: Literal["grant", "raise", "lower", "remove", "keep", "refuse"]
    principal: Principal
    role: str
    """The one that it is to have, or keeps; empty for a removal."""
    before: str
    """The one that it has; empty if none."""
    reason: str


@dataclass(frozen=True)
class AccessWanted:
    """Who is to have access, and what else has to hold. `own`: this app's own service principal, never touched."""

    grants: Sequence[Grant]
    own: Principal
    revocations: Collection[Principal] = ()
    exact: bool = False
    required_owners: int = 0
    max_admins: int = 1000


@dataclass(frozen=True)
class AccessFound:
    """Members and their roles. Where not all are listed, the Admins among the others are counted."""

    roles: Mapping[Principal, str]
    other_admins: int = 0
    other_owners: int = 0
    """Of those, users and groups."""
    refused: Collection[Principal] = ()
    """Whom Power BI has just refused to give a role: nobody may lose access in their favour."""


def access_wanted(order: Order, own: Principal) -> AccessWanted:
    """What the order says about access."""
    return AccessWanted(order.grants, own, order.revocations, order.exact, order.required_owners, order.max_admins)


def plan_access(wanted: AccessWanted, found: AccessFound) -> tuple[AccessChange, ...]:
    """One entry for each principal that is wanted, revoked or (with `exact`) not wanted; takings come last."""
    gone = _unwanted(wanted, found)
    too_many = _too_many_admins(wanted, found, gone)
    gives = [_give(grant, wanted.own, found, too_many) for grant in wanted.grants]
    takes = [_take(principal, wanted, found.roles.get(principal, "")) for principal in gone]
    takes = [change for change in gives if change.action in TAKES] + takes
    return (*(change for change in gives if change.action not in TAKES), *_keeping_owners(takes, gives, wanted, found))


def owners(found: AccessFound, own: Principal) -> int:
    """How many users and groups are Admin."""
    return found.other_owners + sum(
        role == ADMIN and principal.is_people and principal != own for principal, role in found.roles.items()
    )


def _unwanted(wanted: AccessWanted, found: AccessFound) -> list[Principal]:
    """Whose access is to be taken away, in a fixed order: the revoked as they were named, and then strangers."""
    named = {grant.principal for grant in wanted.grants}
    revoked = [principal for principal in wanted.revocations if principal not in named]
    strangers = sorted(set(found.roles) - named - set(revoked) - {wanted.own}) if wanted.exact else []
    return [*revoked, *strangers]


def _give(grant: Grant, own: Principal, found: AccessFound, too_many: Collection[Principal]) -> AccessChange:
    principal, role, before = grant.principal, grant.role, found.roles.get(grant.principal, "")
    if principal == own:
        return AccessChange("refuse", principal, before, before, "This app's own access can't be changed.")
    if principal in too_many:
        reason = "There would be more Admins than the policy allows (principals.maxAdmins)."
        return AccessChange("refuse", principal, role, before, reason)
    if principal in found.refused:
        return AccessChange("refuse", principal, role, before, "Power BI refused it.")
    return AccessChange(_towards(role, before), principal, role, before, _why(role, before))


def _towards(role: str, before: str) -> Literal["keep", "grant", "raise", "lower"]:
    if before == role:
        return "keep"
    if not before:
        return "grant"
    return "raise" if rank(role) > rank(before) else "lower"


def _why(role: str, before: str) -> str:
    return {
        "keep": f"Is {role} already.",
        "grant": f"Has no access, and is to be {role}.",
        "raise": f"Is {before}, and is to be {role}.",
        "lower": f"Is {before}, and is to be no more than {role}.",
    }[_towards(role, before)]


def _take(principal: Principal, wanted: AccessWanted, before: str) -> AccessChange:
    if principal == wanted.own:
        return AccessChange("refuse", principal, before, before, "This app's own access can't be taken away.")
    if not before:
        return AccessChange("keep", principal, "", "", "Has no access.")
    reason = "Is to have no access any more." if principal in wanted.revocations else "Is not among those named."
    return AccessChange("remove", principal, "", before, reason)


def _too_many_admins(wanted: AccessWanted, found: AccessFound, gone: Sequence[Principal]) -> set[Principal]:
    """New Admins beyond what the policy allows, the last named first; who is Admin already stays."""
    named = {grant.principal: grant.role for grant in wanted.grants}
    after = {**found.roles, **named}
    admins = [principal for principal, role in after.items() if role == ADMIN and principal not in (wanted.own, *gone)]
    excess = len(admins) + found.other_admins - wanted.max_admins
    new = [principal for principal, role in named.items() if role == ADMIN and found.roles.get(principal) != ADMIN]
    return set(new[-excess:]) if excess > 0 and new else set()


def _keeping_owners(
    takes: Sequence[AccessChange], gives: Sequence[AccessChange], wanted: AccessWanted, found: AccessFound
) -> Iterator[AccessChange]:
    """The takings, but for those that would leave fewer owners than there have to be."""
    given = {change.principal: change.role for change in gives if change.action in GIVES}
    left = owners(replace(found, roles={**found.roles, **given}), wanted.own)
    for change in takes:
        is_owner = change.action in TAKES and change.before == ADMIN and change.principal.is_people
        if is_owner and left - 1 < wanted.required_owners:
            reason = f"Would leave fewer owners than the policy requires ({wanted.required_owners})."
            yield AccessChange("refuse", change.principal, change.before, change.before, reason)
            continue
        left -= is_owner
        yield change


# ---- the whole environment, for the dry run
@dataclass(frozen=True)
class Found:
    """One environment as it is."""

    workspace: FoundWorkspace | None = None
    ours: bool = False
    """The registry knows it."""
    access: AccessFound = field(default_factory=lambda: AccessFound({}))


@dataclass(frozen=True)
class PlannedStep:
    """One thing that would be done, or that stands in the way (`refuse`)."""

    step: str
    action: str
    target: str
    reason: str


def plan(order: Order, found: Found, own: Principal) -> tuple[PlannedStep, ...]:
    """Everything that would be done for one environment, in order; empty if it is as it should be."""
    workspace = found.workspace
    if workspace is None and order.operation != "provision":
        missing = "The project has no such environment, or its workspace is not visible to this app."
        return (PlannedStep("workspace", "refuse", order.workspace_name, missing),) if order.named else ()
    if workspace is not None and not (found.ours or order.adopt):
        taken = "A workspace of this name exists that this app did not create; adopt: true would take it over."
        return (PlannedStep("workspace", "refuse", order.workspace_name, taken),)
    return (*_workspace_steps(order, found), *_access_steps(order, found, own))


def _workspace_steps(order: Order, found: Found) -> Iterator[PlannedStep]:
    if order.operation != "provision":
        return
    if found.workspace is None:
        yield PlannedStep("workspace", "create", order.workspace_name, "There is none of this name.")
    elif not found.ours:
        yield PlannedStep("workspace", "adopt", order.workspace_name, "It exists, and was not created by this app.")
    workspace = found.workspace or FoundWorkspace("", order.workspace_name)
    if workspace.capacity_id != order.capacity_id:
        reason = f"It is on {workspace.capacity_id or 'shared capacity'}."
        yield PlannedStep("capacity", "assign", order.capacity_name, reason)
    if order.storage_format and (workspace.storage_format or "Small") != order.storage_format:
        reason = f"It is {workspace.storage_format or 'Small'}."
        yield PlannedStep("storageFormat", "set", order.storage_format, reason)


def _access_steps(order: Order, found: Found, own: Principal) -> Iterator[PlannedStep]:
    for change in plan_access(access_wanted(order, own), found.access):
        if change.action != "keep":
            target = f"{change.principal.id} ({change.principal.kind})"
            yield PlannedStep(
                "access", change.action, f"{target}: {change.role}" if change.role else target, change.reason
            )
