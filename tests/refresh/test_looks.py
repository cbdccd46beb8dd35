"""Looks and the sweep: stale, doubled, lost and failing ones, and what lands in their midst."""

from __future__ import annotations

from shared.refresh.documents import DatasetPolicy
from shared.refresh.records import RunStatus
from shared.refresh.rules import RefreshObject
from tests.doubles.clock import HOUR, MINUTE, SECOND
from tests.doubles.taps import Interference, crash
from tests.refresh.harness import DATASET, PREMIUM, Harness
from tests.refresh.moves import about_to_start, calls_of_a_start

INSERT, READ = "table landings transaction", "table datasets get"


# ---- looks
def test_a_stale_look_is_dropped_and_a_doubled_one_starts_one_refresh() -> None:
    h = Harness()
    h.land("a")
    [message] = h.queue.sent
    h.queue.sent.append(message.twin())
    h.settle(sweeps=False)
    assert len(h.world.ours()) == 1
    h.engine().look(DATASET, 1)
    assert h.queue.sent == []


def test_two_looks_at_once_start_one_refresh() -> None:
    for number in range(1, len(calls_of_a_start()) + 1):
        h, interference = about_to_start()
        [message] = h.queue.sent
        twin = message.twin()
        h.queue.sent.append(twin)
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
    def refreshing() -> tuple[Harness, Interference]:
        interference = Interference()
        h = Harness(tap=interference)
        h.land("a")
        h.pass_time(5 * MINUTE, sweeps=False)
        interference.arm({})
        return h, interference

    h, undisturbed = refreshing()
    h.settle(sweeps=False)
    assert h.world.ours()[0].ended, "the end is among the calls"
    for number in range(1, len(undisturbed.calls) + 1):
        h, interference = refreshing()
        late = h.file("b", delay=2 * HOUR)
        interference.arm({(number, False): lambda h=h, late=late: h.deliver_event(late)})  # type: ignore[misc]
        h.settle(sweeps=False)
        assert h.world.truly_covered("b")
        assert h.clock() < h.clock.start + HOUR, "it came in the middle of the refresh, and not by itself later"


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
    h.counted()
    h.deliver(stale)
    assert h.counted() == {READ: 1}
    assert len(h.queue.sent) == 1
