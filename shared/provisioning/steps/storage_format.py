"""The default storage format of the workspace's datasets; only workspaces on a capacity have a choice."""

from __future__ import annotations

from datetime import datetime

from shared.errors import AppError
from shared.powerbi.groups import Group, get_group, set_storage_format
from shared.provisioning.steps.common import (
    IDENTITY,
    VISIBLE_WITHIN,
    Json,
    StepBase,
    changing,
    guarded,
    left,
    nothing_to_do,
    refusal,
    undone,
    without_workspace,
)
from shared.workflow.records import StepRow
from shared.workflow.steps import Act, Change, Done, Undone, UndoVerdict, Verdict, Wait, Work

SET = "setStorageFormat"
SMALL = "Small"


class StorageFormatStep(StepBase):
    """One workspace's storage format."""

    name = "storageFormat"

    # ---- forward
    def look(self, work: Work, row: StepRow) -> Json:
        """The workspace as it is now: its capacity has just been seen to."""
        made = self.made(work)
        if not made.get("workspaceId"):
            return {"made": made}
        if not self.order.capacity_id:
            return {"made": made, "shared": True, "format": SMALL}
        seen = {"made": made, **self._now(work, made)}
        if row.open and seen["format"] == self.order.storage_format:
            work.changed(Change(SET, self._told(made, self.order.storage_format), "found"))
        return seen

    def decide(self, row: StepRow, seen: Json, now: datetime) -> Verdict:
        """Nothing to do where it is as it should be; a capacity that does not show yet is waited for."""
        observed = without_workspace(seen["made"], f"setting the storage format {self.order.storage_format}")
        if observed is not None:
            return observed
        if seen["format"] == self.order.storage_format:
            if row.open:
                return Done({"format": seen["format"], "previous": row.seen.get("format", "")})
            return nothing_to_do({"format": seen["format"]}, f"It is {seen['format']} already.")
        if seen["shared"] and now - (row.started_at or now) < VISIBLE_WITHIN:
            return Wait(5.0, "The workspace does not show on its capacity yet.")
        return Act()

    def act(self, work: Work, row: StepRow, seen: Json) -> Verdict:
        """Set it."""
        self._set(work, seen, self.order.storage_format)
        previous = row.seen.get("format", "")
        return Done({"format": self.order.storage_format, "previous": previous}, detail=f"It was {previous}.")

    def refused(self, row: StepRow, error: Exception, now: datetime) -> Verdict:  # noqa: ARG002 - see look
        """A refusal is final."""
        assert isinstance(error, AppError)  # noqa: S101 - the engine hands over what services refused
        judged = guarded(error, f"setting the storage format of '{self.order.workspace_name}'", {})
        return judged or refusal("forbidden", error, "The storage format was refused")

    # ---- back
    def look_undo(self, work: Work, row: StepRow) -> Json:
        """What it is now; nothing is looked at where the workspace goes away as a whole."""
        made = self.made(work)
        if "format" not in row.seen or made.get("created") is not False:
            return {}
        return {"made": made, **self._now(work, made)}

    def decide_undo(self, row: StepRow, seen: Json, now: datetime) -> UndoVerdict:  # noqa: ARG002 - see look
        """A workspace that was there before gets back what it had, unless somebody has set it since."""
        return Act() if seen and seen["format"] == self.order.storage_format != row.seen["format"] else Undone()

    def act_undo(self, work: Work, row: StepRow, seen: Json) -> UndoVerdict:
        """Set it back."""
        self._set(work, seen, row.seen["format"])
        return undone(f"storage format of {self.order.workspace_name}")

    def refused_undo(self, row: StepRow, error: Exception, now: datetime) -> UndoVerdict:  # noqa: ARG002 - see look
        """It stays as it is."""
        remedy = f"Set it back to {row.seen.get('format') or SMALL} by hand. {error}"
        return left(f"storage format of {self.order.workspace_name}", remedy, "failed")

    def _now(self, work: Work, made: Json) -> Json:
        work.pace()
        group = get_group(self.services.transport, made["workspaceId"], identity=IDENTITY)
        return {"shared": not group.capacity_id, "format": group.storage_format or SMALL}

    def _told(self, made: Json, storage_format: str) -> str:
        return f"{made['workspaceName']} ({made['workspaceId']}) to {storage_format}"

    def _set(self, work: Work, seen: Json, storage_format: str) -> None:
        group = Group(seen["made"]["workspaceId"], seen["made"]["workspaceName"], "")
        transport = self.services.transport
        changing(
            work,
            SET,
            self._told(seen["made"], storage_format),
            lambda: set_storage_format(transport, group, storage_format, identity=IDENTITY),
        )
