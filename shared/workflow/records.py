"""What the engine keeps: one head for each workflow, one row for each step that has begun, one row for each project.

Rows are values: a change makes a new one, and the store writes it only if nobody wrote in between (`etag`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

Json = dict[str, Any]

BROKEN: Json = {
    "code": "internal",
    "message": "The request could not be carried out because of a fault of this app; what was made is taken back. "
    "Quote the correlation id to the platform team.",
    "step": "",
    "requestId": "",
}
"""The error of a workflow that strikes turned round."""


MOST_ACTS = 20
"""How many repeats of acts a head knows by itself; those before them have long been noted elsewhere."""


class Status(StrEnum):
    """A workflow's status, in the words of the status document."""

    ACCEPTED = "accepted"
    RUNNING = "running"
    WAITING = "waiting"
    CLEANING_UP = "cleaningUp"
    SUCCEEDED = "succeeded"
    SUCCEEDED_WITH_WARNINGS = "succeededWithWarnings"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL = frozenset({Status.SUCCEEDED, Status.SUCCEEDED_WITH_WARNINGS, Status.FAILED, Status.CANCELLED})


@dataclass(frozen=True)
class Head:
    """One workflow. `turn` numbers its invocations: a message for another turn is stale.

    `due` is when somebody should look at it if nobody did; `lease_until` with `owner` is who works on it and how long.
    `generation` counts the retries after a failure: step rows of an earlier one are history.
    `strikes` weighs the invocations in this direction that broke or died since a step last got through.
    """

    id: str
    kind: str
    project: str
    client: str
    """The verified client application's id, or `queue`."""
    caller: Json
    body_hash: str
    """Of what was asked for: equal requests under one key are one."""
    plan_version: int
    correlation_id: str
    created_at: datetime
    due: datetime
    updated_at: datetime
    body_key: str = ""
    """Under which key the request lies, as it was accepted; empty for one that never was."""
    status: Status = Status.ACCEPTED
    why: str = ""
    """Why it waits."""
    turn: int = 1
    generation: int = 1
    undo: bool = False
    cancel_requested: bool = False
    owner: str = ""
    lease_until: datetime | None = None
    rests_until: datetime | None = None
    """A service said that it must not be asked before; nothing wakes the workflow until then."""
    strikes: int = 0
    error: Json | None = None
    acts: tuple[str, ...] = ()
    """Ids of the latest cancels and retries that had their effect: so that a repeat of one is known as such, even if
    whoever carried it out died before it could be noted anywhere else."""
    etag: str = field(default="", compare=False)

    @property
    def final(self) -> bool:
        """Nothing is left to do but to give the project back."""
        return self.status in FINAL

    def held(self, now: datetime, grace: timedelta) -> bool:
        """Somebody may still be at work; clocks differ, so a lease counts until `grace` after its end."""
        return bool(self.owner) and self.lease_until is not None and now <= self.lease_until + grace

    def claimed(self, owner: str, now: datetime, lease: timedelta, grace: timedelta) -> Head:
        """`owner` works on it now."""
        until = now + lease
        status = Status.CLEANING_UP if self.undo else Status.RUNNING
        return replace(
            self,
            owner=owner,
            lease_until=until,
            rests_until=None,
            due=until + grace,
            status=status,
            why="",
            updated_at=now,
        )

    def released(self, now: datetime, delay: timedelta, why: str, *, rests: bool = False) -> Head:
        """Put down for `delay`; the next invocation is the next turn. `rests`: nothing may wake it before."""
        return replace(self.put_down(now, delay, why), turn=self.turn + 1, rests_until=now + delay if rests else None)

    def put_down(self, now: datetime, delay: timedelta, why: str) -> Head:
        """Nobody works on it any more; the same message may go on with it."""
        status = Status.CLEANING_UP if self.undo else Status.WAITING
        return replace(self, owner="", lease_until=None, due=now + delay, status=status, why=why, updated_at=now)

    def struck(self, now: datetime, weight: int, limit: int) -> Head:
        """An invocation broke or died; at the limit the workflow is turned round."""
        strikes = self.strikes + weight
        return self.turned_round(now, BROKEN) if strikes >= limit and not self.undo else replace(self, strikes=strikes)

    def turned_round(self, now: datetime, error: Json) -> Head:
        """From now on what was made is taken back; the first error is the one that is told."""
        return replace(
            self,
            undo=True,
            strikes=self.strikes if self.undo else 0,
            error=self.error or error,
            status=Status.CLEANING_UP,
            updated_at=now,
        )

    def ended(self, now: datetime, status: Status) -> Head:
        """Final."""
        return replace(self, owner="", lease_until=None, status=status, why="", updated_at=now)

    def acted(self, act: str) -> Head:
        """With the id of a cancel or retry that has its effect in the same write; without one (no key) as it is."""
        return replace(self, acts=(*self.acts, act)[-MOST_ACTS:]) if act else self

    def restarted(self, now: datetime, plan_version: int, body_key: str) -> Head:
        """After a failure, from the beginning, by the current plan."""
        return replace(
            self,
            body_key=body_key,
            status=Status.ACCEPTED,
            plan_version=plan_version,
            turn=self.turn + 1,
            generation=self.generation + 1,
            undo=False,
            cancel_requested=False,
            rests_until=None,
            strikes=0,
            error=None,
            due=now,
            updated_at=now,
        )


class StepStatus(StrEnum):
    """A step's status, in the words of the status document; a row that does not exist is `pending`."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"
    UNDONE = "undone"


@dataclass(frozen=True)
class StepRow:
    """The journal of one step.

    `open`: an act was announced and its answer is not recorded, so it may have had its effect: *unknown*, not *not
    done*. `seen` is what was there before the first act, `outcome` what the step knows of what it made, with
    `warnings` and `error` where there are any.
    """

    key: str
    status: StepStatus = StepStatus.PENDING
    attempts: int = 0
    open: bool = False
    attempted_at: datetime | None = None
    """When the last act that may have had an effect was announced."""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    seen: Json = field(default_factory=dict)
    outcome: Json = field(default_factory=dict)
    detail: str = ""
    undo_attempts: int = 0
    """How often taking back was announced: from then on it may have had its effect."""
    taken_back: bool = False
    """The undo is through with it."""
    cleanup: tuple[Json, ...] = ()
    etag: str = field(default="", compare=False)

    @property
    def ended(self) -> bool:
        """Nothing more to do in the forward direction."""
        return self.status in (StepStatus.DONE, StepStatus.SKIPPED)

    @property
    def to_undo(self) -> bool:
        """It may have changed something outside that nobody has taken back; an act that was refused has not."""
        return self.attempts > 0 and (self.open or self.ended) and not self.taken_back

    def announced(self, now: datetime, seen: Json) -> StepRow:
        """An act begins now. What was there before is kept from the first act that may have had an effect."""
        return replace(
            self,
            status=StepStatus.RUNNING,
            open=True,
            attempts=self.attempts + 1,
            attempted_at=now,
            started_at=self.started_at or now,
            seen=self.seen if self.open else seen,
        )

    def without_effect(self, before: StepRow) -> StepRow:
        """The act that was announced was refused or never sent: what is unknown is what was unknown `before`."""
        return replace(self, open=before.open, attempted_at=before.attempted_at, seen=before.seen)

    def taking_back(self) -> StepRow:
        """An act of the undo begins now."""
        return replace(self, undo_attempts=self.undo_attempts + 1)

    def waiting(self, now: datetime, why: str, outcome: Json | None) -> StepRow:
        """Nothing to do for now."""
        return replace(
            self,
            status=StepStatus.WAITING,
            started_at=self.started_at or now,
            detail=why,
            outcome=self.outcome if outcome is None else outcome,
        )

    def done(self, now: datetime, status: StepStatus, outcome: Json, detail: str) -> StepRow:
        """It has what it wanted."""
        return replace(
            self,
            status=status,
            open=False,
            started_at=self.started_at or now,
            ended_at=now,
            outcome=outcome,
            detail=detail,
        )

    def failed(self, now: datetime, error: Json, outcome: Json | None, cleanup: tuple[Json, ...]) -> StepRow:
        """It can't be done; the error is kept until the head has it."""
        kept = self.outcome if outcome is None else outcome
        return replace(
            self,
            status=StepStatus.FAILED,
            started_at=self.started_at or now,
            ended_at=now,
            outcome={**kept, "error": error},
            detail=str(error["message"]),
            cleanup=cleanup,
        )

    def undone(self, now: datetime, cleanup: tuple[Json, ...]) -> StepRow:
        """The undo is through with it; a step that had failed stays a failed one."""
        status = StepStatus.FAILED if self.status is StepStatus.FAILED else StepStatus.UNDONE
        return replace(
            self, status=status, open=False, taken_back=True, ended_at=now, cleanup=(*self.cleanup, *cleanup)
        )


@dataclass(frozen=True)
class Reserved:
    """A place in the line that a workflow will take when it begins."""

    id: str
    since: datetime


@dataclass(frozen=True)
class Project:
    """The workflows that want a project, first come first, and the registry of what this app made for whom.

    `reserved` only counts: whose turn it is follows from `order` alone.
    """

    name: str
    client: str = ""
    order: tuple[str, ...] = ()
    reserved: tuple[Reserved, ...] = ()
    environments: Json = field(default_factory=dict)
    """{"dev": {"workspaceId", "workspaceName", "created", "workflow"}}"""
    etag: str = field(default="", compare=False)


@dataclass(frozen=True)
class Opened:
    """A row in `open`: this workflow may have work left, in this generation. `etag` says who wrote it last."""

    id: str
    since: datetime
    generation: int = 1
    etag: str = field(default="", compare=False)
