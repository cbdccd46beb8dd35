"""One step forward or back, journalled around the act: look, announce, act, record."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from shared.errors import Rejected, Retryable
from shared.times import Now
from shared.workflow.hold import Hold, PutDown, TurnedRound
from shared.workflow.records import Json, StepRow
from shared.workflow.steps import Act, Change, Done, Fail, Step, Undone, UndoVerdict, Verdict, Wait, Work, step_path

Audit = Callable[[str, Change], None]
"""Records a change under the name of its act."""


class Changes:
    """What a step reports while it runs: recorded at once, and remembered, since an error may follow."""

    def __init__(self, act: str, audit: Audit) -> None:
        self._act = act
        self._audit = audit
        self.any = False

    def __call__(self, change: Change) -> None:
        self.any = self.any or change.outcome != "refused"
        try:
            self._audit(f"{self._act}-{change.action}-{change.target}", change)
        except Rejected as error:  # of the audit, not of the step's service: it must not be read as its refusal
            raise RuntimeError(f"The audit refused a record: {error.detail}") from error


class Attempts:
    """The steps of a workflow that is held."""

    def __init__(self, hold: Hold, now: Now, pace: Callable[[], None], audit: Audit) -> None:
        self._hold = hold
        self._now = now
        self._pace = pace
        self._audit = audit

    def forward(self, step: Step, row: StepRow, work_for: Callable[[Changes], Work]) -> Fail | None:
        """One step on; a failure is answered when it stands in the journal. Raises PutDown where it has to wait."""
        try:
            seen = step.look(work_for(self._changes(row)), row)
        except Rejected as error:
            return self._take(step, row, step.refused(row, error, self._now()))
        verdict = step.decide(row, seen, self._now())
        if isinstance(verdict, Act):
            row, verdict = self._act(step, row, seen, work_for)
        return self._take(step, row, verdict)

    def back(self, step: Step, row: StepRow, work_for: Callable[[Changes], Work]) -> None:
        """Take one step back. Raises PutDown where it has to wait."""
        try:
            seen = step.look_undo(work_for(self._changes(row)), row)
        except Rejected as error:
            self._take_back(step, row, step.refused_undo(row, error, self._now()))
            return
        verdict = step.decide_undo(row, seen, self._now())
        if isinstance(verdict, Act):
            row, verdict = self._act_back(step, row, seen, work_for)
        self._take_back(step, row, verdict)

    # ---- acts
    def _act(
        self, step: Step, row: StepRow, seen: Json, work_for: Callable[[Changes], Work]
    ) -> tuple[StepRow, Verdict]:
        """Act once. An effect is unknown where the call says so, and known where a change was reported."""
        announced = self._announce(row, seen)
        changes = self._changes(announced)
        try:
            return announced, step.act(work_for(changes), announced, seen)
        except Rejected as error:
            after = announced if changes.any else announced.without_effect(row)
            return after, step.refused(after, error, self._now())
        except (PutDown, Retryable) as error:
            if not changes.any and not getattr(error, "effect_unknown", False):
                self._hold.save(announced.without_effect(row))
            raise

    def _announce(self, row: StepRow, seen: Json) -> StepRow:
        """Write that an act begins. Nothing begins after a turn to undo, or after somebody else took over."""
        self._pace()
        announced = self._hold.save(row.announced(self._now(), seen))
        try:
            self._check_direction()
        except (TurnedRound, Retryable):
            self._hold.save(announced.without_effect(row))
            raise
        return announced

    def _check_direction(self) -> None:
        self._hold.refresh()
        if self._hold.head.undo:
            raise TurnedRound

    def _act_back(
        self, step: Step, row: StepRow, seen: Json, work_for: Callable[[Changes], Work]
    ) -> tuple[StepRow, UndoVerdict]:
        self._pace()
        announced = self._hold.save(row.taking_back())
        self._hold.refresh()
        try:
            return announced, step.act_undo(work_for(self._changes(announced)), announced, seen)
        except Rejected as error:
            return announced, step.refused_undo(announced, error, self._now())

    # ---- what came of it
    def _take(self, step: Step, row: StepRow, verdict: Verdict) -> Fail | None:
        now = self._now()
        match verdict:
            case Done(outcome, status, detail):
                self._hold.save(row.done(now, status, outcome, detail))
            case Wait(seconds, why, outcome):
                self._hold.save(row.waiting(now, why, outcome))
                raise PutDown(timedelta(seconds=seconds), why)
            case Fail():
                error = verdict.error(step_path(step))
                self._hold.save(row.failed(now, error, verdict.outcome, verdict.cleanup))
                return verdict
            case Act():
                raise TypeError(f"{step_path(step)}: an act or a refusal can't be answered by an act")
        return None

    def _take_back(self, step: Step, row: StepRow, verdict: UndoVerdict) -> None:
        match verdict:
            case Undone(cleanup):
                self._hold.save(row.undone(self._now(), cleanup))
            case Wait(seconds, why):
                raise PutDown(timedelta(seconds=seconds), why)
            case Act():
                raise TypeError(f"{step_path(step)}: an act or a refusal can't be answered by an act")

    def _changes(self, row: StepRow) -> Changes:
        return Changes(f"{row.key}-{row.attempts}.{row.undo_attempts}", self._audit)
