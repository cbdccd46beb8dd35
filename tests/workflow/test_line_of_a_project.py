"""How many workflows of one project may wait: counted where they are accepted, by one conditional write."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.errors import TooManyRequests
from shared.workflow.records import Head, Project, Reserved, Status
from shared.workflow.timing import Timing
from tests.doubles.clock import HOUR, SECOND
from tests.doubles.taps import Crash, Meanwhile, breaks, untapped
from tests.workflow.harness import Harness
from tests.workflow.moves import failed, waits

LIMIT = 3


@pytest.fixture
def h() -> Harness:
    return Harness(timing=Timing(most_in_line=LIMIT))


def ask(h: Harness, *ids: str, project: str = "FIN") -> list[Head]:
    return [h.engine().accept(h.request(id, project)) for id in ids]


def refused(h: Harness, id: str) -> TooManyRequests:
    with pytest.raises(TooManyRequests) as refusal:
        ask(h, id)
    return refusal.value


def test_the_one_too_many_is_refused_with_nothing_recorded(h: Harness) -> None:
    ask(h, "w1", "w2", "w3")
    before = dict(h.workflows.rows), dict(h.opened.rows), dict(h.requests.blobs), dict(h.projects.rows), h.queue.sent[:]
    assert refused(h, "w4").retry_after == 60
    after = dict(h.workflows.rows), dict(h.opened.rows), dict(h.requests.blobs), dict(h.projects.rows), h.queue.sent
    assert after == before


def test_those_that_stand_in_line_already_count_as_well(h: Harness) -> None:
    waits(h)
    ask(h, "w2")
    h.deliver_all()
    assert (h.order(), h.store.project("FIN").reserved) == (("w1", "w2"), ())
    ask(h, "w3")
    refused(h, "w4")


def test_a_repeat_of_an_accepted_request_is_answered_though_the_line_is_full(h: Harness) -> None:
    ask(h, "w1", "w2", "w3")
    assert [head.id for head in ask(h, "w3")] == ["w3"]


def test_other_projects_have_lines_of_their_own(h: Harness) -> None:
    ask(h, "w1", "w2", "w3")
    ask(h, "w4", project="HR")


def test_when_those_in_line_have_ended_others_are_accepted_and_nothing_stays_counted(h: Harness) -> None:
    ask(h, "w1", "w2", "w3")
    h.settle()
    assert (h.order(), h.store.project("FIN").reserved) == ((), ())
    ask(h, "w4", "w5", "w6")
    refused(h, "w7")


def test_of_two_at_once_for_the_last_place_one_is_refused(h: Harness) -> None:
    ask(h, "w1", "w2")
    h.tap = Meanwhile("table projects replace", lambda: ask(h, "w4"))
    refused(h, "w3")
    assert h.store.head("w4") is not None


def test_an_acceptance_that_died_keeps_its_place_for_its_repeat_and_loses_it_after_an_hour(h: Harness) -> None:
    ask(h, "w1", "w2")
    h.tap = breaks("blob requests put")
    with pytest.raises(Crash):
        ask(h, "w3")
    h.tap = untapped
    h.settle()
    ask(h, "w4", "w5")
    refused(h, "w6")
    ask(h, "w3")
    h.settle()
    h.store.put_project(replace(h.store.project("FIN"), reserved=(Reserved("gone", h.clock()),)))
    ask(h, "w7", "w8")
    refused(h, "w9")
    h.clock.advance(HOUR + SECOND)
    ask(h, "w9")


def test_a_retry_stands_in_line_like_any_other(h: Harness) -> None:
    failed(h)
    ask(h, "w2", "w3", "w4")
    with pytest.raises(TooManyRequests):
        h.engine().retry("w1")
    assert (h.head().status, h.head().generation) == (Status.FAILED, 1)
    h.settle()
    assert h.engine().retry("w1").generation == 2
    h.settle()
    assert h.head().status is Status.SUCCEEDED


def test_the_row_of_a_project_holds_the_longest_line_that_there_may_be() -> None:
    h, most = Harness(), Timing().most_in_line
    ids = [f"00000000-0000-4000-8000-{number:012}" for number in range(most)]
    ask(h, *ids)
    reserved = h.store.project("FIN").reserved
    assert [each.id for each in reserved] == ids
    h.store.put_project(replace(Project("HR"), order=tuple(ids), reserved=reserved))
    largest = max(len(value) for row, _ in h.projects.rows.values() for value in row.values() if isinstance(value, str))
    assert largest * 2 < 64 * 1024  # UTF-16
