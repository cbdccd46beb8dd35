"""An adversary against the engine: it chooses who goes on, what is doubled, lost, late or refused, who dies and when.

Whatever it does: no harm is done outside at any time, and once it stops everything that was accepted comes to its end.
Deeper than in the suite, and at random: `WORKFLOW_EXAMPLES=20000 python -m pytest tests/workflow/test_engine_machine.py
-n 0 --timeout 0`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared.errors import Ended, Retryable, Unknown
from shared.workflow.engine import Engine
from shared.workflow.records import Status
from tests.doubles.storage import Sent
from tests.doubles.taps import Crash, untapped
from tests.workflow.baton import Baton, Worker
from tests.workflow.harness import Harness
from tests.workflow.world import LATE, LOST, NEVER, STRANGER, THROTTLED

DEEPER = int(os.environ.get("WORKFLOW_EXAMPLES", "0"))
WORKERS = 3
CRASHES = 3
PRINCIPALS = {"w1": "ana", "w2": "ben"}
ACTS = ("world create", "world add", "world delete", "world remove")
ANY_INDEX = st.integers(0, 5)
ANY_CLOCK = st.sampled_from([timedelta(0), timedelta(seconds=-30), timedelta(seconds=30)])
ANY_WORKFLOW = st.sampled_from(sorted(PRINCIPALS))


class Adversary(RuleBasedStateMachine):
    """Each rule is one thing that may happen in a bad world."""

    def __init__(self) -> None:
        super().__init__()
        self.h = Harness()
        self.baton = Baton(self.h.clock)
        self.h.tap = self.baton.tap
        self.accepted: set[str] = set()
        self.cancelled: set[tuple[str, int]] = set()
        self.delivered: list[bytes] = []
        self.crashes = 0

    @initialize(lag=st.sampled_from([0, 3, 13]))
    def somebody_has_posted(self, lag: int) -> None:
        self.h.world.lag = timedelta(minutes=lag)
        self.a_client_posts("w1", timedelta(0))
        self.baton.finish(self.baton.workers[0])

    # ---- work begins
    @precondition(lambda self: len(self.baton.workers) < WORKERS)
    @rule(id=ANY_WORKFLOW, clock=ANY_CLOCK)
    def a_client_posts(self, id: str, clock: timedelta) -> None:
        asked = self.h.request(id, principal=PRINCIPALS[id])
        self.start(f"accept {id}", clock, lambda engine: engine.accept(asked), lambda: self.accepted.add(id))

    @precondition(lambda self: self.h.queue.visible() and len(self.baton.workers) < WORKERS)
    @rule(index=ANY_INDEX, clock=ANY_CLOCK)
    def a_message_is_delivered(self, index: int, clock: timedelta) -> None:
        self.deliver(index, clock)

    @precondition(lambda self: self.h.queue.visible() and len(self.baton.workers) < WORKERS)
    @rule(index=ANY_INDEX, clock=ANY_CLOCK)
    def a_message_is_delivered_and_its_worker_comes_to_an_act(self, index: int, clock: timedelta) -> None:
        self.to_an_act(self.deliver(index, clock))

    @precondition(lambda self: self.h.queue.visible() and len(self.baton.workers) < WORKERS)
    @rule(index=ANY_INDEX, clock=ANY_CLOCK)
    def a_message_is_delivered_and_handled(self, index: int, clock: timedelta) -> None:
        self.baton.finish(self.deliver(index, clock))

    @precondition(lambda self: self.h.queue.visible() and len(self.baton.workers) < WORKERS - 1)
    @rule(index=ANY_INDEX, clock=ANY_CLOCK, calls=st.integers(1, 12))
    def a_message_is_delivered_to_two(self, index: int, clock: timedelta, calls: int) -> None:
        body = self.h.queue.visible()[index % len(self.h.queue.visible())].body
        first = self.deliver(index, timedelta(0))
        self.goes_on(first, calls)
        self.h.queue.sent.insert(0, Sent(body, self.h.clock()))
        self.to_an_act(self.deliver(0, clock))

    def deliver(self, index: int, clock: timedelta) -> Worker:
        visible = self.h.queue.visible()
        message = visible[index % len(visible)]
        self.delivered = [*self.delivered[-2:], message.body]
        triggers = self.h.triggers(clock)
        return self.baton.start("go on", lambda: self.h.deliver(message, triggers))

    def to_an_act(self, worker: Worker) -> None:
        while not worker.ended and worker.operation not in ACTS:
            self.baton.step(worker)

    def goes_on(self, worker: Worker, calls: int) -> None:
        for _ in range(calls):
            if not worker.ended:
                self.baton.step(worker)

    @precondition(lambda self: len(self.baton.workers) < WORKERS)
    @rule(clock=ANY_CLOCK)
    def the_timer_fires(self, clock: timedelta) -> None:
        triggers = self.h.triggers(clock)
        self.baton.start("sweep", triggers.sweep)

    @precondition(lambda self: self.delivered and len(self.baton.workers) < WORKERS)
    @rule(id=ANY_WORKFLOW, clock=ANY_CLOCK)
    def a_client_cancels(self, id: str, clock: timedelta) -> None:
        def cancel(engine: Engine) -> None:
            self.cancelled.add((id, engine.cancel(id).generation))

        self.start(f"cancel {id}", clock, cancel)

    @precondition(lambda self: self.accepted and len(self.baton.workers) < WORKERS)
    @rule(id=ANY_WORKFLOW, clock=ANY_CLOCK)
    def a_client_tries_again(self, id: str, clock: timedelta) -> None:
        self.start(f"retry {id}", clock, lambda engine: engine.retry(id))

    @precondition(lambda self: self.accepted and len(self.baton.workers) < WORKERS)
    @rule(id=ANY_WORKFLOW, turn=st.integers(1, 4))
    def a_message_is_poisoned(self, id: str, turn: int) -> None:
        self.start(f"poison {id}", timedelta(0), lambda engine: engine.poisoned(id, turn))

    def start(
        self,
        name: str,
        clock: timedelta,
        call: Callable[[Engine], object],
        answered: Callable[[], object] = lambda: None,
    ) -> None:
        """Somebody who calls the engine, and may get no answer."""
        engine = self.h.engine(clock)

        def work() -> None:
            try:
                call(engine)
            except (Crash, Retryable, Ended, Unknown):
                return
            answered()

        self.baton.start(name, work)

    # ---- work goes on, in any order
    @precondition(lambda self: self.baton.workers)
    @rule(index=ANY_INDEX, calls=st.integers(1, 8))
    def a_worker_goes_on(self, index: int, calls: int) -> None:
        self.goes_on(self.worker(index), calls)

    @precondition(lambda self: self.baton.workers)
    @rule(index=ANY_INDEX)
    def a_worker_comes_to_an_act(self, index: int) -> None:
        worker = self.worker(index)
        self.baton.step(worker)
        self.to_an_act(worker)

    @precondition(lambda self: self.baton.workers)
    @rule(index=ANY_INDEX)
    def a_worker_gets_to_its_end(self, index: int) -> None:
        self.baton.finish(self.worker(index))

    @precondition(lambda self: self.baton.workers and self.crashes < CRASHES)
    @rule(index=ANY_INDEX)
    def a_worker_dies(self, index: int) -> None:
        self.crashes += 1
        self.baton.kill(self.worker(index))

    @precondition(lambda self: self.baton.workers)
    @rule(index=ANY_INDEX, when=st.sampled_from(["before", "after"]))
    def storage_does_not_answer(self, index: int, when: str) -> None:
        self.worker(index).fails = when

    def worker(self, index: int) -> Worker:
        return self.baton.workers[index % len(self.baton.workers)]

    # ---- what goes wrong around it
    @rule(seconds=st.sampled_from([1, 12, 31, 61, 181, 331, 451, 3601]))
    def time_passes(self, seconds: int) -> None:
        self.h.clock.advance(timedelta(seconds=seconds))
        self.h.world.pass_time()

    @precondition(lambda self: self.delivered)
    @rule(index=ANY_INDEX)
    def a_message_is_doubled(self, index: int) -> None:
        self.h.queue.sent.append(Sent(self.delivered[index % len(self.delivered)], self.h.clock()))

    @precondition(lambda self: self.h.queue.sent)
    @rule(index=ANY_INDEX)
    def a_message_is_lost(self, index: int) -> None:
        self.h.queue.sent.pop(index % len(self.h.queue.sent))

    @rule(
        operation=st.sampled_from(["create", "create", "add", "delete", "remove"]),
        fate=st.sampled_from([LOST, NEVER, LATE, THROTTLED]),
    )
    def a_call_will_go_wrong(self, operation: str, fate: str) -> None:
        if len(self.h.world.fates[operation]) < 2:
            self.h.world.fates[operation].append(fate)

    @precondition(lambda self: not self.h.world.refused)
    @rule()
    def grants_are_refused(self) -> None:
        self.h.world.refused = {"add"}

    @precondition(lambda self: self.h.world.refused)
    @rule()
    def grants_are_allowed_again(self) -> None:
        self.h.world.refused = set()

    @precondition(lambda self: not any(each.by == STRANGER for each in self.h.world.workspaces) and self.delivered)
    @rule(with_us=st.booleans())
    def a_stranger_makes_it(self, with_us: bool) -> None:
        self.h.world.stranger_makes("FIN-DEV", with_us=with_us)

    # ---- what holds at any time
    @invariant()
    def no_harm_is_done(self) -> None:
        assert self.h.world.harm == []

    @invariant()
    def nothing_is_made_twice(self) -> None:
        made = Counter(each.by for each in self.h.world.workspaces)
        assert [by for by, times in made.items() if times > 1 and by != STRANGER] == []

    # ---- what holds in the end
    def teardown(self) -> None:
        try:
            for worker in list(self.baton.workers):
                self.baton.finish(worker)
            for fates in self.h.world.fates.values():
                fates.clear()
            self.h.tap = untapped
            self.h.settle()
        finally:
            self.baton.kill_all()
        self.no_harm_is_done()
        self.nothing_is_made_twice()
        self.everything_has_ended()

    def everything_has_ended(self) -> None:
        assert self.h.order() == ()
        for id in PRINCIPALS:
            head: Any = self.h.store.head(id)
            assert head is not None or id not in self.accepted, f"{id} was accepted and is lost"
            if head is not None:
                assert head.final, f"{id} is {head.status}"
                assert not ((id, head.generation) in self.cancelled and head.status is Status.SUCCEEDED), "cancel lost"
                self.has_its_effects(id, head.status)

    def has_its_effects(self, id: str, status: Status) -> None:
        left = [entry for row in self.h.rows(id).values() for entry in row.cleanup if entry["status"] != "undone"]
        ours = [each for each in self.h.world.workspaces if each.alive and each.by.startswith(f"{id}.")]
        if status is Status.SUCCEEDED:
            alive = [each for each in self.h.world.workspaces if each.alive and each.by != STRANGER]
            assert [PRINCIPALS[id] in each.members for each in alive] == [True], f"{id} succeeded without its effects"
        elif not left:
            assert ours == [], f"{id} is {status} and has left its workspace behind"


TestAdversary = Adversary.TestCase
TestAdversary.settings = settings(
    max_examples=DEEPER or 200,
    stateful_step_count=60,
    derandomize=not DEEPER,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
