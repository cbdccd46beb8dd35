"""The engine's rules, one test each: the order within a project, and the end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.errors import Unavailable
from shared.workflow.records import Json, Status, StepRow
from shared.workflow.steps import Done
from tests.doubles.taps import breaks
from tests.workflow.harness import Harness
from tests.workflow.kind import CreateWorkspace
from tests.workflow.moves import dies_at, waits
from tests.workflow.world import THROTTLED


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
    h.tap = breaks("events tell", error=lambda: Unavailable("the topic is away"))
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
