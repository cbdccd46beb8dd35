"""The worker dies before or after any one of its calls, to storage or to Power BI: the end is the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest

from tests.cloud import Cloud
from tests.e2e.provisioning_stage import (
    ANA,
    ANALYSTS,
    BEN,
    CAPACITY,
    OPERATIONS,
    POWER_BI,
    Json,
    Stage,
    access,
    provision,
)
from tests.workflow.memory import untapped

GHOST = "ghost@contoso.com"
PORTIONS = 4
REQUEST = provision(environments="prod", requestId="crash-points-1", access=[access(ANALYSTS, "Viewer", "Group")])
FAILING = {**REQUEST, "owners": [GHOST]}


class Crash(BaseException):
    """The process ends here."""


@dataclass
class Point:
    """Where to die: at the n-th call (none: nowhere), before or after its effect."""

    number: int = 0
    after: bool = False
    calls: int = 0

    def tap(self, operation: str) -> AbstractContextManager[None]:
        self.calls += 1
        return self._dying() if self.calls == self.number else self._living()

    @contextmanager
    def _living(self) -> Iterator[None]:
        yield

    @contextmanager
    def _dying(self) -> Iterator[None]:
        if not self.after:
            raise Crash
        yield
        raise Crash


def run(stage: Stage, body: Json) -> Json:
    """Send the request until it is accepted, and let the host and the sweep do the rest."""
    accepted = sent(stage, body)
    end = stage.now() + timedelta(hours=2)
    while stage.open.rows:
        assert stage.now() < end, "never comes to rest"
        try:
            if not stage.deliver():
                coming = [message.visible_at - stage.now() for message in stage.queue.sent]
                stage.advance(min([timedelta(minutes=1), *coming]))
                stage.triggers.sweep()
        except Crash:  # the message is gone; the sweep finds the workflow
            continue
    stage.tap = untapped  # what the test itself reads is no call of the app
    return stage.provisioning.get(accepted["id"])


def sent(stage: Stage, body: Json) -> Json:
    """The client repeats what was not answered."""
    try:
        return stage.submit(body)
    except Crash:
        return stage.submit(body)


def succeeds(stage: Stage, document: Json, stranger: Json) -> None:
    assert document["status"] == "succeeded"
    workspace = stage.workspace("FIN-Margin-PROD")
    assert workspace["capacityId"] == CAPACITY
    assert stage.members("FIN-Margin-PROD") == {ANA: "Admin", ANALYSTS: "Viewer"}
    assert stage.store.project("FIN-Margin").environments["prod"]["workspaceId"] == workspace["id"]
    assert {entry["status"] for entry in document["environments"]["prod"]["access"]} == {"granted"}
    assert set(stage.told()) == {"provisioning.succeeded"}
    assert [each for each in stage.workspaces() if each["id"] != workspace["id"]] == [stranger]
    assert audited(stage) == {"createWorkspace": 1, "assignCapacity": 1, "grantAccess": 2}


def audited(stage: Stage) -> Counter[str]:
    """Changes that are known to have been made, by their kind: no crash may leave one without its row."""
    decisions = [str(values["decision"]).split() for values, _ in stage.audit.rows.values()]
    return Counter(action for action, outcome in decisions if outcome in ("done", "found"))


def fails(stage: Stage, document: Json, stranger: Json) -> None:
    assert (document["status"], document["error"]["code"]) == ("failed", "noOwners")
    assert stage.workspaces() == [stranger]
    assert [entry["status"] for entry in document["cleanup"]] == ["undone"]
    assert set(stage.told()) == {"provisioning.failed"}
    assert stage.store.project("FIN-Margin").environments == {}


Judge = Callable[[Stage, Json, Json], None]


def die(stage: Stage, body: Json, judge: Judge, point: Point, meet: Callable[[Stage], None] = lambda _: None) -> int:
    """One run from the beginning; answers how many calls it made."""
    stage.cloud.reset()
    stage = Stage(stage.cloud, tap=point.tap, before=stage)
    stranger_id = stage.stranger("FIN-Stranger-PROD", BEN, OPERATIONS)
    stranger = stage.cloud.state()["workspaces"][stranger_id]
    meet(stage)
    document = run(stage, body)
    calls = point.calls
    judge(stage, document, stranger)
    assert stage.poisoned == []
    assert stage.store.project("FIN-Margin").order == ()
    return calls


@pytest.mark.timeout(180)
@pytest.mark.parametrize("portion", range(PORTIONS))
@pytest.mark.parametrize(("body", "judge"), [(REQUEST, succeeds), (FAILING, fails)], ids=["succeeds", "fails"])
def test_a_crash_anywhere_changes_nothing_about_the_end(cloud: Cloud, body: Json, judge: Judge, portion: int) -> None:
    stage = Stage(cloud)
    calls = die(stage, body, judge, Point())
    points = [Point(number, after) for number in range(1, calls + 1) for after in (False, True)]
    assert len(points) == 2 * calls
    for point in points[portion::PORTIONS]:
        try:
            die(stage, body, judge, point)
        except AssertionError as error:
            raise AssertionError(f"{'after' if point.after else 'before'} call {point.number} of {calls}") from error
        assert point.calls >= point.number, "the crash never came"


@pytest.mark.parametrize(("body", "judge"), [(REQUEST, succeeds), (FAILING, fails)], ids=["succeeds", "fails"])
@pytest.mark.parametrize("drop", ["before", "after"])
def test_an_answer_of_power_bi_lost_anywhere_changes_nothing_about_the_end(
    cloud: Cloud, body: Json, judge: Judge, drop: str
) -> None:
    """The worker lives and goes on; what it sent may have had its effect."""
    stage = Stage(cloud)
    die(stage, body, judge, Point())
    changes = len(stage.mutating())
    assert changes >= 4
    for number in range(changes):

        def lose(stage: Stage, number: int = number) -> None:
            stage.cloud.fault(POWER_BI, ".*", method="POST|PUT|PATCH|DELETE", drop=drop, skip=number)

        die(stage, body, judge, Point(), lose)
