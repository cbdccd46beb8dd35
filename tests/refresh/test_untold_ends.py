"""Those who are told how runs end can't be reached: refreshes go on, and each end is told when they are back."""

from __future__ import annotations

import pytest

from shared.errors import AppError, Invalid, Misconfigured, Retryable, Unavailable
from shared.refresh.look import MOST_UNTOLD
from shared.refresh.records import Run, RunStatus
from tests.doubles.clock import HOUR, MINUTE
from tests.refresh.harness import Harness


def deaf(h: Harness, error: AppError) -> None:
    """Nobody can be told."""

    def ended(run: Run) -> None:
        raise error

    h.told.ended = ended  # type: ignore[method-assign]


@pytest.mark.parametrize(
    "error", [Unavailable("away"), Misconfigured("no role", retry_after=300), Invalid("another schema")], ids=str
)
def test_refreshes_go_on_and_each_end_is_told_in_the_end(error: AppError) -> None:
    h = Harness()
    deaf(h, error)
    for file in ("a", "b", "c"):
        h.land(file)
        h.pass_time(HOUR)
        assert h.world.truly_covered(file)
    del h.told.ended
    assert h.told.ends == []
    h.settle()
    assert sorted(h.told.ends) == sorted((run.id, RunStatus.COMPLETED) for run in h.all_runs())
    assert len(h.told.ends) == 3
    assert h.head().endings == ()


def test_of_a_dataset_at_rest_the_ends_are_told_by_the_next_sweep() -> None:
    h = Harness()
    deaf(h, Unavailable("away"))
    h.land("a")
    h.pass_time(HOUR)
    assert h.queue.sent == []
    del h.told.ended
    h.clock.advance(MINUTE)
    h.sweep()
    h.deliver_all()
    assert len(h.told.ends) == 1


def test_no_more_ends_wait_to_be_told_than_the_head_can_hold() -> None:
    h = Harness()
    deaf(h, Unavailable("away", retry_after=60))
    for number in range(MOST_UNTOLD + 5):
        h.land(f"f{number}")
        h.pass_time(30 * MINUTE)
    assert len(h.head().endings) <= MOST_UNTOLD + 1
    with pytest.raises(Retryable):
        h.engine().look(h.head().dataset_id, h.head().number)
    del h.told.ended
    h.settle()
    assert all(h.world.truly_covered(f"f{number}") for number in range(MOST_UNTOLD + 5))
    assert {run.id for run in h.all_runs()} == {id for id, _ in h.told.ends}
