"""States that tests bring the engine into, and steps that misbehave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from shared.workflow.records import Head, Json, StepRow
from shared.workflow.steps import Step, Work
from tests.doubles.taps import breaks, untapped
from tests.workflow.harness import Harness
from tests.workflow.kind import CreateWorkspace
from tests.workflow.world import LOST


def dies_at(h: Harness, operation: str, number: int = 1) -> None:
    """Accept, and let the first invocation's process end there."""
    h.accept()
    h.tap = breaks(operation, number)
    h.deliver(h.queue.visible()[0])
    h.tap = untapped


def waits(h: Harness) -> None:
    """Accept, and stop at a create whose answer was lost and which nobody sees yet."""
    h.world.fates["create"].append(LOST)
    h.world.lag = timedelta(minutes=3)
    h.accept()
    h.deliver_all()


def failed(h: Harness) -> None:
    h.world.refused.add("add")
    h.accept()
    h.settle()
    h.world.refused.clear()


@dataclass
class Faulty(CreateWorkspace):
    """Raises what no step should raise."""

    def look(self, work: Work, row: StepRow) -> Json:
        raise ZeroDivisionError("a fault of ours")


def use(h: Harness, step: type[CreateWorkspace]) -> None:
    """The first step is this one."""
    plan = h.kind.plan

    def changed(head: Head, body: Json) -> Sequence[Step]:
        first, *others = plan(head, body)
        assert isinstance(first, CreateWorkspace)
        return [step(first.world, first.workspace_name, first.principal), *others]

    h.kind.plan = changed  # type: ignore[method-assign]
