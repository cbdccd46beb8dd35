"""More files than one look reads: each look and each refresh does its part, and none is left out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.refresh.documents import DatasetPolicy
from shared.refresh.records import RunStatus
from shared.refresh.rules import RefreshObject
from shared.refresh.timing import Timing
from tests.doubles.clock import HOUR
from tests.doubles.taps import Interference, untapped
from tests.refresh.harness import DATASET, PREMIUM, SHARED, Harness

FEW = Timing(most_landings=10)
FILES = [f"f{number}" for number in range(45)]


def paused_for_long(policy: DatasetPolicy, *objects: RefreshObject) -> Harness:
    """Files have landed for a dataset that was paused, and is not any more."""
    h = Harness(replace(policy, paused=True), tap=Interference(), timing=FEW)
    for file in FILES:
        h.land(file, *objects)
    h.pass_time(HOUR)
    h.change_policy(paused=False)
    return h


@pytest.mark.parametrize(("policy", "refreshes"), [(SHARED, 1), (PREMIUM, 5)], ids=["shared", "premium"])
def test_all_that_landed_while_a_dataset_was_paused_is_covered(policy: DatasetPolicy, refreshes: int) -> None:
    """A refresh of the whole model says by its time what it covers; an enhanced one what was read before it began."""
    h = paused_for_long(policy, RefreshObject("Sales", "2026-11"))
    h.settle()
    assert all(h.world.truly_covered(file) for file in FILES)
    assert len(h.world.ours()) == refreshes
    assert {run.status for run in h.all_runs()} <= {RunStatus.COMPLETED, RunStatus.SKIPPED}
    assert h.world.harm == []


def test_no_look_reads_more_than_its_part() -> None:
    h = paused_for_long(SHARED)
    seen: list[int] = []
    pending = h.store.landings.pending

    def counted(dataset_id: str, most: int | None = None) -> list:  # type: ignore[type-arg]
        found = pending(dataset_id, most)
        if h.tap is not untapped:  # the harness looks on as well
            seen.append(len(found))
        return found

    h.store.landings.pending = counted  # type: ignore[method-assign]
    h.settle()
    assert max(seen) == FEW.most_landings
    assert not pending(DATASET)
