"""What a capability brings to the engine: a plan of steps, each of which can look, decide, act and take back.

A step keeps nothing in memory. The engine journals around it: look, *announce*, act, *record*. So `decide` is asked
with what a look has just seen and with the row, whose `open` says that an earlier act's answer was lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from shared.workflow.records import Head, Json, Project, StepRow, StepStatus

LONGEST_MESSAGE = 4000
"""Characters of an error."""


@dataclass(frozen=True)
class Done:
    """The step has what it wanted. `outcome` is what undo and later steps need to know."""

    outcome: Json = field(default_factory=dict)
    status: StepStatus = StepStatus.DONE
    detail: str = ""


@dataclass(frozen=True)
class Act:
    """Something has to be changed outside; `act` is called next, after the announcement was written."""


@dataclass(frozen=True)
class Wait:
    """Not yet: look again in `seconds`. `outcome` may carry what is known so far."""

    seconds: float
    why: str
    outcome: Json | None = None


@dataclass(frozen=True)
class Fail:
    """It can't be done. What was made so far is taken back; what is left behind knowingly is said in `cleanup`."""

    code: str
    message: str
    request_id: str = ""
    cleanup: tuple[Json, ...] = ()
    outcome: Json | None = None

    def error(self, step: str) -> Json:
        """As the status document has it, and the event, which has to fit a message."""
        message = self.message[:LONGEST_MESSAGE]
        return {"code": self.code, "message": message, "step": step, "requestId": self.request_id}


@dataclass(frozen=True)
class Undone:
    """Taken back, or knowingly left: `cleanup` entries are {"what", "status": undone|left|failed, "remedy"}."""

    cleanup: tuple[Json, ...] = ()


Verdict = Done | Act | Wait | Fail
UndoVerdict = Undone | Act | Wait


@dataclass(frozen=True)
class Change:
    """One change made outside, for the audit. `outcome`: `done`, `refused`, `unknown` (no answer came), or `found`.

    A look reports `found` where it sees the effect of an earlier act whose record may be missing: `row.open`, or, in
    the undo, `row.undo_attempts`. What was recorded already stays as it is.
    """

    action: str
    target: str
    outcome: str
    request_id: str = ""


@dataclass(frozen=True)
class Work:
    """What a step may use while it runs."""

    head: Head
    project: Project
    outcomes: Mapping[str, Json]
    """Outcomes of the steps before it that have ended, by `environment/name`."""
    pace: Callable[[], None]
    """To be called before each call to a service: ends the invocation (by an exception) when its time is over."""
    changed: Callable[[Change], None]
    """To be called at once for each change made outside, and for each whose answer was lost (`unknown`). An act that
    reported none before it was throttled, refused or ended by `pace` is taken to have changed nothing."""
    now: Callable[[], datetime]


class Step(Protocol):
    """One step of a plan. Any method but the pure `decide` and `decide_undo` may raise the errors of shared.errors:
    a Retryable ends the invocation and the step is looked at again; a Rejected is put to `refused`.
    """

    @property
    def name(self) -> str:
        """As in the status document: `workspace`, `capacity` …"""

    @property
    def environment(self) -> str:
        """The environment that it belongs to."""

    def look(self, work: Work, row: StepRow) -> Json:
        """What is there now; changes nothing."""

    def decide(self, row: StepRow, seen: Json, now: datetime) -> Verdict:
        """Pure: what to do about what was seen."""

    def act(self, work: Work, row: StepRow, seen: Json) -> Verdict:
        """Change it."""

    def refused(self, row: StepRow, error: Exception, now: datetime) -> Verdict:
        """What a refusal (Rejected) of a look or an act means. `row.open` speaks of acts before the refused one."""

    def look_undo(self, work: Work, row: StepRow) -> Json:
        """What is there of what the step made."""

    def decide_undo(self, row: StepRow, seen: Json, now: datetime) -> UndoVerdict:
        """Pure: what to take back."""

    def act_undo(self, work: Work, row: StepRow, seen: Json) -> UndoVerdict:
        """Take it back."""

    def refused_undo(self, row: StepRow, error: Exception, now: datetime) -> UndoVerdict:
        """What a refusal of a look or an act of the undo means."""


class Kind(Protocol):
    """One kind of workflow (`provision`, `grantAccess` …)."""

    versions: Sequence[int]
    """Versions of plans that this code can run: the current one first, and the one before."""

    def plan(self, head: Head, body: Json) -> Sequence[Step]:
        """The steps for the body as it was accepted, by the head's plan version; pure, and the same every time."""

    def refusal(self, head: Head, project: Project, body: Json) -> Fail | None:
        """Asked at the workflow's turn, before anything else: whether the project's state forbids it (ownership)."""

    def register(self, head: Head, project: Project, outcomes: Mapping[str, Json]) -> Json:
        """The project's `environments` after the workflow succeeded."""


def step_path(step: Step) -> str:
    """How a step is called in errors and outcomes: `dev/workspace`."""
    return f"{step.environment}/{step.name}"


def step_key(generation: int, index: int, step: Step) -> str:
    """Row key of a step: sorts in the order of the plan. The step's name holds no `-`; an environment's may."""
    return f"step-{generation:03}-{index:03}-{step.environment}-{step.name}"


def path_of(key: str) -> str:
    """What `step_path` says of the step of this row, without its plan."""
    environment, _, name = key.split("-", 3)[3].rpartition("-")
    return f"{environment}/{name}"
