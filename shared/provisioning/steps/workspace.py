"""Create the workspace, or take the one that is there: by the registry, by adoption, or because an answer was lost.

Power BI has no way to create a workspace under an id of ours, and may tell late what it made. So a create without an
answer is followed by looking for as long as it may still show, and what is found then is believed to be ours only where
nobody else can have used it.
"""

from __future__ import annotations

from datetime import datetime

from shared.errors import AppError, Conflict, Forbidden, NotFound
from shared.powerbi.group_users import every_member
from shared.powerbi.groups import Group, create_group, delete_group, find_group, get_group, holds_content
from shared.provisioning.principals import Principal, principal_of
from shared.provisioning.steps.common import (
    CALL_DEADLINE,
    IDENTITY,
    LATE_EFFECT,
    LATE_NAMES,
    LOOK_AGAIN,
    Json,
    StepBase,
    changing,
    guarded,
    left,
    nothing_to_do,
    refusal,
    undone,
)
from shared.workflow.records import StepRow
from shared.workflow.steps import Act, Change, Done, Fail, Undone, UndoVerdict, Verdict, Wait, Work

CREATE = "createWorkspace"
DELETE = "deleteWorkspace"
UNCERTAIN = "uncertain"


class Hidden(Conflict):
    """The registry knows it, it does not show, and its name is taken: so it is there."""


class WorkspaceStep(StepBase):
    """One workspace."""

    name = "workspace"

    # ---- forward
    def look(self, work: Work, row: StepRow) -> Json:
        """The registry is asked first, then Power BI by id, then by name; after a lost answer also whose it is."""
        registered = work.project.environments.get(self.environment)
        known = registered["workspaceId"] if registered else ""
        group = self.visible(work, known) if known else None
        if group is None:
            work.pace()
            group = find_group(self.services.transport, self.order.workspace_name, identity=IDENTITY)
        if group is None:
            return {"lost": bool(known)}
        seen: Json = {"registered": group.id == known, "group": _facts(group)}
        if row.open and not seen["registered"]:
            seen["ours"] = self._is_ours(work, group, set())
            if seen["ours"]:
                work.changed(Change(CREATE, self.order.workspace_name, "found"))  # named as its act: one row
        return seen

    def decide(self, row: StepRow, seen: Json, now: datetime) -> Verdict:
        """By what was seen, and by whether an earlier create may have had its effect."""
        facts = seen.get("group")
        if facts is None:
            return self._absent(row, now)
        if seen["registered"]:
            return nothing_to_do({**facts, "created": False}, "It exists.")
        if row.open and seen.get("ours"):
            return Done({**facts, "created": UNCERTAIN}, detail="Found after a create whose answer was lost.")
        if self.order.adopt:
            return nothing_to_do({**facts, "created": False}, "It existed, and was adopted.")
        return self._taken("is there already, and this app did not create it")

    def act(self, work: Work, row: StepRow, seen: Json) -> Verdict:  # noqa: ARG002 - the engine's interface
        """Create it; also where the registry knows one that does not show, for it may have been deleted."""
        made: list[Group] = []

        def send() -> str:
            group, request_id = create_group(self.services.transport, self.order.workspace_name, identity=IDENTITY)
            made.append(group)
            return request_id

        try:
            changing(work, CREATE, self.order.workspace_name, send)
        except Conflict as error:
            if seen.get("lost"):
                raise Hidden(error.detail, evidence=error.evidence) from error
            raise
        return Done({**_facts(made[0]), "created": True, "fresh": True}, detail="Created.")

    def refused(self, row: StepRow, error: Exception, now: datetime) -> Verdict:
        """`row.open`: a create before the refused call had no answer, so the name may be taken by ourselves."""
        assert isinstance(error, AppError)  # noqa: S101 - the engine hands over what services refused
        judged = guarded(error, f"creating '{self.order.workspace_name}'", {"workspaceName": self.order.workspace_name})
        if judged is not None:
            return judged
        if row.open:
            return self._wait_for_name(row, now, taken=isinstance(error, Conflict))
        if not isinstance(error, Conflict):
            return refusal("forbidden", error, f"The workspace '{self.order.workspace_name}' can't be created")
        if isinstance(error, Hidden):
            return self._hidden(row, now, error)
        return self._taken("belongs to a workspace that this app can't see", error.request_id)

    def _absent(self, row: StepRow, now: datetime) -> Verdict:
        """Nothing of that name shows. No create is sent while an earlier one may still have its effect."""
        if not row.open or row.attempted_at is None:
            return Act()
        if row.outcome.get("taken") or now < row.attempted_at + CALL_DEADLINE + LATE_EFFECT:
            return self._wait_for_name(row, now, taken=bool(row.outcome.get("taken")))
        return Act()

    def _wait_for_name(self, row: StepRow, now: datetime, *, taken: bool) -> Verdict:
        until = (row.attempted_at or now) + LATE_NAMES
        if now < until:
            why = f"A create of '{self.order.workspace_name}' had no answer; looking for the workspace."
            return Wait(LOOK_AGAIN, why, {**row.outcome, "taken": taken or bool(row.outcome.get("taken"))})
        name = self.order.workspace_name
        remedy = "Look for it as a Power BI administrator: give this app Admin on it, or delete it if it is empty."
        return Fail(
            "notVisible",
            f"A create of '{name}' had no answer, and the workspace could not be seen within "
            f"{LATE_NAMES.total_seconds() / 60:g} minutes, although it may exist.",
            cleanup=({"what": f"workspace {name}", "status": "left", "remedy": remedy},),
        )

    def _hidden(self, row: StepRow, now: datetime, error: Conflict) -> Verdict:
        """It may only show late, if it was made a moment ago."""
        if now < (row.started_at or now) + LATE_NAMES:
            return Wait(LOOK_AGAIN, f"'{self.order.workspace_name}' exists and is not visible to this app yet.")
        what = f"The workspace '{self.order.workspace_name}' exists, but this app has no access to it any more"
        return refusal("notVisible", error, what)

    def _taken(self, why: str, request_id: str = "") -> Fail:
        remedy = (
            "Take another project name; or make this app's service principal Admin of that workspace and send the "
            "request with adopt: true (role Provisioning.Admin)."
        )
        return Fail("nameTaken", f"The name '{self.order.workspace_name}' {why}. {remedy}", request_id)

    # ---- back
    def look_undo(self, work: Work, row: StepRow) -> Json:
        """The workspace that we made or may have made, and what is in it now."""
        if not _may_be_ours(row):
            return {}
        group = self._made_group(work, row)
        if group is None:
            return {"absent": True}
        added = self._added(work)
        certain = row.outcome.get("created") is True
        ours = self._is_empty(work, group) if certain else self._is_ours(work, group, added)
        return {"group": _facts(group), "ours": ours}

    def decide_undo(self, row: StepRow, seen: Json, now: datetime) -> UndoVerdict:
        """Only what we made, and only as long as nobody else has put anything into it."""
        if not seen:
            return Undone()
        if seen.get("absent"):
            return self._absent_undo(row, now)
        if seen["ours"]:
            return Act()
        if row.outcome.get("created") is True:
            remedy = "It holds content that somebody put into it meanwhile. Delete it by hand if that is not needed."
        else:
            remedy = "It can't be told whether this app made it, for others use it. Look at it, and delete it if not."
        return left(f"workspace {_told(_group(seen['group']))}", remedy)

    def act_undo(self, work: Work, row: StepRow, seen: Json) -> UndoVerdict:  # noqa: ARG002 - the engine's interface
        """Delete it."""
        group = _group(seen["group"])
        changing(work, DELETE, _told(group), lambda: delete_group(self.services.transport, group, identity=IDENTITY))
        return undone(f"workspace {_told(group)}")

    def refused_undo(self, row: StepRow, error: Exception, now: datetime) -> UndoVerdict:
        """What can't be looked at or deleted is left, and named."""
        assert isinstance(error, AppError)  # noqa: S101 - see `refused`
        if isinstance(error, Forbidden | NotFound) and self._may_show_later(row, now):
            return Wait(LOOK_AGAIN, "The workspace to be deleted is not visible yet.")
        remedy = f"Delete it by hand if it is empty. {error.detail}"
        return left(f"workspace {row.outcome.get('workspaceName') or self.order.workspace_name}", remedy, "failed")

    def _absent_undo(self, row: StepRow, now: datetime) -> UndoVerdict:
        if row.undo_attempts:  # it was there, and our delete had its effect
            return undone(f"workspace {row.outcome.get('workspaceName') or self.order.workspace_name}")
        if self._may_show_later(row, now):
            return Wait(LOOK_AGAIN, "Looking for a workspace that may have been created.")
        if row.cleanup:
            return Undone()  # told when the step failed
        if row.outcome.get("taken"):
            remedy = "Its name is taken, but it never showed. Look for it as a Power BI administrator."
            return left(f"workspace {self.order.workspace_name}", remedy)
        return Undone()

    def _may_show_later(self, row: StepRow, now: datetime) -> bool:
        return now < (row.attempted_at or now) + LATE_NAMES

    def _made_group(self, work: Work, row: StepRow) -> Group | None:
        work.pace()
        transport = self.services.transport
        if "workspaceId" not in row.outcome:
            return find_group(transport, self.order.workspace_name, identity=IDENTITY)
        try:
            return get_group(transport, row.outcome["workspaceId"], identity=IDENTITY)
        except (Forbidden, NotFound):
            return None

    # ---- whose it is
    def _is_ours(self, work: Work, group: Group, added: set[Principal]) -> bool:
        """Nobody but us, and those whom this request added, is in it, and there is nothing in it."""
        work.pace()
        own = Principal("App", self.services.own_id())
        members = every_member(self.services.transport, group.id, identity=IDENTITY)
        found = {Principal(member.kind, member.identifier, member.profile_id) for member in members}
        return found <= {own, *added} and self._is_empty(work, group)

    def _is_empty(self, work: Work, group: Group) -> bool:
        work.pace()
        return not holds_content(self.services.transport, group.id, identity=IDENTITY)

    def _added(self, work: Work) -> set[Principal]:
        """Those whom this request added."""
        results = work.outcomes.get(f"{self.environment}/access", {}).get("results", [])
        return {principal_of(entry["key"]) for entry in results if entry["status"] == "granted" and not entry["before"]}


def _may_be_ours(row: StepRow) -> bool:
    if row.outcome.get("observed"):
        return False
    return row.outcome.get("created") in (True, UNCERTAIN) if "workspaceId" in row.outcome else row.open


def _facts(group: Group) -> Json:
    return {
        "workspaceId": group.id,
        "workspaceName": group.name,
        "capacityId": group.capacity_id,
        "storageFormat": group.storage_format,
    }


def _group(facts: Json) -> Group:
    return Group(facts["workspaceId"], facts["workspaceName"], facts["capacityId"], facts["storageFormat"])


def _told(group: Group) -> str:
    return f"{group.name} ({group.id})"
