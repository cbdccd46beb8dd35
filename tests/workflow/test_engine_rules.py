"""The engine's rules, one test each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from shared.errors import Ended, Invalid, Throttled, Unavailable, Unknown
from shared.storage.tables import Stale
from shared.workflow.records import Head, Json, Project, Status, StepRow, StepStatus
from shared.workflow.steps import Act, Change, Done, Fail, Step, Wait, Work
from shared.workflow.timing import Timing
from tests.workflow.harness import DEQUEUES, MINUTE, Crash, Harness
from tests.workflow.kind import CreateWorkspace, Provision
from tests.workflow.world import LOST, STRANGER, THROTTLED

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def h() -> Harness:
    return Harness()


class Breaks:
    """A tap that crashes the worker at the n-th call of an operation (1 is the next one)."""

    def __init__(self, operation: str, number: int = 1, error: Callable[[], BaseException] = Crash) -> None:
        self.operation, self.left, self.error = operation, number, error

    @contextmanager
    def __call__(self, operation: str) -> Iterator[None]:
        if operation == self.operation:
            self.left -= 1
            if self.left == 0:
                raise self.error()
        yield


class Meanwhile:
    """A tap that does something else just before the n-th call of an operation."""

    def __init__(self, operation: str, does: Callable[[], object], number: int = 1) -> None:
        self.operation, self.does, self.left = operation, does, number

    @contextmanager
    def __call__(self, operation: str) -> Iterator[None]:
        if operation == self.operation:
            self.left -= 1
            if self.left == 0:
                self.does()
        yield


def dies_at(h: Harness, operation: str, number: int = 1) -> None:
    """Accept, and let the first invocation's process end there."""
    h.accept()
    h.tap = Breaks(operation, number)
    h.deliver(h.queue.visible()[0])
    h.tap = Breaks("")


def waits(h: Harness) -> None:
    """Accept, and stop at a create whose answer was lost and which nobody sees yet."""
    h.world.fates["create"].append(LOST)
    h.world.lag = timedelta(minutes=3)
    h.accept()
    h.deliver_all()


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
    h.tap = Breaks("queue workflow-steps send", error=lambda: Unavailable("queues are away"))
    assert h.engine().accept(h.request()).status is Status.ACCEPTED
    h.settle()
    assert h.head().status is Status.SUCCEEDED


def test_an_acceptance_that_died_before_its_head_is_forgotten_after_an_hour_and_not_before(h: Harness) -> None:
    h.tap = Breaks("table workflows insert")
    with pytest.raises(Crash):
        h.engine().accept(h.request())
    h.clock.advance(HOUR)
    h.sweep()
    assert h.opened.rows
    h.clock.advance(SECOND)
    h.sweep()
    assert not h.opened.rows


def test_the_sweep_does_not_forget_an_acceptance_that_was_renewed_after_it_looked(h: Harness) -> None:
    h.tap = Breaks("table workflows insert")
    with pytest.raises(Crash):
        h.engine().accept(h.request())
    h.clock.advance(HOUR + SECOND)
    h.tap = Meanwhile("table open delete", h.accept)
    h.sweep()
    h.tap = Breaks("")
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


# ---- a step


def test_a_step_is_announced_with_what_was_seen_before_it_acts(h: Harness) -> None:
    dies_at(h, "world create")
    row = h.rows()["workspace"]
    assert (row.open, row.attempts, row.attempted_at, row.seen) == (True, 1, h.clock(), {})


def test_what_was_absent_before_an_unanswered_act_and_is_there_now_counts_as_ours(h: Harness) -> None:
    dies_at(h, "audit record")
    h.settle()
    assert h.rows()["workspace"].outcome["created"] == "uncertain"
    assert h.alive() == [("FIN-DEV", ["ana", "app"])]


def test_what_was_seen_before_the_first_act_is_not_overwritten_by_what_is_seen_after_it() -> None:
    first = StepRow("k").announced(Harness().clock(), {})
    assert first.announced(Harness().clock(), {"id": "x"}).seen == {}


def test_after_an_act_that_had_no_effect_the_next_look_says_what_was_there_before() -> None:
    row = StepRow("k")
    refused = row.announced(Harness().clock(), {}).without_effect(row)
    assert refused.announced(Harness().clock(), {"there": True}).seen == {"there": True}


def test_a_throttled_act_is_not_unknown_and_is_sent_again_only_after_its_time(h: Harness) -> None:
    h.world.fates["create"].append(THROTTLED)
    h.accept()
    h.deliver_all()
    assert not h.rows()["workspace"].open
    assert [message.visible_at - h.clock() for message in h.queue.sent] == [MINUTE]
    h.settle()
    assert (h.head().status, h.world.calls["create"]) == (Status.SUCCEEDED, 2)


def test_an_act_whose_answer_was_lost_is_unknown(h: Harness) -> None:
    waits(h)
    assert h.rows()["workspace"].open


def test_a_throttled_act_that_had_changed_something_before_is_unknown(h: Harness) -> None:
    class Half(CreateWorkspace):
        def act(self, work: Work, row: StepRow, seen: Json) -> Any:
            super().act(work, row, seen)
            raise Throttled("the second call", retry_after=5)

    use(h, Half)
    h.accept()
    h.deliver(h.queue.visible()[0])
    assert h.rows()["workspace"].open


@pytest.mark.parametrize("error", [Unavailable("audit is away"), Invalid("the row is too large")])
def test_an_audit_that_fails_after_the_act_does_not_make_the_act_undone(h: Harness, error: Exception) -> None:
    h.accept()
    h.tap = Breaks("audit record", error=lambda: error)
    h.deliver(h.queue.visible()[0])
    assert h.rows()["workspace"].open
    h.settle()
    assert (h.head().status, len(h.world.workspaces)) == (Status.SUCCEEDED, 1)


def test_a_name_that_is_taken_before_anything_was_tried_fails_and_touches_nothing(h: Harness) -> None:
    h.world.stranger_makes("FIN-DEV", with_us=False)
    h.accept()
    h.settle()
    assert (h.head().error or {})["code"] == "nameTaken"
    assert h.alive() == [("FIN-DEV", [STRANGER])]
    assert not h.rows()["workspace"].to_undo, "an act that was refused has nothing to take back"


def test_no_second_create_is_sent_while_the_first_may_still_take_effect(h: Harness) -> None:
    h.world.fates["create"].append("late")
    h.accept()
    h.settle()
    assert (h.world.calls["create"], len(h.world.workspaces), h.head().status) == (1, 1, Status.SUCCEEDED)


def test_a_workspace_that_never_becomes_visible_is_left_and_named(h: Harness) -> None:
    h.world.lag = timedelta(days=1)
    h.world.fates["create"].append(LOST)
    h.accept()
    h.settle()
    assert (h.head().error or {})["code"] == "notVisible"
    assert [entry["status"] for entry in h.rows()["workspace"].cleanup] == ["left"]


def test_a_fault_after_which_the_step_waits_is_counted_too(h: Harness) -> None:
    class Confused(CreateWorkspace):
        def act(self, work: Work, row: StepRow, seen: Json) -> Any:
            return Act()

    use(h, Confused)
    h.accept()
    h.settle()
    assert (h.head().error or {})["code"] == "internal"


def test_long_json_in_the_journal_is_kept_whole(h: Harness) -> None:
    long = [f"principal-{number}@contoso.com" for number in range(3000)]

    class Long(CreateWorkspace):
        def look(self, work: Work, row: StepRow) -> Json:
            return {"members": long}

        def decide(self, row: StepRow, seen: Json, now: Any) -> Any:
            return Done({"id": "", "members": seen["members"]})

    use(h, Long)
    h.accept()
    h.deliver_all()
    assert h.rows()["workspace"].outcome["members"] == long
    entities = [entity for entity, _ in h.workflows.rows.values()]
    assert max(len(value) for entity in entities for value in entity.values() if isinstance(value, str)) <= 30_000


# ---- waiting


def test_waiting_is_one_write_and_then_one_message_with_the_next_turn(h: Harness) -> None:
    waits(h)
    head = h.head()
    assert (head.status, head.owner, head.turn, head.why) == (Status.WAITING, "", 2, "no answer")
    assert [json.loads(message.body)["turn"] for message in h.queue.sent] == [2]
    assert head.due == h.queue.sent[0].visible_at


def test_a_message_that_was_lost_is_sent_again_by_the_sweep_a_minute_after_it_was_due(h: Harness) -> None:
    waits(h)
    h.queue.sent.clear()
    h.clock.now = h.head().due + MINUTE
    h.sweep()
    assert h.queue.sent == []
    h.clock.advance(SECOND)
    h.sweep()
    h.sweep()
    assert [json.loads(message.body)["turn"] for message in h.queue.sent] == [2], "the same turn, and once"


def test_an_outage_is_no_strike_however_long_it_lasts(h: Harness) -> None:
    h.world.fates["create"].extend([THROTTLED] * 100)
    h.accept()
    h.settle()
    assert (h.head().status, h.rows()["workspace"].attempts) == (Status.SUCCEEDED, 101)


def test_storage_that_is_away_while_a_message_is_handled_puts_the_message_back(h: Harness) -> None:
    h.accept()
    h.tap = Breaks("table workflows partition", error=lambda: Throttled("slow", retry_after=77))
    message = h.queue.visible()[0]
    h.deliver(message)
    assert [again.visible_at - h.clock() for again in h.queue.sent] == [timedelta(seconds=77)]
    assert [again.dequeued for again in h.queue.sent] == [0], "a new message: it is on no way to poison"


# ---- one workflow per project


def test_workflows_of_a_project_run_one_after_the_other_in_the_order_in_which_they_came(h: Harness) -> None:
    waits(h)
    h.accept(h.request("w2", project="fin", principal="ben"))
    h.deliver_all()
    assert h.order() == ("w1", "w2")
    assert "w1" in h.head("w2").why
    h.world.refused.clear()
    h.settle()
    assert (h.head().status, h.head("w2").status) == (Status.SUCCEEDED, Status.SUCCEEDED)
    assert h.told.ends[0][0] == "w1"


def test_the_next_in_line_is_woken_at_once(h: Harness) -> None:
    waits(h)
    h.accept(h.request("w2", principal="ben"))
    h.go_on_until(lambda: h.head().final)
    assert h.head("w2").final


def test_a_workflow_that_waits_for_its_project_can_be_cancelled_at_once(h: Harness) -> None:
    waits(h)
    h.accept(h.request("w2", principal="ben"))
    h.deliver_all()
    h.engine().cancel("w2")
    h.deliver_all()
    assert (h.head("w2").status, h.head().status, h.order()) == (Status.CANCELLED, Status.WAITING, ("w1",))


def test_the_first_in_line_is_not_woken_by_the_end_of_one_behind_it(h: Harness) -> None:
    h.world.fates["create"].append(THROTTLED)
    h.accept()
    h.deliver_all()
    h.accept(h.request("w2", principal="ben"))
    h.deliver_all()
    h.engine().cancel("w2")
    h.deliver_all()
    assert h.world.calls["create"] == 1, "Retry-After is not over"


@pytest.mark.parametrize("trace", ["ended", "unknown"])
def test_one_that_ended_without_giving_its_place_back_does_not_hold_up_the_others(h: Harness, trace: str) -> None:
    h.accept()
    h.settle()
    first = "w1" if trace == "ended" else "nobody"
    project = h.store.project("FIN")
    h.store.put_project(replace(project, order=(first,)))
    h.accept(h.request("w2", principal="ben"))
    h.settle()
    assert (h.head("w2").status, h.order()) == (Status.SUCCEEDED, ())


def test_a_project_that_belongs_to_another_client_is_refused_at_its_turn(h: Harness) -> None:
    h.accept()
    h.settle()
    h.accept(replace(h.request("w2", principal="ben"), client="other"))
    h.settle()
    assert (h.head("w2").status, (h.head("w2").error or {})["code"]) == (Status.FAILED, "forbidden")
    assert h.alive() == [("FIN-DEV", ["ana", "app"])]


def test_what_was_made_is_registered_for_the_client_that_made_it(h: Harness) -> None:
    h.accept()
    h.settle()
    project = h.store.project("FIN")
    assert (project.client, project.environments["dev"]["workflow"]) == ("client", "w1")


def test_a_failure_registers_nothing(h: Harness) -> None:
    h.world.refused.add("add")
    h.accept()
    h.settle()
    assert h.registered() == {}


# ---- the end


def test_whoever_meets_an_end_that_is_still_open_finishes_it(h: Harness) -> None:
    dies_at(h, "table open get")
    assert (h.head().status, h.order(), h.told.ends) == (Status.SUCCEEDED, ("w1",), [])
    h.sweep()
    assert (h.order(), h.told.ends, h.opened.rows) == ((), [("w1", 1, "succeeded")], {})


def test_events_that_can_not_be_told_hold_up_neither_the_project_nor_other_workflows(h: Harness) -> None:
    h.accept()
    h.tap = Breaks("events tell", error=lambda: Unavailable("the topic is away"))
    h.deliver_all()
    assert h.order() == ()
    h.settle()
    assert h.told.ends == [("w1", 1, "succeeded")]


def test_a_success_with_warnings_says_so(h: Harness) -> None:
    class Warns(CreateWorkspace):
        def decide(self, row: StepRow, seen: Json, now: Any) -> Any:
            return Done({"id": "", "warnings": ["one principal is unknown"]})

    h.kind.plan = lambda head, body: [Warns(h.world, "FIN-DEV", "ana")]  # type: ignore[method-assign]
    h.kind.register = lambda head, project, outcomes: {}  # type: ignore[method-assign]
    h.accept()
    h.settle()
    assert h.head().status is Status.SUCCEEDED_WITH_WARNINGS


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
    h.tap = Breaks("table workflows replace", number=4)
    h.deliver(h.queue.visible()[0])
    h.tap = Breaks("")
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


def failed(h: Harness) -> None:
    h.world.refused.add("add")
    h.accept()
    h.settle()
    h.world.refused.clear()


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


@pytest.mark.parametrize("call", range(1, 9))
def test_a_late_end_of_the_first_round_takes_neither_place_nor_row_of_the_second(h: Harness, call: int) -> None:
    """The end is overtaken by retry, before each of its calls; and then the retry's message is lost."""
    calls: list[str] = []

    @contextmanager
    def overtaken(operation: str) -> Iterator[None]:
        calls.append(operation)
        if len(calls) == call:
            h.engine().retry("w1")
            h.queue.sent.clear()
            h.clock.advance(3 * MINUTE)
            h.sweep()
            h.deliver(h.queue.visible()[0])
        yield

    h.world.refused.add("add")
    h.accept()
    h.tap = Breaks("table open get")
    h.deliver_all()
    h.world.refused.clear()
    h.world.fates["create"].extend([THROTTLED])
    assert h.head().status is Status.FAILED
    h.tap = overtaken
    h.engine()._finish(h.store.head("w1"))  # type: ignore[arg-type]
    h.tap = Breaks("")
    if h.head().status is Status.WAITING:
        assert (h.order(), list(h.opened.rows)) == (("w1",), [("open", "w1")])
    h.settle()
    if len(calls) >= call:
        assert h.head().status is Status.SUCCEEDED


def test_a_retry_that_died_before_its_head_leaves_the_failure_and_is_forgotten_after_an_hour(h: Harness) -> None:
    failed(h)
    h.tap = Breaks("table workflows replace")
    with pytest.raises(Crash):
        h.engine().retry("w1")
    h.tap = Breaks("")
    h.sweep()
    assert h.opened.rows
    h.clock.advance(HOUR + SECOND)
    h.sweep()
    assert (h.opened.rows, h.head().status) == ({}, Status.FAILED)


def test_a_retry_that_died_after_its_head_is_carried_out(h: Harness) -> None:
    failed(h)
    h.tap = Breaks("queue workflow-steps send")
    with pytest.raises(Crash):
        h.engine().retry("w1")
    h.settle()
    assert h.head().status is Status.SUCCEEDED


# ---- strikes


@dataclass
class Faulty(CreateWorkspace):
    """Raises what no step should raise."""

    def look(self, work: Work, row: StepRow) -> Json:
        raise ZeroDivisionError("a fault of ours")


def use(h: Harness, step: type[CreateWorkspace]) -> None:
    """The first step is this one."""
    plan = h.kind.plan

    def changed(head: Head, body: Json) -> Sequence[Step]:
        first, *others = plan(head, body)
        assert isinstance(first, CreateWorkspace)
        return [step(first.world, first.workspace_name, first.principal), *others]

    h.kind.plan = changed  # type: ignore[method-assign]


def test_an_invocation_that_breaks_gives_the_lease_back_and_leaves_the_trigger(h: Harness) -> None:
    use(h, Faulty)
    h.accept()
    h.deliver(h.queue.visible()[0])
    head = h.head()
    assert (head.owner, head.status, head.turn) == ("", Status.WAITING, 1)
    assert [message.dequeued for message in h.queue.sent] == [1], "the host delivers it again"


def test_a_fault_that_stays_turns_the_workflow_round_within_a_quarter_of_an_hour(h: Harness) -> None:
    use(h, Faulty)
    h.accept()
    h.settle(timedelta(minutes=15))
    assert (h.head().status, (h.head().error or {})["code"]) == (Status.FAILED, "internal")


def test_a_fault_that_is_mended_in_time_does_no_harm(h: Harness) -> None:
    mended = h.kind.plan
    use(h, Faulty)
    h.accept()
    h.go_on_until(lambda: h.head().strikes >= 12)
    h.kind.plan = mended  # type: ignore[method-assign]
    h.settle()
    assert (h.head().status, h.head().error) == (Status.SUCCEEDED, None)


def test_poison_is_a_strike_once_and_only_for_the_turn_that_it_speaks_of(h: Harness) -> None:
    h.accept()
    h.queue.sent.clear()
    for _ in range(3):
        h.engine().poisoned("w1", 1)
    assert (h.head().strikes, h.head().turn, len(h.queue.sent)) == (5, 2, 1)


def test_poison_is_no_strike_while_somebody_works(h: Harness) -> None:
    dies_at(h, "world find")
    h.engine().poisoned("w1", 1)
    assert h.head().strikes == 0


def test_strikes_are_forgotten_when_a_step_gets_through_but_not_when_it_waits(h: Harness) -> None:
    waits(h)
    h.engine().poisoned("w1", h.head().turn)
    h.clock.advance(MINUTE)
    h.deliver_all()
    assert (h.head().status, h.head().strikes) == (Status.WAITING, 5)
    h.world.fates["add"].append(THROTTLED)
    h.go_on_until(lambda: h.world.calls["add"] == 1)
    assert (h.head().status, h.head().strikes) == (Status.WAITING, 0)


def test_a_workflow_at_which_workers_die_is_turned_round_although_no_message_is_poisoned(h: Harness) -> None:
    class Kills(CreateWorkspace):
        def look(self, work: Work, row: StepRow) -> Json:
            raise Crash

    use(h, Kills)
    h.accept()
    h.settle()
    assert (h.head().status, (h.head().error or {})["code"]) == (Status.FAILED, "internal")


def test_a_restart_of_the_app_is_no_reason_to_take_back(h: Harness) -> None:
    h.accept()
    for operation in ("world find", "world create", "audit record", "world add"):
        h.tap = Breaks(operation)
        h.go_on_until(lambda: h.tap.left < 1)  # type: ignore[attr-defined]
    h.settle()
    assert h.head().status is Status.SUCCEEDED


@pytest.mark.parametrize("place", ["look_undo", "plan"])
def test_an_undo_that_keeps_breaking_ends_and_names_what_it_leaves(h: Harness, place: str) -> None:
    class KeepsBreaking(CreateWorkspace):
        def look_undo(self, work: Work, row: StepRow) -> Json:
            raise ZeroDivisionError

    use(h, KeepsBreaking if place == "look_undo" else CreateWorkspace)
    h.world.refused.add("add")
    h.accept()
    if place == "plan":
        h.world.fates["delete"].append(THROTTLED)
        h.deliver_all()
        h.kind.plan = lambda head, body: 1 / 0  # type: ignore[method-assign,assignment,return-value]
    h.settle()
    assert h.head().status is Status.FAILED
    assert [(each["what"], each["status"]) for each in h.rows()["workspace"].cleanup] == [("dev/workspace", "failed")]


def test_the_poison_handler_never_raises(h: Harness) -> None:
    h.accept()
    for body in (b"", b"{", b"[]", b'{"id": 1, "turn": 1}', b'{"id": "w1", "turn": true}', b'{"id": "no", "turn": 1}'):
        h.triggers().poisoned(body)
    h.tap = Breaks("table workflows get", error=lambda: Unavailable("away"))
    h.triggers().poisoned(b'{"id": "w1", "turn": 1}')


def test_a_message_that_is_none_of_ours_is_kept_with_the_reason(h: Harness) -> None:
    h.triggers().go_on(b"rubbish")
    [(name, kept)] = h.rejected.blobs.items()
    assert name.startswith("workflow-steps/")
    assert json.loads(kept)["message"] == "rubbish"


# ---- the request's body


def test_a_request_that_was_removed_ends_the_workflow_and_names_what_it_leaves(h: Harness) -> None:
    waits(h)
    h.requests.blobs.clear()
    h.settle()
    assert (h.head().status, (h.head().error or {})["code"]) == (Status.FAILED, "internal")
    assert [each["what"] for each in h.rows()["workspace"].cleanup] == ["dev/workspace"]


def test_a_request_that_is_restored_in_time_is_carried_out(h: Harness) -> None:
    waits(h)
    kept = dict(h.requests.blobs)
    h.requests.blobs.clear()
    h.go_on_until(lambda: "restore" in h.head().why)
    h.requests.blobs.update(kept)
    h.settle()
    assert h.head().status is Status.SUCCEEDED


# ---- versions


def test_a_plan_of_a_version_that_nobody_knows_is_parked_visibly_and_goes_on_later(h: Harness) -> None:
    h.accept()
    h.kind.versions = (4, 3)
    h.deliver_all()
    assert (h.head().status, "version 2" in h.head().why) == (Status.WAITING, True)
    assert h.order() == (), "it holds up nobody"
    h.kind.versions = (3, 2)
    h.settle()
    assert h.head().status is Status.SUCCEEDED


def test_a_kind_that_nobody_knows_is_parked_too(h: Harness) -> None:
    h.accept()
    kind = h.kinds.pop("provision")
    h.deliver_all()
    assert (h.head().status, h.head().owner, h.poison) == (Status.WAITING, "", [])
    h.kinds["provision"] = kind
    h.settle()
    assert h.head().status is Status.SUCCEEDED


def test_the_previous_version_of_a_plan_still_runs(h: Harness) -> None:
    h.kind.versions = (1,)
    h.accept()
    h.kind.versions = (2, 1)
    h.settle()
    assert (h.head().status, h.head().plan_version) == (Status.SUCCEEDED, 1)


# ---- the sweep


def test_a_row_that_can_not_be_handled_does_not_stand_in_the_way_of_the_others(h: Harness) -> None:
    class Picky(Provision):
        def register(self, head: Head, project: Project, outcomes: Any) -> Json:
            if head.id == "w1":
                raise ZeroDivisionError
            return super().register(head, project, outcomes)

    h.kinds["provision"] = Picky(h.world)
    for id in ("w0", "w1", "w2"):
        h.accept(h.request(id, project=f"FIN{id}"))
    h.deliver_all()
    for _ in range(3):
        h.clock.advance(MINUTE)
        h.sweep()
    assert [row for _, row in h.opened.rows] == ["w1"]


def test_a_sweep_over_thousands_is_bounded_in_time_and_the_next_one_begins_elsewhere(h: Harness) -> None:
    for number in range(2000):
        h.accept(h.request(f"{number * 2**21:08x}-w", project=f"P{number}"))
    h.queue.sent.clear()
    h.tap = Meanwhile("", lambda: None)

    @contextmanager
    def slow(operation: str) -> Iterator[None]:
        h.clock.advance(timedelta(milliseconds=60))
        yield

    woken: set[str] = set()
    h.clock.advance(3 * MINUTE)
    sweeps = 0
    while len(woken) < 2000 and sweeps < 60:
        before = h.clock()
        h.tap = slow
        h.sweep()
        h.tap = Breaks("")
        assert h.clock() - before < MINUTE
        woken |= {message["id"] for message in h.queue.messages()}
        h.queue.sent.clear()
        h.clock.now = before + MINUTE
        sweeps += 1
    assert len(woken) == 2000
    assert sweeps < 60


def test_storage_that_is_away_is_no_failure_of_the_sweep(h: Harness) -> None:
    h.accept()
    h.tap = Breaks("table open partition", error=lambda: Unavailable("away"))
    h.triggers().sweep()


# ---- writes whose answer was lost


@pytest.mark.parametrize("number", range(1, 6))
def test_a_write_that_storage_repeats_for_itself_is_recognised(h: Harness, number: int) -> None:
    """The SDK sends a conditional write again when no answer came, and is refused because of its own write."""
    replace_row, left = h.workflows.replace, [number]

    def twice(partition: str, row: str, values: Any, etag: str = "") -> str:
        written = replace_row(partition, row, values, etag)
        left[0] -= 1
        if etag and left[0] == 0:
            raise Stale(row)
        return written

    h.accept()
    h.workflows.replace = twice  # type: ignore[method-assign]
    h.deliver_all()
    assert h.head().status is Status.SUCCEEDED, "at once, without waiting for a lease to run out"


def test_a_first_write_that_storage_repeats_for_itself_is_recognised(h: Harness) -> None:
    insert = h.workflows.insert

    def twice(partition: str, row: str, values: Any) -> str:
        insert(partition, row, values)
        return insert(partition, row, values)

    h.workflows.insert = twice  # type: ignore[method-assign]
    h.accept()
    h.deliver_all()
    assert h.head().status is Status.SUCCEEDED


# ---- the audit


def test_every_change_has_a_name_of_its_own_and_a_repeat_has_the_same(h: Harness) -> None:
    h.world.refused.add("add")
    h.accept()
    h.settle()
    acts = [act for _, act, _ in h.told.changes]
    assert len(acts) == len(set(acts)) == 2
    assert all(isinstance(change, Change) for _, _, change in h.told.changes)


def test_lists_show_the_newest_first_and_go_on_where_they_stopped(h: Harness) -> None:
    for number in range(5):
        h.accept(h.request(f"w{number}", project="FIN" if number % 2 else "HR"))
        h.clock.advance(SECOND)
    first = h.store.listed(top=3)
    assert [id for _, id in first] == ["w4", "w3", "w2"]
    assert [id for _, id in h.store.listed(after=first[-1][0])] == ["w1", "w0"]
    assert [id for _, id in h.store.listed("fin")] == ["w3", "w1"]


def test_the_host_gives_up_after_five_deliveries() -> None:
    assert DEQUEUES == 5


def test_unused_verdicts_are_what_they_say() -> None:
    assert Fail("code", "message", "rid").error("dev/access")["requestId"] == "rid"
    assert Wait(1, "why").outcome is None
