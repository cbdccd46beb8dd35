"""One invocation of one workflow: from the claim of its head until it waits, ends or its time is over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.errors import Retryable
from shared.times import Now
from shared.workflow.attempts import Attempts, Changes
from shared.workflow.hold import Hold, LeaseLost, PutDown, TurnedRound
from shared.workflow.places import Places
from shared.workflow.records import Head, Json, Project, Status, StepRow
from shared.workflow.steps import Change, Kind, Step, Work, path_of, step_key, step_path
from shared.workflow.store import Store
from shared.workflow.timing import Timing

Plan = Sequence[tuple[str, Step]]

SHORTEST_REST = 1.0
"""Seconds: no service is asked again at once, whatever it says."""
LEFT = "Taking it back failed again and again. Look at what is there, and remove it by hand."
NO_BODY: Json = {
    "code": "internal",
    "message": "The request as it was accepted was removed from the container requests, so it can't be carried out. "
    "Send it again under a new key.",
    "step": "",
    "requestId": "",
}


def next_forward(plan: Plan, rows: dict[str, StepRow]) -> tuple[str, Step] | None:
    """The first step that has not ended."""
    return next(((key, step) for key, step in plan if key not in rows or not rows[key].ended), None)


def next_undo(plan: Plan, rows: dict[str, StepRow]) -> tuple[str, Step] | None:
    """The newest step that may have left something behind."""
    return next(((key, step) for key, step in reversed(plan) if key in rows and rows[key].to_undo), None)


def final_status(head: Head, rows: dict[str, StepRow]) -> Status:
    """How a workflow with nothing left to do has ended."""
    if head.undo:
        by_request = head.cancel_requested and (head.error or {}).get("code") == "cancelled"
        return Status.CANCELLED if by_request else Status.FAILED
    warned = any(row.outcome.get("warnings") for row in rows.values())
    return Status.SUCCEEDED_WITH_WARNINGS if warned else Status.SUCCEEDED


@dataclass(frozen=True)
class Context:
    """What every invocation uses."""

    store: Store
    places: Places
    now: Now
    timing: Timing
    audit: Callable[[Head, str, Change], None]


class Runner:
    """Runs a claimed head; `head` is what stands in the table afterwards. `began`: the moment of the claim."""

    def __init__(
        self, context: Context, kind: Kind | None, head: Head, rows: dict[str, StepRow], began: datetime
    ) -> None:
        self._context = context
        self._kind = kind
        self._hold = Hold(context.store, head, rows)
        self._stop_at = began + context.timing.budget
        self._through = _through(rows)
        self._plan: Plan = []
        self._project = Project(head.project)
        self._attempts = Attempts(self._hold, context.now, self._pace, self._audit)

    @property
    def head(self) -> Head:
        """The head as it was written last."""
        return self._hold.head

    def run(self) -> timedelta | None:
        """Work until nothing is left (None: the head is final) or the workflow is put down (for how long).

        Raises LeaseLost; and whatever a step raised by mistake, after giving the lease back, so that the redelivered
        message finds the workflow free and a fault that stays ends in the poison queue.
        """
        try:
            self._work()
        except PutDown as pause:
            return self._release(pause)
        except Retryable as error:
            delay = timedelta(seconds=max(SHORTEST_REST, error.retry_after))
            return self._release(PutDown(delay, error.detail), rests=True)
        except LeaseLost:
            raise
        except Exception:
            self._hold.write(self._broken)
            raise
        return None

    # ---- the work
    def _work(self) -> None:
        """What was turned round before it began anything needs no place and no plan to end. An undo that keeps
        breaking by our own fault ends too, and names what it could not look after.
        """
        if self.head.undo and (not self._hold.rows or self.head.strikes >= self._context.timing.strikes):
            self._leave_everything()
            self._end()
            return
        kind = self._known_kind()
        self._project = self._turn_in_project()
        self._plan = self._planned(kind)
        while not self.head.final:
            self._next()

    def _next(self) -> None:
        choose = next_undo if self.head.undo else next_forward
        chosen = choose(self._plan, self._hold.rows)
        if chosen is None:
            self._end()
            return
        self._pace()
        try:
            self._one_step(*chosen)
        except TurnedRound:
            return

    def _known_kind(self) -> Kind:
        """A deployment may happen in the middle: what this version can't run waits for one that can, visibly."""
        version = self.head.plan_version
        if self._kind is None or version not in self._kind.versions:
            why = f"Waits for a version of the app that knows version {version} of the plan for {self.head.kind}."
            raise PutDown(self._context.timing.parked, why)
        return self._kind

    def _turn_in_project(self) -> Project:
        project = self._context.places.take(self.head)
        if project.order[0] != self.head.id:
            why = f"Waits for request {project.order[0]}, which works on the same project."
            raise PutDown(self._context.timing.turn_after_project, why)
        return project

    def _planned(self, kind: Kind) -> Plan:
        body = self._context.store.body(self.head)
        if body is None:
            self._without_body()
            return []
        if not self._hold.rows and not self.head.undo:
            refusal = kind.refusal(self.head, self._project, body)
            if refusal:
                self._turn_round(refusal.error(""))
        steps = kind.plan(self.head, body)
        return [(step_key(self.head.generation, index, step), step) for index, step in enumerate(steps)]

    def _one_step(self, key: str, step: Step) -> None:
        row = self._hold.row(key)
        if self.head.undo:
            self._attempts.back(step, row, self._work_for)
        elif "error" in row.outcome:  # written before a crash, and not yet in the head
            self._turn_round(row.outcome["error"])
        elif failure := self._attempts.forward(step, row, self._work_for):
            self._turn_round(failure.error(step_path(step)))

    def _end(self) -> None:
        """No step is left: make the head final, unless it was turned round in that very moment."""
        undo = self.head.undo
        status = final_status(self.head, self._hold.rows)
        self._hold.write(lambda head: head.ended(self._context.now(), status) if head.undo == undo else head)

    # ---- giving up
    def _without_body(self) -> None:
        """Blobs are consistent: one that is missing was removed. It may be restored; but not for ever."""
        timing = self._context.timing
        if self.head.strikes + timing.died < timing.strikes:
            why = "Its request is missing in the container requests: restore the blob."
            raise PutDown(timing.parked, why, strikes=timing.died)
        self._leave_everything()
        self._turn_round(NO_BODY)

    def _leave_everything(self) -> None:
        for row in list(self._hold.rows.values()):
            if row.to_undo:
                left = {"what": path_of(row.key), "status": "failed", "remedy": LEFT}
                self._hold.save(row.undone(self._context.now(), (left,)))

    # ---- time, work, head
    def _work_for(self, changes: Changes) -> Work:
        ended = {path_of(key): row.outcome for key, row in self._hold.rows.items()}
        return Work(self.head, self._project, ended, self._pace, changes, self._context.now)

    def _audit(self, act: str, change: Change) -> None:
        self._context.audit(self.head, act, change)

    def _pace(self) -> None:
        if self._context.now() >= self._stop_at:
            raise PutDown(timedelta(0), "Goes on at once, in a new invocation.")

    def _turn_round(self, error: Json) -> None:
        self._hold.write(lambda head: head.turned_round(self._context.now(), error))

    def _broken(self, head: Head) -> Head:
        now, timing = self._context.now(), self._context.timing
        struck = head.struck(now, timing.broke, timing.strikes)
        return struck.put_down(now, timing.parked, "Stopped by a fault of this app; it will be tried again.")

    def _release(self, pause: PutDown, *, rests: bool = False) -> timedelta:
        """Strikes are forgotten when a step got through; a wait is no progress, since a fault may lie behind it."""
        strikes = 0 if _through(self._hold.rows) > self._through else self.head.strikes + pause.strikes

        def change(head: Head) -> Head:
            released = head.released(self._context.now(), pause.delay, pause.why, rests=rests)
            return replace(released, strikes=strikes)

        self._hold.write(change)
        return pause.delay


def _through(rows: Mapping[str, StepRow]) -> int:
    """How many steps have been brought to an end, in either direction."""
    return sum(row.ended + row.taken_back for row in rows.values())
