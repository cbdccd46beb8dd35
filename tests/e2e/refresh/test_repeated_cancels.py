"""A cancel is answered with 202 too, so a client whose answer was lost may send it again under its key."""

from __future__ import annotations

import pytest

from shared.errors import Ended
from tests.doubles.taps import Crash, breaks, untapped
from tests.e2e.refresh.stage import MONTH, OPERATOR, RefreshStage

KEY = "operator-0001"


def test_a_repeated_cancel_answers_what_has_come_of_it(stage: RefreshStage) -> None:
    stage.land(f"{MONTH}/a.parquet")
    run = stage.run()["id"]
    assert stage.runs.cancel(OPERATOR, run, KEY)["status"] == "cancelled"
    assert stage.runs.cancel(OPERATOR, run, KEY)["status"] == "cancelled"
    with pytest.raises(Ended):
        stage.runs.cancel(OPERATOR, run, "operator-0002")


def test_a_cancel_that_was_carried_out_and_not_noted_answers_its_repeat(stage: RefreshStage) -> None:
    stage.land(f"{MONTH}/a.parquet")
    run = stage.run()["id"]
    stage.tap = breaks("table idempotency replace")
    with pytest.raises(Crash):
        stage.runs.cancel(OPERATOR, run, KEY)
    stage.tap = untapped
    assert stage.runs.get(run)["status"] == "cancelled"
    assert stage.runs.cancel(OPERATOR, run, KEY)["status"] == "cancelled"
    with pytest.raises(Ended):
        stage.runs.cancel(OPERATOR, run, "operator-0002")


def test_an_id_is_found_in_either_case(stage: RefreshStage) -> None:
    stage.land(f"{MONTH}/a.parquet")
    run = stage.run()["id"]
    assert stage.runs.get(run.upper())["id"] == run
