"""Every order of events, looks, ends, strangers, crashes and two workers that hypothesis thinks of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from shared.errors import Ended, Retryable, TooManyRequests
from shared.refresh.rules import RefreshObject
from tests.doubles.clock import MINUTE, SECOND
from tests.doubles.taps import Crash, Interference, crash, storage_away
from tests.refresh import world as fates
from tests.refresh.harness import PREMIUM, SHARED, Harness
from tests.refresh.moves import CREDENTIALS, GATEWAY, NO_PARTITION, NOVEMBER, OWN

OBJECTS = (
    (),
    (NOVEMBER,),
    (RefreshObject("Sales", "2026-12"),),
    (RefreshObject("Sales"),),
    (RefreshObject("Stock"),),
)
FATES = (
    fates.THROTTLED,
    fates.AWAY,
    fates.LOST,
    fates.LATE,
    fates.NEVER,
    fates.DROPPED,
    fates.INSIDE,
    fates.NAMELESS,
)
ENDS = (
    CREDENTIALS,
    GATEWAY,
    NO_PARTITION,
    ("Cancelled", ""),
    ("TimedOut", ""),
    ("Disabled", ""),
)
DISTURBANCES = ("crash", "away", "look", "event", "lands", "sweep", "stranger", "time", "start")
OFFSET = timedelta(seconds=20)
"""By how much the second worker's clock is ahead."""


class Refreshes(RuleBasedStateMachine):
    """One dataset, two workers that interrupt each other between any two calls, and all that may go wrong outside."""

    def __init__(self) -> None:
        super().__init__()
        self.interference = Interference()
        self.files = 0
        self.manual = 0

    @initialize(
        premium=st.booleans(),
        lag=st.sampled_from([0, 20, 110]),
        skew=st.sampled_from([-30, 0, 30]),
        lasts=st.sampled_from([10, 200, 1500]),
        timeout=st.sampled_from([120, 20]),
    )
    def begin(self, premium: bool, lag: int, skew: int, lasts: int, timeout: int) -> None:
        self.h = Harness(PREMIUM if premium else SHARED, self.interference)
        self.h.change_policy(timeout=timedelta(minutes=timeout))
        self.h.world.lag = lag * SECOND
        self.h.world.skew = skew * SECOND
        self.h.world.lasts = lasts * SECOND

    # ---- what happens
    @rule(
        objects=st.sampled_from(OBJECTS), immediate=st.booleans(), late=st.sampled_from([0, 0, 5, 200]),
        skew=st.sampled_from([-30, 0, 30]),
    )  # fmt: skip
    def a_file_lands(self, objects: tuple[RefreshObject, ...], immediate: bool, late: int, skew: int) -> None:
        self._file(objects, immediate=immediate, late=late, skew=skew)

    @rule(data=st.data())
    def an_event_arrives(self, data: st.DataObject) -> None:
        arrived = [event for event in self.h.events if event.visible_at <= self.h.clock()]
        if arrived:
            event = data.draw(st.sampled_from(arrived))
            self._disturbed(data, lambda offset: self.h.deliver_event(event, offset))

    @rule(data=st.data())
    def an_event_comes_twice(self, data: st.DataObject) -> None:
        if self.h.delivered:
            event = data.draw(st.sampled_from(self.h.delivered))
            self.h.delivered.remove(event)
            event.visible_at = self.h.clock()
            self.h.events.append(event)

    @rule(data=st.data())
    def a_look_comes(self, data: st.DataObject) -> None:
        visible = self.h.queue.visible()
        if visible:
            message = data.draw(st.sampled_from(visible))
            self._disturbed(data, lambda offset: self.h.deliver(message, offset))

    @rule(data=st.data())
    def the_next_look_comes(self, data: st.DataObject) -> None:
        if self.h.queue.sent:
            self.h.clock.now = max(self.h.clock(), min(each.visible_at for each in self.h.queue.sent))
            self.a_look_comes(data)

    @rule(data=st.data(), lost=st.booleans())
    def a_look_is_doubled_or_lost(self, data: st.DataObject, lost: bool) -> None:
        if self.h.queue.sent:
            message = data.draw(st.sampled_from(self.h.queue.sent))
            self.h.queue.sent.remove(message)
            if not lost:
                twin = message.twin()
                self.h.queue.sent += [message, twin]

    @rule(data=st.data())
    def the_sweep_comes(self, data: st.DataObject) -> None:
        self._disturbed(data, self.h.sweep)

    @rule(seconds=st.sampled_from([1, 15, 31, 70, 130, 700, 4000]))
    def time_passes(self, seconds: int) -> None:
        self.h.clock.advance(seconds * SECOND)

    @rule(
        kind=st.sampled_from(["Scheduled", "OnDemand", "ViaApi", "ViaEnhancedApi", "ViaXmlaEndpoint"]),
        ok=st.booleans(),
        lasts=st.sampled_from([20, 90, 2400]),
    )
    def somebody_else_refreshes(self, kind: str, ok: bool, lasts: int) -> None:
        self.h.world.stranger(kind, "Completed" if ok else "Failed", lasts=lasts * SECOND)

    @rule(fate=st.sampled_from(FATES))
    def the_next_post_fares_badly(self, fate: str) -> None:
        self.h.world.fates.append(fate)

    @rule(end=st.sampled_from(ENDS))
    def the_next_refresh_ends_badly(self, end: tuple[str, str]) -> None:
        self.h.world.outcomes.append(end)

    @rule(data=st.data(), body=st.booleans())
    def somebody_asks(self, data: st.DataObject, body: bool) -> None:
        self._disturbed(data, lambda offset: self._ask(body=body))

    @rule(data=st.data())
    def somebody_cancels(self, data: st.DataObject) -> None:
        open_runs = [run for run in self.h.all_runs() if not run.final]
        if open_runs:
            run = data.draw(st.sampled_from([each.id for each in open_runs]))
            self._disturbed(data, lambda offset: self._cancel(run))

    @rule(paused=st.booleans())
    def the_operator_pauses(self, paused: bool) -> None:
        self.h.change_policy(paused=paused)

    # ---- what must hold
    @invariant()
    def nothing_is_covered_that_no_refresh_read(self) -> None:
        if not hasattr(self, "h"):
            return
        assert self.h.world.harm == []
        pending = self.h.pending()
        for event in self.h.delivered:
            if event.key not in pending:
                assert self.h.world.truly_covered(event.file), f"{event.file} is lost"

    @invariant()
    def looks_die_out(self) -> None:
        if hasattr(self, "h"):
            assert len(self.h.queue.sent) < 60

    def teardown(self) -> None:
        if not hasattr(self, "h"):
            return
        self.interference.arm({})
        self.h.change_policy(paused=False)
        self.h.world.lasts = MINUTE  # one that always takes longer than its timeout would never cover anything
        self.h.settle(timedelta(days=90))
        self.nothing_is_covered_that_no_refresh_read()
        assert all(run.final for run in self.h.all_runs())
        assert {run.id for run in self.h.all_runs()} == {id for id, _ in self.h.told.ends}
        assert len({end[0] for end in self.h.told.ends}) == len(set(self.h.told.ends)), "an end was told in two ways"

    # ---- inside
    def _file(
        self, objects: tuple[RefreshObject, ...] = (), *, immediate: bool = False, late: int = 0, skew: int = 0
    ) -> None:
        self.files += 1
        self.h.file(f"f{self.files}", *objects, immediate=immediate, delay=late * SECOND, skew=skew * SECOND)

    def _ask(self, *, body: bool) -> None:
        self.manual += 1
        try:
            self.h.start(f"m{self.manual}", OWN if body else None)
        except (Crash, Retryable, TooManyRequests):
            return

    def _cancel(self, run: str) -> None:
        try:
            self.h.engine().cancel(run)
        except (Crash, Retryable, Ended):
            return

    def _disturbed(self, data: st.DataObject, act: Callable[[timedelta], object]) -> None:
        """Do it, with something happening between two of its calls."""
        plan = {}
        for _ in range(data.draw(st.integers(0, 2))):
            at = data.draw(st.tuples(st.integers(1, 14), st.booleans()))
            plan[at] = self._disturbance(data.draw(st.sampled_from(DISTURBANCES)))
        self.interference.arm(plan)
        act(data.draw(st.sampled_from([timedelta(0), OFFSET])))
        self.interference.arm({})

    def _disturbance(self, what: str) -> Callable[[], None]:
        return {
            "crash": crash,
            "away": self._away,
            "look": self._other_look,
            "event": self._other_event,
            "lands": self._lands_now,
            "sweep": lambda: self.h.sweep(OFFSET),
            "stranger": self._stranger_now,
            "time": self._stall,
            "start": lambda: self._ask(body=False),
        }[what]

    def _away(self) -> None:
        if not self.interference.calls[-1].startswith("powerbi"):
            storage_away()

    def _stall(self) -> None:
        """A slow worker; but no POST begins much later than its deadline was checked."""
        posting = self.interference.calls[-1] == "powerbi start"
        self.h.clock.advance(20 * SECOND if posting else 6 * MINUTE)

    def _other_look(self) -> None:
        if self.h.queue.visible():
            self.h.deliver(self.h.queue.visible()[0], OFFSET)
        elif self.h.queue.sent:
            twin = self.h.queue.sent[0]
            twin.visible_at = self.h.clock()
            self.h.deliver(twin, OFFSET)

    def _other_event(self) -> None:
        if self.h.events:
            self.h.deliver_event(self.h.events[0], OFFSET)

    def _stranger_now(self) -> None:
        self.h.world.stranger(lasts=90 * SECOND)

    def _lands_now(self) -> None:
        self._file()
        self.h.deliver_event(self.h.events[-1], OFFSET)


Refreshes.TestCase.settings = settings(max_examples=80, stateful_step_count=30)
TestRefreshes = Refreshes.TestCase
