"""The worker dies before or after any one of its calls, to storage or to Power BI: the end is the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from tests.cloud import Cloud
from tests.doubles.clock import HOUR
from tests.doubles.taps import Crash, Interference, crash, points, told, untapped
from tests.e2e.provisioning.stage import GHOST, ProvisioningStage, access, provision
from tests.e2e.stage import Json
from tests.seeded import ANA, ANALYSTS, BEN, CAPACITY, OPERATIONS, POWER_BI

PORTIONS = 4
REQUEST = provision(environments="prod", requestId="crash-points-1", access=[access(ANALYSTS, "Viewer", "Group")])
FAILING = {**REQUEST, "owners": [GHOST]}


def run(stage: ProvisioningStage, body: Json) -> Json:
    """Send the request until it is accepted, and let the host and the sweep do the rest."""
    accepted = sent(stage, body)
    end = stage.now() + 2 * HOUR
    while stage.open.rows:
        try:
            stage.settle(end - stage.now())
        except Crash:  # the message is gone; the sweep finds the workflow
            continue
    stage.tap = untapped  # what the test itself reads is no call of the app
    return stage.document(accepted["id"])


def sent(stage: ProvisioningStage, body: Json) -> Json:
    """The client repeats what was not answered."""
    try:
        return stage.submit(body)
    except Crash:
        return stage.submit(body)


def succeeds(stage: ProvisioningStage, document: Json, stranger: Json) -> None:
    assert document["status"] == "succeeded"
    workspace = stage.workspace("FIN-Margin-PROD")
    assert workspace["capacityId"] == CAPACITY
    assert stage.members("FIN-Margin-PROD") == {ANA: "Admin", ANALYSTS: "Viewer"}
    assert stage.store.project("FIN-Margin").environments["prod"]["workspaceId"] == workspace["id"]
    assert {entry["status"] for entry in document["environments"]["prod"]["access"]} == {"granted"}
    assert set(stage.told()) == {"provisioning.succeeded"}
    assert [each for each in stage.workspaces() if each["id"] != workspace["id"]] == [stranger]
    assert audited(stage) == {"createWorkspace": 1, "assignCapacity": 1, "grantAccess": 2}


def audited(stage: ProvisioningStage) -> Counter[str]:
    """Changes that are known to have been made, by their kind: no crash may leave one without its row."""
    decisions = [str(values["decision"]).split() for values, _ in stage.audit.rows.values()]
    return Counter(action for action, outcome in decisions if outcome in ("done", "found"))


def fails(stage: ProvisioningStage, document: Json, stranger: Json) -> None:
    assert (document["status"], document["error"]["code"]) == ("failed", "noOwners")
    assert stage.workspaces() == [stranger]
    assert [entry["status"] for entry in document["cleanup"]] == ["undone"]
    assert set(stage.told()) == {"provisioning.failed"}
    assert stage.store.project("FIN-Margin").environments == {}


Judge = Callable[[ProvisioningStage, Json, Json], None]


def run_with(
    stage: ProvisioningStage,
    body: Json,
    judge: Judge,
    interference: Interference,
    meet: Callable[[ProvisioningStage], None] = lambda _: None,
) -> None:
    """One run from the beginning to its end, which is judged."""
    stage.cloud.reset()
    stage = ProvisioningStage(stage.cloud, tap=interference, before=stage)
    stranger_id = stage.stranger("FIN-Stranger-PROD", BEN, OPERATIONS)
    stranger = stage.cloud.state()["workspaces"][stranger_id]
    meet(stage)
    document = run(stage, body)
    judge(stage, document, stranger)
    assert stage.store.project("FIN-Margin").order == ()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("portion", range(PORTIONS))
@pytest.mark.parametrize(("body", "judge"), [(REQUEST, succeeds), (FAILING, fails)], ids=["succeeds", "fails"])
def test_a_crash_anywhere_changes_nothing_about_the_end(cloud: Cloud, body: Json, judge: Judge, portion: int) -> None:
    stage, clean = ProvisioningStage(cloud), Interference()
    run_with(stage, body, judge, clean)
    for point in points(len(clean.calls))[portion::PORTIONS]:
        interference = Interference({point: crash})
        try:
            run_with(stage, body, judge, interference)
        except AssertionError as error:
            raise AssertionError(told(point, clean.calls)) from error
        assert interference.left == {}, "the crash never came"


@pytest.mark.parametrize(("body", "judge"), [(REQUEST, succeeds), (FAILING, fails)], ids=["succeeds", "fails"])
@pytest.mark.parametrize("drop", ["before", "after"])
def test_an_answer_of_power_bi_lost_anywhere_changes_nothing_about_the_end(
    cloud: Cloud, body: Json, judge: Judge, drop: str
) -> None:
    """The worker lives and goes on; what it sent may have had its effect."""
    stage = ProvisioningStage(cloud)
    run_with(stage, body, judge, Interference())
    changes = len(stage.mutating())
    assert changes >= 4
    for number in range(changes):

        def lose(stage: ProvisioningStage, number: int = number) -> None:
            stage.cloud.fault(POWER_BI, ".*", method="POST|PUT|PATCH|DELETE", drop=drop, skip=number)

        run_with(stage, body, judge, Interference(), lose)
