"""What tests do to the engine: break a call, let something else happen in the middle, bring it into a state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from shared.workflow.records import Head, Json, StepRow
from shared.workflow.steps import Step, Work
from tests.workflow.harness import Crash, Harness
from tests.workflow.kind import CreateWorkspace
from tests.workflow.world import LOST


class Breaks:
    """A tap that crashes the worker at the n-th call of an operation (1 is the next one)."""

    def __init__(self, operation: str, number: int = 1, error: Callable[[], BaseException] = Crash) -> None:
        self.operation, self.left, self.error = operation, number, error

    @contextmanager
    def __call__(self, operation: str) -> Iterator[None]:
        if operation == self.operation:
            self.left -= 1
            if self.left == 0:
                raise self.error()
        yield


class Meanwhile:
    """A tap that does something else just before the n-th call of an operation."""

    def __init__(self, operation: str, does: Callable[[], object], number: int = 1) -> None:
        self.operation, self.does, self.left = operation, does, number

    @contextmanager
    def __call__(self, operation: str) -> Iterator[None]:
        if operation == self.operation:
            self.left -= 1
            if self.left == 0:
                self.does()
        yield


def dies_at(h: Harness, operation: str, number: int = 1) -> None:
    """Accept, and let the first invocation's process end there."""
    h.accept()
    h.tap = Breaks(operation, number)
    h.deliver(h.queue.visible()[0])
    h.tap = Breaks("")


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
