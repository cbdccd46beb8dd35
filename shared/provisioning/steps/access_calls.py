"""The calls of the access step, forward and back: one principal at a time, each told to the audit."""

from __future__ import annotations

from collections.abc import Callable

from shared.errors import AppError, Conflict, NotFound
from shared.powerbi.group_users import Member, add_member, every_member, remove_member, update_member
from shared.powerbi.groups import Group
from shared.provisioning.planner import AccessChange
from shared.provisioning.principals import Principal
from shared.provisioning.steps.common import IDENTITY, StepBase, changing
from shared.workflow.steps import Work

GRANT, CHANGE, REMOVE = "grantAccess", "changeRole", "removeAccess"
LONGEST_ERROR = 160
CHANGED = ("granted", "removed")
"""Results of a principal whose access was changed."""


class AccessCalls(StepBase):
    """Reads and changes a workspace's members."""

    def members(self, work: Work, workspace_id: str) -> dict[Principal, str]:
        """All members with their roles."""
        work.pace()
        found = every_member(self.services.transport, workspace_id, identity=IDENTITY)
        return {Principal(member.kind, member.identifier, member.profile_id): member.role for member in found}

    def send(self, work: Work, group: Group, change: AccessChange) -> str:
        """Carry out one change; answers the role that the principal had before."""
        if change.action == "remove":
            return self._remove(work, group, change)
        if change.action == "grant":
            return self._add(work, group, change)
        return self._update(work, group, change, change.before)

    def _add(self, work: Work, group: Group, change: AccessChange) -> str:
        """Where somebody was quicker, what there is now decides: the role that is wanted, or one to be changed."""
        member, transport = _member(change), self.services.transport
        try:
            changing(
                work, GRANT, told_of(group, change), lambda: add_member(transport, group, member, identity=IDENTITY)
            )
        except Conflict:
            now = self.members(work, group.id).get(change.principal, "")
            if not now:
                raise
            return now if now == change.role else self._update(work, group, change, now)
        return ""

    def _update(self, work: Work, group: Group, change: AccessChange, before: str) -> str:
        member, transport = _member(change), self.services.transport
        changing(
            work, CHANGE, told_of(group, change), lambda: update_member(transport, group, member, identity=IDENTITY)
        )
        return before

    def _remove(self, work: Work, group: Group, change: AccessChange) -> str:
        member, transport = _member(change), self.services.transport
        remove = _unless_gone(lambda: remove_member(transport, group, member, identity=IDENTITY))
        changing(work, REMOVE, told_of(group, change), remove)
        return change.before


def short(error: AppError) -> str:
    """A refusal for one line of the status document."""
    said = error.evidence.message or error.code or error.detail
    return f"Power BI refused it: {said}"[:LONGEST_ERROR]


def action_of(change: AccessChange) -> str:
    """How the change is called in the audit."""
    return {"grant": GRANT, "remove": REMOVE}.get(change.action, CHANGE)


def _member(change: AccessChange) -> Member:
    principal = change.principal
    return Member(principal.kind, principal.id, change.role, principal.profile)


def told_of(group: Group, change: AccessChange) -> str:
    """What was changed, for the audit."""
    return f"{group.name} ({group.id}): {change.principal.key} {change.role}".rstrip()


def _unless_gone(remove: Callable[[], str]) -> Callable[[], str]:
    """Taking away what is gone already is as good."""

    def send() -> str:
        try:
            return remove()
        except NotFound as error:
            return error.request_id

    return send
