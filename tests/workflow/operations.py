"""How many operations on storage a workflow costs: for benchmarks, and so that a change that costs more is seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from tests.workflow.harness import Harness

STEPS = 2


class Count:
    """A tap that counts."""

    def __init__(self) -> None:
        self.operations: Counter[str] = Counter()

    @contextmanager
    def __call__(self, operation: str) -> Iterator[None]:
        self.operations[operation] += 1
        yield


def operations_of_a_clean_run() -> dict[str, Counter[str]]:
    """Operations by what they are for: `acceptance`, `run` (claim, project, body, end) and one `step`.

    A step is measured as what two of them cost more than none, halved; the world's own calls are left out.
    """
    accepting, running, empty = Count(), Count(), Count()
    for count, steps in ((running, STEPS), (empty, 0)):
        h = Harness()
        plan = h.kind.plan
        h.kind.plan = lambda head, body, steps=steps, plan=plan: plan(head, body)[:steps]  # type: ignore[misc,method-assign]
        h.kind.register = lambda head, project, outcomes: {}  # type: ignore[method-assign]
        h.tap = accepting if steps else Count()
        h.engine().accept(h.request())
        h.tap = count
        h.settle()
    stored = Counter({name: n for name, n in running.operations.items() if not name.startswith("world")})
    step = Counter({name: (n - empty.operations[name]) // STEPS for name, n in stored.items()})
    return {"acceptance": accepting.operations, "run": empty.operations, "step": +step}


def table_operations(counted: Counter[str]) -> int:
    """How many of them are on tables."""
    return sum(n for name, n in counted.items() if name.startswith("table"))
