"""Put the workspace on the capacity that it is to be on: asked for once, and then watched, for it takes its time."""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.errors import AppError, Forbidden, NotFound
from shared.powerbi.capacities import assign_to_capacity, assignment_status
from shared.powerbi.groups import get_group
from shared.provisioning.steps.common import (
    IDENTITY,
    Json,
    StepBase,
    changing,
    group_of,
    guarded,
    is_fresh,
    left,
    not_visible_yet,
    nothing_to_do,
    refusal,
    undone,
    without_workspace,
)
from shared.workflow.records import StepRow
from shared.workflow.steps import Act, Change, Done, Fail, Undone, UndoVerdict, Verdict, Wait, Work

ASSIGN = "assignCapacity"
MOVING = ("Pending", "InProgress")
FAILED = "AssignmentFailed"
LONGEST = timedelta(hours=2)
"""Microsoft names no limit; moving a large workspace takes minutes."""


class CapacityRefused(Forbidden):
    """The workspace shows, so it is the capacity that refuses."""


class CapacityStep(StepBase):
    """One workspace's capacity; an empty id means shared."""

    name = "capacity"

    # ---- forward
    def look(self, work: Work, row: StepRow) -> Json:
        """What the workspace step has just seen, unless there is or may be an assignment under way."""
        made = self.made(work)
        if not made.get("workspaceId"):
            return {"made": made}
        if row.attempts == 0 and (is_fresh(made) or made["capacityId"] == self.order.capacity_id):
            return {"made": made, "capacityId": made["capacityId"]}
        work.pace()
        transport, workspace_id = self.services.transport, made["workspaceId"]
        status = assignment_status(transport, workspace_id, identity=IDENTITY)
        seen = {"made": made, "capacityId": made["capacityId"], "status": status.status, "towards": status.capacity_id}
        if row.open and status.capacity_id == self.order.capacity_id:
            work.changed(Change(ASSIGN, self._told(made), "found"))  # where its answer was recorded, that stays
        if not row.open and status.status not in MOVING and status.capacity_id == self.order.capacity_id:
            work.pace()  # an earlier assignment: it may have ended a moment ago, or have been overtaken since
            seen["capacityId"] = get_group(transport, workspace_id, identity=IDENTITY).capacity_id
        return seen

    def _told(self, made: Json) -> str:
        group = group_of(made)
        return f"{group.name} ({group.id}) to {self.order.capacity_id or 'shared'}"

    def decide(self, row: StepRow, seen: Json, now: datetime) -> Verdict:
        """An assignment towards our capacity is waited for, whoever asked for it."""
        observed = without_workspace(seen["made"], f"assigning the capacity '{self.order.capacity_name}'")
        if observed is not None:
            return observed
        if seen.get("towards") == self.order.capacity_id and seen["status"] in MOVING:
            return self._watch(row, now)
        if row.open and seen.get("towards") == self.order.capacity_id:
            return self._come_to(row, seen)
        if seen["capacityId"] != self.order.capacity_id:
            return Act()
        where = f"on '{self.order.capacity_name}'" if self.order.capacity_id else "on shared capacity"
        return nothing_to_do({"capacityId": seen["capacityId"]}, f"It is {where} already.")

    def act(self, work: Work, row: StepRow, seen: Json) -> Verdict:
        """Ask for it. A refusal by a workspace that shows is about the capacity."""
        group = group_of(seen["made"])
        capacity_id, transport = self.order.capacity_id, self.services.transport
        try:
            changing(
                work,
                ASSIGN,
                self._told(seen["made"]),
                lambda: assign_to_capacity(transport, group, capacity_id, identity=IDENTITY),
            )
        except (Forbidden, NotFound) as error:
            if guarded(error, "", {}) is None and self.visible(work, group.id):
                raise CapacityRefused(error.detail, evidence=error.evidence) from error
            raise
        return self._watch(row, work.now())

    def refused(self, row: StepRow, error: Exception, now: datetime) -> Verdict:
        """Of a workspace that was made a moment ago the refusal may be about that."""
        assert isinstance(error, AppError)  # noqa: S101 - the engine hands over what services refused
        name = self.order.capacity_name
        judged = guarded(error, f"assigning the capacity '{name}' to '{self.order.workspace_name}'", {})
        if judged is not None:
            return judged
        if isinstance(error, Forbidden | NotFound) and not isinstance(error, CapacityRefused):
            return not_visible_yet(row, now, self.order.workspace_name, error)
        remedy = "Give this app's service principal the Assign right (Contributor) on the capacity"
        return refusal("capacityRefused", error, f"'{name}' was refused. {remedy}")

    def _come_to(self, row: StepRow, seen: Json) -> Verdict:
        """What our own assignment came to."""
        if seen["status"] == FAILED:
            remedy = "Look at the capacity in the Power BI admin portal: it may be paused or full."
            return Fail("capacityRefused", f"Moving the workspace to '{self.order.capacity_name}' failed. {remedy}")
        outcome = {"capacityId": self.order.capacity_id, "previous": row.seen.get("capacityId", "")}
        return Done(outcome, detail=f"It was moved to '{self.order.capacity_name}'.")

    def _watch(self, row: StepRow, now: datetime) -> Verdict:
        """Look again soon, and less often the longer it takes."""
        since = now - (row.attempted_at or row.started_at or now)
        if since > LONGEST:
            told = f"Moving the workspace to '{self.order.capacity_name}' did not end within {LONGEST}."
            return Fail("timedOut", told)
        seconds = 2.0 if since < timedelta(seconds=10) else 5.0 if since < timedelta(minutes=2) else 30.0
        return Wait(seconds, f"The workspace is being moved to '{self.order.capacity_name}'.")

    # ---- back
    def look_undo(self, work: Work, row: StepRow) -> Json:
        """Where the workspace is now; nothing is looked at where it goes away as a whole."""
        made = self.made(work)
        previous = row.seen.get("capacityId")
        if previous is None or made.get("created") is not False:
            return {}
        work.pace()
        group = get_group(self.services.transport, made["workspaceId"], identity=IDENTITY)
        return {"made": made, "previous": previous, "capacityId": group.capacity_id}

    def decide_undo(self, row: StepRow, seen: Json, now: datetime) -> UndoVerdict:  # noqa: ARG002 - see act_undo
        """A workspace that was there before goes back to where it was."""
        if not seen or (seen["capacityId"] == seen["previous"] and row.undo_attempts):
            return Undone()
        return Act()

    def act_undo(self, work: Work, row: StepRow, seen: Json) -> UndoVerdict:  # noqa: ARG002 - the engine's interface
        """Ask for it; the move itself is not waited for."""
        group, previous = group_of(seen["made"]), seen["previous"]
        transport = self.services.transport
        changing(
            work,
            ASSIGN,
            f"{group.name} ({group.id}) back to {previous or 'shared'}",
            lambda: assign_to_capacity(transport, group, previous, identity=IDENTITY),
        )
        return undone(f"capacity of {group.name}")

    def refused_undo(self, row: StepRow, error: Exception, now: datetime) -> UndoVerdict:  # noqa: ARG002
        """It stays where it is."""
        previous = row.seen.get("capacityId") or "shared capacity"
        return left(f"capacity of {self.order.workspace_name}", f"Put it back on {previous} by hand. {error}", "failed")
