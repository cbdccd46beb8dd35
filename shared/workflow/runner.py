"""One invocation of one workflow: from the claim of its head until it waits, ends or its time is over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from shared.errors import Rejected, Retryable, Unavailable
from shared.times import Now
from shared.workflow.records import Head, Json, Project, Status, StepRow
from shared.workflow.steps import Act, Change, Done, Fail, Kind, Step, Undone, Verdict, Wait, Work, step_key, step_path
from shared.workflow.store import Stale, Store
from shared.workflow.timing import Timing

PUT_ATTEMPTS = 10


@dataclass
class PutDown(Exception):
    """The invocation ends here and the next turn goes on after `delay`."""

    delay: timedelta
    why: str


class LeaseLost(Exception):
    """Somebody else has the workflow now: write nothing, send nothing."""


class TurnedRound(Exception):
    """The workflow is to be taken back: begin nothing more in the forward direction."""


def next_forward(plan: Sequence[tuple[str, Step]], rows: dict[str, StepRow]) -> tuple[str, Step] | None:
    """The first step that has not ended."""
    return next(((key, step) for key, step in plan if key not in rows or not rows[key].ended), None)


def next_undo(plan: Sequence[tuple[str, Step]], rows: dict[str, StepRow]) -> tuple[str, Step] | None:
    """The newest step that may have left something behind."""
    return next(((key, step) for key, step in reversed(plan) if key in rows and rows[key].to_undo), None)


def final_status(head: Head, rows: dict[str, StepRow]) -> Status:
    """How a workflow with nothing left to do has ended."""
    if head.undo:
        by_request = head.cancel_requested and (head.error or {}).get("code") == "cancelled"
        return Status.CANCELLED if by_request else Status.FAILED
    warned = any(row.outcome.get("warnings") for row in rows.values())
    return Status.SUCCEEDED_WITH_WARNINGS if warned else Status.SUCCEEDED


class Runner:
    """Runs a claimed head. `head` is what stands in the table; every write to it goes through here."""

    def __init__(  # noqa: PLR0917 - the engine names each of them
        self,
        store: Store,
        kind: Kind,
        head: Head,
        rows: dict[str, StepRow],
        now: Now,
        timing: Timing,
        audit: Callable[[Head, str, Change], None],
    ) -> None:
        self._store = store
        self._kind = kind
        self.head = head
        self._rows = rows
        self._now = now
        self._timing = timing
        self._audit = audit
        self._stop_at = head.updated_at + timing.budget
        self._plan: list[tuple[str, Step]] = []
        self._project = Project(head.project)

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
            return self._release(PutDown(timedelta(seconds=error.retry_after), error.detail))
        except LeaseLost:
            raise
        except Exception:
            self._write(lambda head: replace(head, owner="", lease_until=None, due=self._now() + self._timing.parked))
            raise
        return None

    # ---- the work
    def _work(self) -> None:
        if self.head.plan_version not in self._kind.versions:
            why = f"Waits for a version of the app that knows plan version {self.head.plan_version}."
            raise PutDown(self._timing.parked, why)
        self._project = self._take_place()
        self._plan = self._planned()
        while True:
            chosen = self._choose()
            if chosen is None:
                if self._ended():
                    return
                continue
            try:
                self._one_step(*chosen)
            except TurnedRound:
                continue

    def _take_place(self) -> Project:
        """One workflow of a project at a time, in the order in which they came."""
        for _ in range(PUT_ATTEMPTS):
            project = self._store.project(self.head.project)
            if self.head.id not in project.order:
                try:
                    project = self._store.put_project(replace(project, order=(*project.order, self.head.id)))
                except Stale:
                    continue
            if project.order[0] != self.head.id:
                why = f"Waits for request {project.order[0]}, which works on the same project."
                raise PutDown(self._timing.turn_after_project, why)
            return project
        raise Unavailable("The project is being written by others.", retry_after=1)

    def _planned(self) -> list[tuple[str, Step]]:
        body = self._store.body(self.head.id)
        if body is None:
            raise Unavailable("The request as it was accepted can't be read yet.", retry_after=30)
        if not self._rows and not self.head.undo:
            refusal = self._kind.refusal(self.head, self._project, body)
            if refusal:
                self._turn_round(refusal.error(""))
        steps = self._kind.plan(self.head, body)
        return [(step_key(self.head.generation, index, step), step) for index, step in enumerate(steps)]

    def _choose(self) -> tuple[str, Step] | None:
        if not self.head.undo:
            return next_forward(self._plan, self._rows)
        self._give_up_after_strikes()
        return next_undo(self._plan, self._rows)

    def _one_step(self, key: str, step: Step) -> None:
        self._pace()
        row = self._rows.get(key, StepRow(key))
        if self.head.undo:
            self._undo(step, row)
        elif "error" in row.outcome:
            self._turn_round(row.outcome["error"])
        else:
            self._forward(step, row)

    def _ended(self) -> bool:
        """No step is left: make the head final; False if it was turned round in that very moment."""
        undo = self.head.undo
        status = final_status(self.head, self._rows)
        self._write(lambda head: head.ended(self._now(), status) if head.undo == undo else head)
        return self.head.final

    # ---- one step forward
    def _forward(self, step: Step, row: StepRow) -> None:
        work = self._tools(row)
        announced = row
        try:
            seen = step.look(work, row)
            verdict = step.decide(row, seen, self._now())
            if isinstance(verdict, Act):
                announced = self._save(row.announced(self._now(), seen))
                self._check_direction(announced, row)
                verdict = step.act(work, announced, seen)
        except Rejected as error:
            announced = announced.without_effect(row) if announced is not row else row
            verdict = step.refused(row, error, self._now())
        except Retryable as error:
            if announced is not row and not getattr(error, "effect_unknown", False):
                self._save(announced.without_effect(row))
            raise
        self._take(step, announced, verdict)

    def _check_direction(self, announced: StepRow, before: StepRow) -> None:
        """Nothing is begun after the turn to undo, or after somebody else took over."""
        head = self._store.head(self.head.id)
        if head is None or head.owner != self.head.owner:
            raise LeaseLost
        self.head = head
        if head.undo:
            self._save(announced.without_effect(before))
            raise TurnedRound

    def _take(self, step: Step, row: StepRow, verdict: Verdict) -> None:
        now = self._now()
        match verdict:
            case Done(outcome, status, detail):
                self._save(row.done(now, status, outcome, detail))
            case Wait(seconds, why, outcome):
                self._save(row.waiting(now, why, outcome))
                raise PutDown(timedelta(seconds=seconds), why)
            case Fail():
                error = verdict.error(step_path(step))
                self._save(row.failed(now, error, verdict.outcome, verdict.cleanup))
                self._turn_round(error)
            case Act():
                raise TypeError(f"{step_path(step)}: an act can't be answered by another one")

    # ---- one step back
    def _undo(self, step: Step, row: StepRow) -> None:
        work = self._tools(row)
        try:
            seen = step.look_undo(work, row)
            verdict = step.decide_undo(row, seen, self._now())
            if isinstance(verdict, Act):
                verdict = step.act_undo(work, row, seen)
        except Rejected as error:
            verdict = step.refused_undo(row, error, self._now())
        match verdict:
            case Undone(cleanup):
                self._save(row.undone(self._now(), cleanup))
            case Wait(seconds, why):
                raise PutDown(timedelta(seconds=seconds), why)
            case Act():
                raise TypeError(f"{step_path(step)}: an act can't be answered by another one")

    def _give_up_after_strikes(self) -> None:
        """An undo that keeps failing by our own fault ends too, and names what it could not look after."""
        if self.head.strikes < 2 * self._timing.strikes:
            return
        for key, step in self._plan:
            row = self._rows.get(key)
            if row is not None and row.to_undo:
                remedy = "The undo failed again and again. Look at what is there, and remove it by hand."
                left = {"what": step_path(step), "status": "failed", "remedy": remedy}
                self._save(row.undone(self._now(), (left,)))

    # ---- time, lease, rows, head
    def _tools(self, row: StepRow) -> Work:
        ended = {step_path(other): self._rows[key].outcome for key, other in self._plan if key in self._rows}

        def changed(change: Change) -> None:
            self._audit(self.head, f"{row.key}-{row.attempts}", change)

        return Work(self.head, self._project, ended, self._pace, changed, self._now)

    def _pace(self) -> None:
        if self._now() >= self._stop_at:
            raise PutDown(timedelta(0), "Goes on at once, in a new invocation.")

    def _save(self, row: StepRow) -> StepRow:
        known = self._rows.get(row.key)
        if known == row:
            return row
        try:
            self._rows[row.key] = self._store.put_step(self.head.id, row)
        except Stale:
            raise LeaseLost from None
        return self._rows[row.key]

    def _turn_round(self, error: Json) -> None:
        self._write(lambda head: head.turned_round(self._now(), error))

    def _release(self, pause: PutDown) -> timedelta:
        self._write(lambda head: head.released(self._now(), pause.delay, pause.why))
        return pause.delay

    def _write(self, change: Callable[[Head], Head]) -> None:
        """Write the head; where a cancel or a strike came in between, again on top of that, if it is still ours."""
        owner = self.head.owner
        for _ in range(PUT_ATTEMPTS):
            try:
                self.head = self._store.put(change(self.head))
            except Stale:
                self.head = self._read_again(owner)
            else:
                return
        raise LeaseLost

    def _read_again(self, owner: str) -> Head:
        head = self._store.head(self.head.id)
        if head is None or head.owner != owner:
            raise LeaseLost
        return head
