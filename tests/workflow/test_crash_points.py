"""The worker dies before and after every single call that it makes, and everything ends as if it had not.

Each scenario is run once undisturbed, which says how many calls it makes, and then twice for each of them.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from shared.errors import Retryable
from tests.doubles.taps import Act, Crash, Interference, Meanwhile, crash, points, storage_away, told, untapped
from tests.workflow.harness import Harness
from tests.workflow.world import LOST

Scenario = Callable[[Harness], None]


def again(call: Callable[[], object]) -> None:
    """A client that repeats what got no answer."""
    for _ in range(5):
        try:
            call()
        except (Crash, Retryable):
            continue
        return
    raise AssertionError("never answered")


# ---- what happens


def succeeds(h: Harness) -> None:
    h.accept()
    h.settle()


def fails_for_good(h: Harness) -> None:
    h.world.refused.add("add")
    h.accept()
    h.settle()


def is_cancelled_on_the_way(h: Harness) -> None:
    h.world.fates["create"].append(LOST)  # so that it waits, with a workspace that it does not know of
    h.world.lag = timedelta(minutes=3)
    h.accept()
    h.go_on_until(lambda: h.world.calls["create"] > 0)
    again(lambda: h.engine().cancel("w1"))
    h.settle()


def finds_what_a_lost_answer_made(h: Harness) -> None:
    h.world.fates["create"].append(LOST)
    h.world.lag = timedelta(minutes=3)
    h.accept()
    h.settle()


def fails_and_is_tried_again(h: Harness) -> None:
    fails_for_good(h)
    h.world.refused.clear()
    again(lambda: h.head().status == "failed" and h.engine().retry("w1"))
    h.settle()


def two_want_one_project(h: Harness) -> None:
    h.accept()
    h.accept(h.request("w2", principal="ben"))
    h.settle()


SCENARIOS: list[Scenario] = [
    succeeds,
    fails_for_good,
    is_cancelled_on_the_way,
    finds_what_a_lost_answer_made,
    fails_and_is_tried_again,
    two_want_one_project,
]


# ---- what has to come out


@dataclass(frozen=True)
class Final:
    """Everything that is left when all is at rest, but for how often and when."""

    statuses: tuple[tuple[str, str], ...]
    errors: tuple[str, ...]
    steps: tuple[tuple[str, str, str], ...]
    workspaces: tuple[tuple[str, tuple[str, ...]], ...]
    made: int
    registered: tuple[str, ...]
    ends: frozenset[tuple[str, int, str]]


def final(h: Harness) -> Final:
    ids = sorted({key[0] for key in h.workflows.rows if key[1] == "head"})
    alive = {each.id: each.name for each in h.world.workspaces if each.alive}
    return Final(
        statuses=tuple((id, h.head(id).status.value) for id in ids),
        errors=tuple(str((h.head(id).error or {}).get("code", "")) for id in ids),
        steps=tuple(
            (id, name, "ended" if row.ended else row.status.value)
            for id in ids
            for name, row in sorted(h.rows(id).items())
        ),
        workspaces=tuple((name, tuple(members)) for name, members in h.alive()),
        made=len(h.world.workspaces),
        registered=tuple(alive[each["workspaceId"]] for each in h.registered().values()),
        ends=frozenset(h.told.ends),
    )


def check_nothing_is_left_over(h: Harness) -> None:
    assert h.resting(), "no message, no poison, no row in `open`"
    assert h.order() == (), "the project is free"
    assert h.world.harm == []
    audited = {(change.action, change.target) for _, _, change in h.told.changes}
    acts = {"create": "createWorkspace", "add": "grant", "remove": "revoke", "delete": "deleteWorkspace"}
    assert {acts[done] for done in h.world.done} <= {action for action, _ in audited}, "every change is in the audit"


def run(scenario: Scenario, interference: Interference) -> Harness:
    h = Harness(interference)
    scenario(h)
    h.tap = untapped
    return h


def check_every_point(scenario: Scenario, act: Act) -> None:
    """Let it happen before and after every call that the scenario makes, one at a time."""
    clean = Interference()
    wanted = final(run(scenario, clean))
    assert len(clean.calls) > 20
    for point in points(len(clean.calls)):
        interference = Interference({point: act})
        h = run(scenario, interference)
        assert interference.calls[: point[0]] == clean.calls[: point[0]], "the same calls in the same order, up to it"
        assert final(h) == wanted, told(point, clean.calls)
        check_nothing_is_left_over(h)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_a_crash_at_any_point_changes_nothing_in_the_end(scenario: Scenario) -> None:
    check_every_point(scenario, crash)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_a_call_to_storage_that_is_not_answered_changes_nothing_in_the_end(scenario: Scenario) -> None:
    check_every_point(scenario, storage_away)


def test_the_scenarios_end_as_their_names_say() -> None:
    ends = {scenario.__name__: final(run(scenario, Interference())) for scenario in SCENARIOS}
    assert {name: [status for _, status in end.statuses] for name, end in ends.items()} == {
        "succeeds": ["succeeded"],
        "fails_for_good": ["failed"],
        "is_cancelled_on_the_way": ["cancelled"],
        "finds_what_a_lost_answer_made": ["succeeded"],
        "fails_and_is_tried_again": ["succeeded"],
        "two_want_one_project": ["succeeded", "succeeded"],
    }
    assert {name: end.made for name, end in ends.items() if end.made != 1} == {"fails_and_is_tried_again": 2}
    assert [name for name, end in ends.items() if not end.workspaces] == ["fails_for_good", "is_cancelled_on_the_way"]


def test_a_request_that_is_accepted_twice_at_once_is_carried_out_as_the_head_says() -> None:
    """The second comes between the first one's body and head, with another body under the same key."""
    h = Harness()
    first, second = h.request(principal="ana"), h.request(principal="ben")
    put = h.store.put_body
    h.tap = Meanwhile("table workflows insert", lambda: put(second.id, second.body))
    h.engine().accept(first)
    h.settle()
    assert h.alive() == [("FIN-DEV", ["ana", "app"])]


def test_ids_are_of_any_form_that_requests_have() -> None:
    h = Harness()
    asked = replace(h.request(), id=str(uuid.UUID(int=7)))
    h.accept(asked)
    h.settle()
    assert h.head(asked.id).status == "succeeded"
