"""The engine's rules, one test each: a step with its journal, and waiting."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from shared.errors import Invalid, Throttled, Unavailable
from shared.workflow.records import Json, Status, StepRow
from shared.workflow.steps import Act, Done, Work
from tests.doubles.clock import MINUTE, SECOND
from tests.doubles.taps import breaks
from tests.workflow.harness import Harness
from tests.workflow.kind import CreateWorkspace
from tests.workflow.moves import dies_at, use, waits
from tests.workflow.world import LOST, STRANGER, THROTTLED


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
    h.tap = breaks("audit record", error=lambda: error)
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
    h.tap = breaks("table workflows partition", error=lambda: Throttled("slow", retry_after=77))
    message = h.queue.visible()[0]
    h.deliver(message)
    assert [again.visible_at - h.clock() for again in h.queue.sent] == [timedelta(seconds=77)]
    assert [again.dequeued for again in h.queue.sent] == [0], "a new message: it is on no way to poison"
