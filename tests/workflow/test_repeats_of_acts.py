"""A cancel or retry whose answer was lost is known by its id in the head, whatever has come of it since."""

from __future__ import annotations

import pytest

from shared.errors import Ended
from shared.workflow.records import MOST_ACTS, Status
from tests.doubles.taps import Crash, Interference, crash
from tests.workflow.harness import Harness
from tests.workflow.moves import failed, waits


def test_a_retry_that_is_repeated_after_it_failed_again_does_not_begin_once_more(h: Harness) -> None:
    failed(h)
    h.world.refused.add("add")
    h.engine().retry("w1", "act-1")
    h.settle()
    assert h.engine().retry("w1", "act-1") == h.head()
    assert (h.head().status, h.head().generation) == (Status.FAILED, 2)
    assert h.engine().retry("w1", "act-2").generation == 3


def test_the_first_of_two_retries_is_still_known_after_the_second(h: Harness) -> None:
    failed(h)
    h.world.refused.add("add")
    for act in ("act-1", "act-2"):
        h.engine().retry("w1", act)
        h.settle()
    assert h.engine().retry("w1", "act-1").generation == 3


def test_a_cancel_that_is_repeated_after_the_end_answers_the_end(h: Harness) -> None:
    waits(h)
    h.engine().cancel("w1", "act-1")
    h.engine().cancel("w1", "act-2")
    h.settle()
    assert h.engine().cancel("w1", "act-1").status is Status.CANCELLED
    assert h.engine().cancel("w1", "act-2").status is Status.CANCELLED
    with pytest.raises(Ended):
        h.engine().cancel("w1", "act-3")


def test_a_second_cancel_wakes_nobody(h: Harness) -> None:
    waits(h)
    h.engine().cancel("w1", "act-1")
    sent, due = len(h.queue.sent), h.head().due
    h.engine().cancel("w1", "act-2")
    assert (len(h.queue.sent), h.head().due) == (sent, due)


def test_wherever_a_retry_dies_its_repeat_makes_it_one_retry() -> None:
    counted = Interference()
    h = Harness()
    failed(h)
    h.tap = counted
    h.engine().retry("w1", "act-1")
    for number, call in enumerate(counted.calls, 1):
        for after in (False, True):
            h = Harness()
            failed(h)
            h.world.refused.add("add")
            h.tap = Interference({(number, after): crash})
            with pytest.raises(Crash):
                h.engine().retry("w1", "act-1")
            h.settle()
            h.engine().retry("w1", "act-1")
            h.settle()
            assert (h.head().status, h.head().generation) == (Status.FAILED, 2), f"{after=} {call}"


def test_a_head_remembers_only_the_latest_acts(h: Harness) -> None:
    failed(h)
    head = h.head()
    for number in range(MOST_ACTS + 5):
        head = head.acted(f"act-{number}")
    assert (len(head.acts), head.acts[-1]) == (MOST_ACTS, f"act-{MOST_ACTS + 4}")
