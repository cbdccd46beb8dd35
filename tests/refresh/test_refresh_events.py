"""What an event, a look and the sweep cost and do, seen from storage and the queue."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.refresh.documents import DatasetPolicy
from shared.refresh.landings import Landings
from shared.refresh.records import RunStatus
from shared.refresh.rules import RefreshObject
from tests.doubles.clock import HOUR, MINUTE, SECOND
from tests.doubles.storage import MemoryTable
from tests.doubles.taps import Interference, crash
from tests.refresh.costs import DURATIONS, burst, watched
from tests.refresh.harness import DATASET, PREMIUM, Harness

INSERT, READ = "table landings transaction", "table datasets get"


def operations(h: Harness) -> dict[str, int]:
    """Storage calls since the last time this was asked."""
    counted = {name: count for name, count in h.operations.items() if not name.startswith("powerbi")}
    h.operations.clear()
    return counted


# ---- events
def test_an_event_costs_one_insert_and_one_read_of_the_head() -> None:
    h = Harness()
    h.land("a")
    h.clock.advance(2 * SECOND)
    operations(h)
    h.land("b")
    assert operations(h) == {INSERT: 1, READ: 1}
    assert len(h.queue.sent) == 1


def test_within_a_second_of_another_an_event_costs_one_insert() -> None:
    h = Harness()
    h.land("a")
    operations(h)
    h.land("b")
    assert operations(h) == {INSERT: 1}


def test_an_event_whose_look_is_about_to_come_reads_the_head_however_recently_it_was_read() -> None:
    h = Harness()
    h.land("a")
    h.clock.advance(90 * SECOND)
    h.land("b")
    operations(h)
    h.land("c")
    assert operations(h) == {INSERT: 1, READ: 1}


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
    operations(h)
    h.events.append(event)
    h.deliver_event(event)
    assert (h.queue.sent, h.pending()) == ([], set())
    assert operations(h) == {INSERT: 1, READ: 1, "table landings get": 1}


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


# ---- looks
def test_a_stale_look_is_dropped_and_a_doubled_one_starts_one_refresh() -> None:
    h = Harness()
    h.land("a")
    [message] = h.queue.sent
    h.queue.sent.append(type(message)(message.body, message.visible_at))
    h.settle(sweeps=False)
    assert len(h.world.ours()) == 1
    h.engine().look(DATASET, 1)
    assert h.queue.sent == []


def test_two_looks_at_once_start_one_refresh() -> None:
    for number in range(1, 14):
        interference = Interference()
        h = Harness(tap=interference)
        h.land("a")
        [message] = h.queue.sent
        twin = type(message)(message.body, message.visible_at)
        h.queue.sent.append(twin)
        h.clock.advance(2 * MINUTE)
        interference.arm({(number, False): lambda h=h, twin=twin: h.deliver(twin)})  # type: ignore[misc]
        h.deliver(message)
        h.settle(sweeps=False)
        assert len(h.world.ours()) == 1
        assert h.world.harm == []


def test_a_look_that_comes_early_by_a_clock_that_is_behind_goes_on_all_the_same() -> None:
    h = Harness()
    h.land("a")
    h.clock.advance(2 * MINUTE)
    h.deliver(h.queue.sent[0], -20 * SECOND)
    assert len(h.queue.sent) == 1
    h.settle(sweeps=False)
    assert h.world.truly_covered("a")


def test_what_lands_while_a_refresh_runs_is_covered_by_the_next() -> None:
    h = Harness()
    h.land("a")
    h.pass_time(3 * MINUTE, sweeps=False)
    assert h.world.executing()
    h.land("b")
    h.pass_time(MINUTE, sweeps=False)
    assert [run.status for run in h.all_runs()] == [RunStatus.RUNNING, RunStatus.QUEUED]
    h.settle(sweeps=False)
    assert [(run.status, run.events) for run in h.all_runs()] == [(RunStatus.COMPLETED, 1)] * 2
    assert h.world.truly_covered("b")


def test_a_landing_between_the_last_read_and_the_end_is_not_stranded() -> None:
    for number in range(1, 40):
        interference = Interference()
        h = Harness(tap=interference)
        h.land("a")
        h.pass_time(5 * MINUTE, sweeps=False)
        late = h.file("b", delay=2 * HOUR)
        interference.arm({(number, False): lambda h=h, late=late: late in h.events and h.deliver_event(late)})  # type: ignore[misc]
        h.settle(sweeps=False)
        assert h.world.truly_covered("b")


# ---- the sweep
def test_the_sweep_sends_a_look_whose_message_was_lost() -> None:
    h = Harness()
    h.land("a")
    h.queue.sent.clear()
    h.clock.advance(3 * MINUTE)
    h.sweep()
    assert h.queue.sent == []
    h.clock.advance(SECOND)
    h.sweep()
    h.sweep()
    assert len(h.queue.sent) == 1


def test_the_sweep_finds_a_landing_whose_worker_died_before_it_read_the_head() -> None:
    interference = Interference()
    h = Harness(tap=interference)
    event = h.file("a")
    interference.arm({(1, True): crash})
    h.deliver_event(event)
    h.events.clear()  # its message is never given back
    assert h.untapped(lambda: h.store.head(DATASET)) is None
    h.sweep()
    assert len(h.queue.sent) == 1
    h.settle()
    assert h.world.truly_covered("a")


def test_the_sweep_leaves_what_is_looked_after_alone() -> None:
    h = Harness()
    h.land("a")
    h.sweep()
    assert len(h.queue.sent) == 1


def test_a_row_that_cannot_be_handled_stands_in_nobodys_way() -> None:
    h = Harness()
    h.land("a")
    h.queue.sent.clear()
    h.clock.advance(5 * MINUTE)
    broken = "d0000000-0000-0000-0000-00000000000f"

    class Broken(dict[str, DatasetPolicy]):
        def get(self, id: str, default: object = None) -> DatasetPolicy | None:  # type: ignore[override]
            if id == broken:
                raise ValueError("broken")
            return super().get(id)

    h.policies = Broken({broken: h.policy, **h.policies})
    h.engines.clear()
    h.sweep()
    assert len(h.queue.sent) == 1


def test_a_look_that_fails_again_and_again_comes_ever_more_slowly() -> None:
    h = Harness()
    h.land("a")
    pauses = []
    for _ in range(8):
        h.engine().poisoned(DATASET)
        due = h.head().due
        assert due is not None
        pauses.append((due - h.clock()) / MINUTE)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    h.settle(sweeps=False)
    assert (h.head().strikes, h.world.truly_covered("a")) == (0, True)


# ---- landings
def test_a_thousand_landings_are_covered_in_a_few_calls() -> None:
    h = Harness()
    for number in range(1000):
        h.land(f"f{number}")
    operations(h)
    h.settle(sweeps=False)
    counted = operations(h)
    assert counted[INSERT] == 11
    assert h.all_runs()[0].events == 1000


def test_covering_what_somebody_else_covers_at_the_same_time_loses_nothing() -> None:
    h = Harness()
    keys = [h.land(f"f{number}").key for number in range(250)]
    landings, now = h.store.landings, h.clock()
    interference = Interference()
    h.tap = interference
    interference.arm({(3, False): lambda: landings.cover(DATASET, keys[100:130], now)})
    landings.cover(DATASET, keys, now)
    assert h.pending() == set()
    assert landings.forget(DATASET, now + SECOND) >= 3
    assert not [row for row in h.landings.rows if row[1].startswith(("t-", "c-"))]


def test_tombstones_are_kept_for_eight_days_and_then_removed_by_the_sweep() -> None:
    h = Harness()
    for number in range(150):
        h.land(f"f{number}")
    h.settle(sweeps=False)
    h.clock.advance(7 * 24 * HOUR)
    h.pass_time(24 * HOUR)
    assert len([row for row in h.landings.rows if row[1].startswith("t-")]) == 150
    h.pass_time(25 * HOUR)
    assert not h.landings.rows


def test_forgetting_goes_on_where_it_was_broken_off() -> None:
    table = MemoryTable("landings")
    h = Harness()
    h.landings.rows = table.rows
    keys = [h.land(f"f{number}").key for number in range(3)]
    Landings(table).cover(DATASET, keys, h.clock())
    table.delete(DATASET, f"t-{keys[1]}")
    assert Landings(table).forget(DATASET, h.clock() + SECOND) == 1
    assert not table.rows


# ---- what it costs
def test_a_burst_of_events_is_a_refresh_for_each_dataset_and_leaves_nothing_uncovered() -> None:
    made = burst(events=1500, datasets=10)
    assert made.operations_per_event <= 2
    assert (made.refreshes, made.uncovered) == (10, 0)


@pytest.mark.parametrize("duration", DURATIONS, ids=str)
def test_a_refresh_is_watched_with_few_calls_and_its_end_is_seen_soon(duration: timedelta) -> None:
    seen = watched(duration)
    assert seen.calls <= 20
    assert seen.share <= 0.1


@pytest.mark.parametrize("duration", DURATIONS, ids=str)
def test_the_end_of_the_first_refresh_ever_is_seen_within_a_quarter_of_its_duration(duration: timedelta) -> None:
    seen = watched(duration, learned=False)
    assert seen.calls <= 36
    assert seen.share <= 0.25


def test_objects_of_all_files_are_refreshed() -> None:
    h = Harness(PREMIUM)
    h.land("a", RefreshObject("Sales", "1"))
    h.land("b", RefreshObject("Sales", "2"), RefreshObject("Stock"))
    h.settle(sweeps=False)
    [run] = h.all_runs()
    assert run.objects == (RefreshObject("Sales", "1"), RefreshObject("Sales", "2"), RefreshObject("Stock"))
    assert run.refresh_type == "ViaEnhancedApi"


def test_a_stale_look_reads_the_head_and_does_nothing() -> None:
    h = Harness()
    h.land("a")
    h.land("_SUCCESS", immediate=True)
    stale, _ = h.queue.sent
    h.clock.advance(30 * SECOND)
    operations(h)
    h.deliver(stale)
    assert operations(h) == {READ: 1}
    assert len(h.queue.sent) == 1
