"""The engine's rules, one test each: strikes, what is missing or unknown, the sweep, lost answers, the audit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from shared.errors import Unavailable
from shared.storage.tables import Stale
from shared.workflow.records import Head, Json, Project, Status, StepRow
from shared.workflow.steps import Change, Work
from tests.doubles.clock import MINUTE, SECOND
from tests.doubles.taps import Crash, breaks, untapped
from tests.workflow.harness import Harness
from tests.workflow.kind import CreateWorkspace, Provision
from tests.workflow.moves import Faulty, dies_at, use, waits
from tests.workflow.world import THROTTLED

# ---- strikes


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
        h.tap = dying = breaks(operation)
        h.go_on_until(lambda dying=dying: dying.happened)  # type: ignore[misc]
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
    h.tap = breaks("table workflows get", error=lambda: Unavailable("away"))
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
        h.tap = untapped
        assert h.clock() - before < MINUTE
        woken |= {message["id"] for message in h.queue.messages()}
        h.queue.sent.clear()
        h.clock.now = before + MINUTE
        sweeps += 1
    assert len(woken) == 2000
    assert sweeps < 60


def test_storage_that_is_away_is_no_failure_of_the_sweep(h: Harness) -> None:
    h.accept()
    h.tap = breaks("table open partition", error=lambda: Unavailable("away"))
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
