"""The engine's rules, one test each: failure and cancel take back what was made; a retry begins again."""

from __future__ import annotations

import pytest

from shared.errors import Ended, Unknown
from shared.workflow.records import Status, StepStatus
from tests.doubles.clock import HOUR, MINUTE, SECOND
from tests.doubles.taps import Crash, Interference, Meanwhile, breaks, untapped
from tests.workflow.baton import Baton
from tests.workflow.harness import Harness
from tests.workflow.moves import failed, waits
from tests.workflow.world import THROTTLED


# ---- failure, cancel
def test_a_failure_takes_back_what_was_made_newest_first_and_ends_failed(h: Harness) -> None:
    h.world.refused.add("add")
    h.accept()
    h.settle()
    assert (h.head().status, h.alive()) == (Status.FAILED, [])
    assert (h.head().error or {})["step"] == "dev/access"
    assert h.rows()["access"].status is StepStatus.FAILED
    assert h.rows()["workspace"].status is StepStatus.UNDONE


def test_a_failure_that_was_written_to_the_step_but_not_to_the_head_is_not_forgotten(h: Harness) -> None:
    h.world.refused.add("add")
    h.accept()
    h.tap = breaks("table workflows replace", number=4)
    h.deliver(h.queue.visible()[0])
    h.tap = untapped
    assert not h.head().undo
    assert "error" in h.rows()["access"].outcome
    h.world.refused.clear()
    h.settle()
    assert h.head().status is Status.FAILED


def test_cancel_takes_back_what_was_made(h: Harness) -> None:
    waits(h)
    assert h.engine().cancel("w1").status is Status.CLEANING_UP
    h.settle()
    assert (h.head().status, h.alive(), (h.head().error or {})["code"]) == (Status.CANCELLED, [], "cancelled")


def test_cancel_while_a_runner_works_lets_no_further_act_begin(h: Harness) -> None:
    h.accept()
    h.tap = Meanwhile("world read", lambda: h.engine().cancel("w1"))
    h.deliver_all()
    assert (h.world.calls["add"], h.head().status, h.alive()) == (0, Status.CANCELLED, [])


def test_cancel_in_the_very_moment_of_success_takes_back(h: Harness) -> None:
    h.accept()
    h.tap = Meanwhile("table workflows replace", lambda: h.engine().cancel("w1"), number=4)
    h.deliver_all()
    assert (h.head().status, h.alive()) == (Status.CANCELLED, [])


def test_cancel_does_not_break_retry_after(h: Harness) -> None:
    h.world.fates["create"].append(THROTTLED)
    h.accept()
    h.deliver_all()
    h.engine().cancel("w1")
    assert {message.visible_at - h.clock() for message in h.queue.sent} == {MINUTE}
    h.sweep()
    assert h.queue.visible() == []
    h.settle()
    assert h.head().status is Status.CANCELLED


def test_cancel_twice_is_one_cancel(h: Harness) -> None:
    waits(h)
    h.engine().cancel("w1")
    turned = h.head()
    assert h.engine().cancel("w1") == turned


def test_what_has_ended_can_not_be_cancelled(h: Harness) -> None:
    h.accept()
    h.settle()
    with pytest.raises(Ended):
        h.engine().cancel("w1")
    with pytest.raises(Unknown):
        h.engine().cancel("nobody")


def test_a_cancel_after_a_failure_leaves_the_failure_as_the_reason(h: Harness) -> None:
    h.world.refused.add("add")
    h.world.fates["delete"].append(THROTTLED)
    h.accept()
    h.deliver_all()
    h.engine().cancel("w1")
    h.settle()
    assert (h.head().status, (h.head().error or {})["code"]) == (Status.FAILED, "forbidden")


# ---- retry
def test_only_what_has_failed_can_be_tried_again(h: Harness) -> None:
    h.accept()
    with pytest.raises(Ended):
        h.engine().retry("w1")
    with pytest.raises(Unknown):
        h.engine().retry("nobody")


def test_a_retry_begins_from_the_beginning_by_the_current_plan(h: Harness) -> None:
    failed(h)
    h.kind.versions = (3, 2)
    again = h.engine().retry("w1")
    assert (again.status, again.generation, again.plan_version, again.error) == (Status.ACCEPTED, 2, 3, None)
    h.settle()
    assert (h.head().status, h.alive()) == (Status.SUCCEEDED, [("FIN-DEV", ["ana", "app"])])
    assert h.told.ends == [("w1", 1, "failed"), ("w1", 2, "succeeded")]


def failed_and_not_closed(interference: Interference) -> Harness:
    """The worker died between the end of the first round and its telling; what would fail it is mended."""
    h = Harness()
    h.world.refused.add("add")
    h.accept()
    h.tap = breaks("table open get")
    h.deliver_all()
    assert h.head().status is Status.FAILED
    h.world.refused.clear()
    h.tap = interference
    return h


def test_a_late_end_of_the_first_round_takes_neither_place_nor_row_of_the_second() -> None:
    """The end is overtaken by a retry, before each of its calls; and then the retry's message is lost."""
    undisturbed = Interference()
    h = failed_and_not_closed(undisturbed)
    h.engine().go_on("w1", h.head().turn)
    assert len(undisturbed.calls) > 5
    for number, call in enumerate(undisturbed.calls, 1):
        interference = Interference()
        h = failed_and_not_closed(interference)
        h.world.fates["create"].append(THROTTLED)

        def overtaken(h: Harness = h) -> None:
            h.engine().retry("w1")
            h.queue.sent.clear()
            h.clock.advance(3 * MINUTE)
            h.sweep()
            h.deliver(h.queue.visible()[0])

        interference.arm({(number, False): overtaken})
        h.engine().go_on("w1", h.head().turn)
        found = (h.head().status, h.order(), list(h.opened.rows))
        assert found == (Status.WAITING, ("w1",), [("open", "w1")]), f"overtaken before call {number}, {call}"
        h.settle()
        assert h.head().status is Status.SUCCEEDED


def test_a_late_end_does_not_close_a_retry_that_died_right_after_it_began(h: Harness) -> None:
    failed(h)
    turn = h.head().turn
    baton = Baton(h.clock)
    h.tap = baton.tap
    retry = baton.start("retry", lambda: h.engine().retry("w1"))
    while retry.operation != "table workflows replace":
        baton.step(retry)
    late = baton.start("a late end", lambda: h.engine().go_on("w1", turn))
    while not late.ended and late.operation != "table open delete":
        baton.step(late)
    baton.step(retry)
    baton.kill(retry)
    baton.finish(late)
    h.queue.sent.clear()
    h.clock.advance(3 * MINUTE)
    h.sweep()
    h.settle()
    assert h.head().status is Status.SUCCEEDED


def test_a_retry_that_died_before_its_head_leaves_the_failure_and_is_forgotten_after_an_hour(h: Harness) -> None:
    failed(h)
    h.tap = breaks("table workflows replace")
    with pytest.raises(Crash):
        h.engine().retry("w1")
    h.tap = untapped
    h.sweep()
    assert h.opened.rows
    h.clock.advance(HOUR + SECOND)
    h.sweep()
    assert (h.opened.rows, h.head().status) == ({}, Status.FAILED)


def test_a_retry_that_died_after_its_head_is_carried_out(h: Harness) -> None:
    failed(h)
    h.tap = breaks("queue workflow-steps send")
    with pytest.raises(Crash):
        h.engine().retry("w1")
    h.settle()
    assert h.head().status is Status.SUCCEEDED
