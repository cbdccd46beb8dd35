"""A kind of workflow for tests: create a workspace, grant access to it; by the rules that real steps follow too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared.errors import Conflict, NotFound, Unavailable
from shared.workflow.records import Head, Json, Project, StepRow, StepStatus
from shared.workflow.steps import Act, Change, Done, Fail, Step, Undone, UndoVerdict, Verdict, Wait, Work
from tests.workflow.world import APP, CALL, LATEST_EFFECT, LATEST_VISIBLE, Request, World

SKEW = timedelta(minutes=1)
ANNOUNCED_BEFORE = timedelta(seconds=60)
"""A call begins no later than this after its announcement."""
SETTLED = ANNOUNCED_BEFORE + CALL + LATEST_EFFECT + SKEW
VISIBLE = SETTLED + LATEST_VISIBLE


def request(work: Work) -> Request:
    return Request(work.head.id, work.head.generation, work.head.owner)


@dataclass
class Parts:
    """What both steps know."""

    world: World
    workspace_name: str
    principal: str
    environment: str = "dev"


@dataclass
class CreateWorkspace(Parts):
    name: str = "workspace"

    def look(self, work: Work, row: StepRow) -> Json:
        work.pace()
        registered = work.project.environments.get(self.environment, {}).get("workspaceId", "")
        found = self.world.find(self.workspace_name)
        if found is None:
            return {}
        ours = set(found.members) <= {APP, self.principal}
        if row.open and ours:
            work.changed(Change("createWorkspace", self.workspace_name, "found", found.id))
        return {"id": found.id, "registered": found.id == registered, "oursAlone": ours}

    def decide(self, row: StepRow, seen: Json, now: datetime) -> Verdict:
        if seen and seen["registered"]:
            return Done({"id": seen["id"], "created": "before"}, StepStatus.SKIPPED)
        if seen and row.open and seen["oursAlone"]:
            return Done({"id": seen["id"], "created": "uncertain"})
        if seen:
            return Fail("nameTaken", "There is one that is not ours.")
        if row.open and row.attempted_at and now <= row.attempted_at + SETTLED:
            return Wait(30, "An earlier create may still take effect.")
        return Act()

    def act(self, work: Work, row: StepRow, seen: Json) -> Verdict:
        work.pace()
        try:
            id = self.world.create(self.workspace_name, request(work))
        except Unavailable as error:
            if error.effect_unknown:
                work.changed(Change("createWorkspace", self.workspace_name, "unknown"))
            raise
        work.changed(Change("createWorkspace", self.workspace_name, "done", id))
        return Done({"id": id, "created": "yes"})

    def refused(self, row: StepRow, error: Exception, now: datetime) -> Verdict:
        if not isinstance(error, Conflict):
            return Fail("forbidden", str(error))
        if not row.open or row.attempted_at is None:
            return Fail("nameTaken", "There is one that we can't see.")
        if now <= row.attempted_at + VISIBLE:
            return Wait(60, "Waits until it can be seen.")
        left = {"what": self.workspace_name, "status": "left", "remedy": "Look for it."}
        return Fail("notVisible", "It exists and can't be seen.", cleanup=(left,))

    def look_undo(self, work: Work, row: StepRow) -> Json:
        work.pace()
        known = row.outcome.get("id")
        found = self.world.read(known) if known else self.world.find(self.workspace_name) if row.open else None
        if found is None:
            if row.undo_attempts:
                work.changed(Change("deleteWorkspace", self.workspace_name, "found"))
            return {}
        registered = work.project.environments.get(self.environment, {}).get("workspaceId", "")
        ours = set(found.members) <= {APP, self.principal} and found.id != registered
        if row.open and ours:
            work.changed(Change("createWorkspace", self.workspace_name, "found", found.id))
        return {"id": found.id, "oursAlone": ours}

    def decide_undo(self, row: StepRow, seen: Json, now: datetime) -> UndoVerdict:
        created = row.outcome.get("created", "")
        if created == "before":
            return Undone()
        if seen and (created == "yes" or seen["oursAlone"]):
            return Act()
        if seen:
            return Undone(({"what": self.workspace_name, "status": "left", "remedy": "Not ours alone."},))
        if row.open and row.attempted_at and now <= row.attempted_at + VISIBLE:
            return Wait(60, "It may still appear.")
        return Undone()

    def act_undo(self, work: Work, row: StepRow, seen: Json) -> UndoVerdict:
        work.pace()
        self.world.delete(seen["id"], request(work))
        work.changed(Change("deleteWorkspace", self.workspace_name, "done"))
        return Undone(({"what": self.workspace_name, "status": "undone", "remedy": ""},))

    def refused_undo(self, row: StepRow, error: Exception, now: datetime) -> UndoVerdict:
        if isinstance(error, NotFound):
            return Undone()
        return Undone(({"what": self.workspace_name, "status": "failed", "remedy": str(error)},))


@dataclass
class GrantAccess(Parts):
    name: str = "access"

    def _workspace(self, work: Work) -> str:
        return str(work.outcomes[f"{self.environment}/workspace"].get("id", ""))

    def look(self, work: Work, row: StepRow) -> Json:
        work.pace()
        found = self.world.read(self._workspace(work))
        there = found is not None and self.principal in found.members
        if there and row.open and not row.seen.get("there"):
            work.changed(Change("grant", self.principal, "found"))
        return {"there": there}

    def decide(self, row: StepRow, seen: Json, now: datetime) -> Verdict:
        if not seen["there"]:
            return Act()
        added = row.open and not row.seen.get("there")
        return Done({"added": added}) if added else Done({"added": False}, StepStatus.SKIPPED)

    def act(self, work: Work, row: StepRow, seen: Json) -> Verdict:
        work.pace()
        self.world.add(self._workspace(work), self.principal, request(work))
        work.changed(Change("grant", self.principal, "done"))
        return Done({"added": True})

    def refused(self, row: StepRow, error: Exception, now: datetime) -> Verdict:
        return Fail("forbidden", str(error))

    def look_undo(self, work: Work, row: StepRow) -> Json:
        work.pace()
        found = self.world.read(self._workspace(work))
        there = found is not None and self.principal in found.members
        if row.open and there and not row.seen.get("there"):
            work.changed(Change("grant", self.principal, "found"))
        if row.undo_attempts and not there:
            work.changed(Change("revoke", self.principal, "found"))
        return {"id": found.id if found else "", "there": there}

    def decide_undo(self, row: StepRow, seen: Json, now: datetime) -> UndoVerdict:
        added = row.outcome.get("added") or (row.open and not row.seen.get("there"))
        if seen["there"] and added:
            return Act()
        if row.open and row.attempted_at and now <= row.attempted_at + SETTLED:
            return Wait(60, "It may still take effect.")
        return Undone()

    def act_undo(self, work: Work, row: StepRow, seen: Json) -> UndoVerdict:
        work.pace()
        self.world.remove(seen["id"], self.principal, request(work))
        work.changed(Change("revoke", self.principal, "done"))
        return Undone()

    def refused_undo(self, row: StepRow, error: Exception, now: datetime) -> UndoVerdict:
        return Undone(() if isinstance(error, NotFound) else ({"what": "grant", "status": "failed", "remedy": ""},))


class Provision:
    """The kind; tests change `versions` and override what they need."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.versions: Sequence[int] = (2, 1)

    def plan(self, head: Head, body: Json) -> Sequence[Step]:
        parts: dict[str, Any] = {
            "world": self.world,
            "workspace_name": f"{head.project}-DEV",
            "principal": body["principal"],
        }
        return [CreateWorkspace(**parts), GrantAccess(**parts)]

    def refusal(self, head: Head, project: Project, body: Json) -> Fail | None:
        if project.client and project.client != head.client:
            return Fail("forbidden", "The project belongs to another client.")
        return None

    def register(self, head: Head, project: Project, outcomes: Mapping[str, Json]) -> Json:
        made = {"workspaceId": outcomes["dev/workspace"]["id"], "workflow": head.id}
        return {**project.environments, "dev": made}
