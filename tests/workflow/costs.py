"""How many operations on storage a workflow costs: for benchmarks, and so that a change that costs more is seen."""

from __future__ import annotations

from collections import Counter

from tests.doubles.taps import Interference
from tests.workflow.harness import Harness

STEPS = 2


def operations_of_a_clean_run() -> dict[str, Counter[str]]:
    """Operations by what they are for: `acceptance`, `run` (claim, project, body, end) and one `step`.

    A step is measured as what two of them cost more than none, halved; the world's own calls are left out.
    """
    accepting, running, empty = Interference(), Interference(), Interference()
    for count, steps in ((running, STEPS), (empty, 0)):
        h = Harness()
        plan = h.kind.plan
        h.kind.plan = lambda head, body, steps=steps, plan=plan: plan(head, body)[:steps]  # type: ignore[misc,method-assign]
        h.kind.register = lambda head, project, outcomes: {}  # type: ignore[method-assign]
        h.tap = accepting if steps else Interference()
        h.engine().accept(h.request())
        h.tap = count
        h.settle()
    none = Counter(empty.calls)
    stored = Counter(call for call in running.calls if not call.startswith("world"))
    step = Counter({call: (times - none[call]) // STEPS for call, times in stored.items()})
    return {"acceptance": Counter(accepting.calls), "run": none, "step": +step}


def table_operations(counted: Counter[str]) -> int:
    """How many of them are on tables."""
    return sum(n for name, n in counted.items() if name.startswith("table"))
