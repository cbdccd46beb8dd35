"""Events of landed files: what each costs, when its look comes, and that a repeated one is none."""

from __future__ import annotations

from shared.refresh.records import RunStatus
from tests.doubles.clock import HOUR, MINUTE, SECOND
from tests.doubles.taps import Interference, crash
from tests.refresh.harness import Harness

INSERT, READ = "table landings transaction", "table datasets get"


def test_an_event_costs_one_insert_and_one_read_of_the_head() -> None:
    h = Harness()
    h.land("a")
    h.clock.advance(2 * SECOND)
    h.counted()
    h.land("b")
    assert h.counted() == {INSERT: 1, READ: 1}
    assert len(h.queue.sent) == 1


def test_within_a_second_of_another_an_event_costs_one_insert() -> None:
    h = Harness()
    h.land("a")
    h.counted()
    h.land("b")
    assert h.counted() == {INSERT: 1}


def test_an_event_whose_look_is_about_to_come_reads_the_head_however_recently_it_was_read() -> None:
    h = Harness()
    h.land("a")
    h.clock.advance(90 * SECOND)
    h.land("b")
    h.counted()
    h.land("c")
    assert h.counted() == {INSERT: 1, READ: 1}


def test_the_first_event_makes_the_run_and_calls_for_a_look_after_the_quiet_period() -> None:
    h = Harness()
    h.land("a")
    [run] = h.all_runs()
    assert (run.status, run.dataset, run.trigger.value) == (RunStatus.QUEUED, "sales", "dataLanded")
    [message] = h.queue.sent
    assert message.visible_at == h.head().due == h.clock() + 2 * MINUTE


def test_of_many_first_events_at_once_one_calls_for_a_look() -> None:
    interference = Interference()
    h = Harness(tap=interference)
    first, second = h.file("a"), h.file("b")
    interference.arm({(3, False): lambda: h.deliver_event(second)})
    h.deliver_event(first)
    assert interference.calls[2] == "table datasets insert"
    assert len(h.queue.sent) == 1
    assert len(h.all_runs()) == 1
    assert len(h.pending()) == 2


def test_a_marker_brings_the_look_forward_and_the_earlier_message_is_stale() -> None:
    h = Harness()
    h.land("a")
    h.clock.advance(10 * SECOND)
    h.land("_SUCCESS", immediate=True)
    assert h.head().due == h.clock() + 30 * SECOND
    assert len(h.queue.sent) == 2
    h.settle(sweeps=False)
    assert len(h.world.ours()) == 1
    assert h.world.ours()[0].started == h.clock.start + 40 * SECOND


def test_an_event_that_comes_again_after_its_refresh_is_no_event() -> None:
    h = Harness()
    event = h.land("a")
    h.settle(sweeps=False)
    h.clock.advance(7 * 24 * HOUR)
    h.counted()
    h.events.append(event)
    h.deliver_event(event)
    assert (h.queue.sent, h.pending()) == ([], set())
    assert h.counted() == {INSERT: 1, READ: 1, "table landings get": 1}


def test_an_event_that_comes_again_still_sees_to_it_that_a_look_comes() -> None:
    interference = Interference()
    h = Harness(tap=interference)
    event = h.file("a")
    interference.arm({(1, True): crash})
    assert not h.deliver_event(event)
    assert (h.queue.sent, len(h.pending())) == ([], 1)
    h.deliver_event(event)
    assert len(h.queue.sent) == 1


def test_a_look_that_is_due_for_more_than_a_minute_counts_as_none() -> None:
    h = Harness()
    h.land("a")
    h.queue.sent.clear()
    h.clock.advance(3 * MINUTE)
    h.land("b")
    assert h.queue.sent == []
    h.clock.advance(SECOND)
    h.land("c")
    assert len(h.queue.sent) == 1


def test_files_for_a_paused_dataset_wait_without_a_look_until_it_goes_on() -> None:
    h = Harness()
    h.change_policy(paused=True)
    h.land("a")
    h.pass_time(HOUR)
    assert (h.queue.sent, h.world.calls) == ([], {})
    h.change_policy(paused=False)
    h.settle()
    assert h.world.truly_covered("a")
