"""Nobody loses access in favour of an owner whom Power BI then refuses."""

from __future__ import annotations

import pytest

from tests.cloud import Cloud
from tests.e2e.provisioning_stage import ANA, BEN, Stage, access, provision

GHOST = "ghost@contoso.com"


@pytest.fixture
def stage(cloud: Cloud) -> Stage:
    stage = Stage(cloud)
    stage.done(provision())
    return stage


def test_exact_leaves_the_last_owner_where_the_one_to_replace_them_is_refused(stage: Stage) -> None:
    document = stage.done(provision(owners=[GHOST], exact=True))
    assert stage.members("FIN-Margin-DEV") == {ANA: "Admin"}
    assert document["status"] == "succeededWithWarnings"
    told = {
        entry["principal"]: (entry["status"], entry["error"]) for entry in document["environments"]["dev"]["access"]
    }
    assert told[GHOST][0] == "failed" and "Power BI refused it" in told[GHOST][1]
    assert told[ANA][0] == "failed" and "fewer owners" in told[ANA][1]


def test_nobody_is_lowered_in_favour_of_an_owner_who_is_refused(stage: Stage) -> None:
    stage.done(provision(owners=[GHOST], access=[access(ANA, "Viewer")]))
    assert stage.members("FIN-Margin-DEV") == {ANA: "Admin"}


def test_who_was_accepted_takes_the_place_of_who_was_there(stage: Stage) -> None:
    document = stage.done(provision(owners=[GHOST, BEN], exact=True))
    assert stage.members("FIN-Margin-DEV") == {BEN: "Admin"}
    assert document["status"] == "succeededWithWarnings"
