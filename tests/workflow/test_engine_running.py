"""The engine's rules, one test each: acceptance, and one runner at a time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.errors import Ended, Unavailable
from shared.workflow.records import Status
from shared.workflow.timing import Timing
from tests.doubles.clock import HOUR, MINUTE, SECOND
from tests.doubles.taps import Crash, Meanwhile, breaks, untapped
from tests.workflow.harness import Harness
from tests.workflow.moves import dies_at, waits


# ---- acceptance
def test_a_repeated_request_answers_the_workflow_as_it_is_and_starts_nothing(h: Harness) -> None:
    h.accept()
    h.settle()
    assert h.engine().accept(h.request()).status is Status.SUCCEEDED
    assert h.queue.sent == []


def test_another_body_under_the_same_id_is_a_conflict(h: Harness) -> None:
    h.accept()
    with pytest.raises(Ended):
        h.engine().accept(h.request(principal="ben"))


def test_what_is_recorded_is_accepted_even_if_the_queue_is_away(h: Harness) -> None:
    h.tap = breaks("queue workflow-steps send", error=lambda: Unavailable("queues are away"))
    assert h.engine().accept(h.request()).status is Status.ACCEPTED
    h.settle()
    assert h.head().status is Status.SUCCEEDED


def test_an_acceptance_that_died_before_its_head_is_forgotten_after_an_hour_and_not_before(h: Harness) -> None:
    h.tap = breaks("table workflows insert")
    with pytest.raises(Crash):
        h.engine().accept(h.request())
    h.clock.advance(HOUR)
    h.sweep()
    assert h.opened.rows
    h.clock.advance(SECOND)
    h.sweep()
    assert not h.opened.rows


def test_the_sweep_does_not_forget_an_acceptance_that_was_renewed_after_it_looked(h: Harness) -> None:
    h.tap = breaks("table workflows insert")
    with pytest.raises(Crash):
        h.engine().accept(h.request())
    h.clock.advance(HOUR + SECOND)
    h.tap = Meanwhile("table open delete", h.accept)
    h.sweep()
    h.tap = untapped
    h.queue.sent.clear()
    h.settle()
    assert h.head().status is Status.SUCCEEDED


# ---- one runner
def test_a_stale_turn_is_dropped(h: Harness) -> None:
    waits(h)
    before = h.head()
    h.send(id="w1", turn=before.turn - 1)
    h.deliver_all()
    assert h.head() == before


def test_a_message_for_a_workflow_nobody_knows_is_dropped(h: Harness) -> None:
    h.send(id="nobody", turn=1)
    assert h.deliver_all() == 1
    assert h.queue.sent == []


def test_a_doubled_message_dies_out(h: Harness) -> None:
    h.accept()
    for _ in range(5):
        h.send(id="w1", turn=1)
    h.settle()
    assert h.world.calls["create"] == 1
    assert h.told.ends == [("w1", 1, "succeeded")]


def test_a_live_lease_is_respected_until_a_minute_after_its_end(h: Harness) -> None:
    dies_at(h, "world find")
    lease = h.head().lease_until
    assert lease is not None
    h.clock.now = lease + MINUTE
    h.send(id="w1", turn=1)
    h.deliver_all()
    assert h.world.calls["create"] == 0
    h.clock.advance(SECOND)
    h.send(id="w1", turn=1)
    h.deliver_all()
    assert h.head().status is Status.SUCCEEDED


def test_a_worker_whose_clock_is_a_minute_ahead_takes_over_no_sooner(h: Harness) -> None:
    dies_at(h, "world find")
    lease = h.head().lease_until
    assert lease is not None
    h.clock.now = lease
    h.send(id="w1", turn=1)
    h.deliver(h.queue.visible()[0], h.triggers(MINUTE))
    assert h.world.calls["create"] == 0


def test_of_two_that_read_the_same_head_one_works(h: Harness) -> None:
    h.accept()
    h.send(id="w1", turn=1)
    second = h.queue.sent[-1]
    h.tap = Meanwhile("table workflows replace", lambda: h.deliver(second))
    h.deliver(h.queue.visible()[0])
    assert h.world.calls["create"] == 1


def test_whoever_lost_the_workflow_writes_and_sends_nothing_more(h: Harness) -> None:
    def takes_over() -> None:
        h.clock.advance(timedelta(minutes=10))
        h.send(id="w1", turn=1)
        h.deliver(h.queue.sent[-1])

    h.accept()
    h.tap = Meanwhile("world find", takes_over)
    h.deliver(h.queue.visible()[0])
    assert (h.world.calls["create"], h.world.harm) == (1, [])
    assert h.queue.sent == []


def test_no_call_begins_after_the_budget_and_the_next_turn_goes_on_at_once(h: Harness) -> None:
    def takes_long() -> None:
        h.clock.advance(timedelta(minutes=4))

    h.accept()
    h.tap = Meanwhile("world create", takes_long)
    h.deliver(h.queue.visible()[0])
    assert (h.world.calls["add"], h.head().turn) == (0, 2)
    assert [message.visible_at for message in h.queue.sent] == [h.clock()]
    h.settle()
    assert h.head().status is Status.SUCCEEDED


def test_a_look_that_uses_up_the_budget_announces_nothing(h: Harness) -> None:
    h.accept()
    h.tap = Meanwhile("world find", lambda: h.clock.advance(timedelta(minutes=4)))
    h.deliver(h.queue.visible()[0])
    assert h.rows() == {}


def test_the_lease_outlives_the_budget_by_more_than_one_call_with_its_journal() -> None:
    timing = Timing()
    call, write = timedelta(seconds=30), timedelta(seconds=13)
    assert timing.lease - timing.budget >= call + 3 * write
