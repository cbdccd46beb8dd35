"""The process that runs the app is killed with SIGKILL at random moments while files land: none is left uncovered."""

from __future__ import annotations

import random
import time
from datetime import datetime, timedelta

import pytest

from emulator.demo.stage import Stage
from tests.cloud import Cloud
from tests.e2e.mortal_app import Json, MortalApp, mortal_app
from tests.seeded import ANALYTICS, SALES

KILLS = 12
PATIENCE = 150.0


@pytest.mark.timeout(400)
def test_twelve_kills_leave_no_file_uncovered_and_no_run_without_an_end(cloud: Cloud) -> None:
    cloud.change(datasets={SALES: {"refreshDuration": "PT1S"}})
    moments = random.Random(12)
    stage = Stage(cloud.described)
    with mortal_app(cloud) as app, stage.container("landing") as landing:
        earlier = {run["id"] for run in _runs(app)}  # of other tests: storage outlives a reset of the cloud
        for number in range(KILLS):
            landing.upload_blob(f"sales/2026/11/killed-{number}.parquet", b"rows", overwrite=True)
            landed = stage.power_bi_now()
            time.sleep(moments.uniform(0.5, 2.5))  # the moment of death is what is random here
            app.die()
            app.tick("refresh-sweep")
        _until_all_is_quiet(app, stage, landed)
        runs = [run for run in _runs(app) if run["id"] not in earlier]
    assert {run["status"] for run in runs} == {"completed"}, runs
    assert sum(run["events"] for run in runs) == KILLS, runs
    history = _history(stage)
    assert {each["status"] for each in history} == {"Completed"}, history
    assert len(history) <= KILLS, "more refreshes than files"


def _until_all_is_quiet(app: MortalApp, stage: Stage, landed: datetime) -> None:
    """A refresh that began after the last file completed, and every run has ended."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        app.tick("refresh-sweep")
        runs = _runs(app)
        starts = [each["startTime"] for each in _history(stage) if each["status"] == "Completed"]
        latest = max(map(datetime.fromisoformat, starts), default=None)
        covered = latest is not None and latest + timedelta(seconds=1) > landed  # Power BI's times have whole seconds
        if covered and not any(run["status"] in ("queued", "waiting", "running") for run in runs):
            return
        time.sleep(0.5)
    raise AssertionError(f"not at their ends within {PATIENCE:g} s: {runs}")


def _runs(app: MortalApp) -> list[Json]:
    runs: list[Json] = app.call("GET", "refresh-runs?dataset=sales&top=200").json()["value"]
    return runs


def _history(stage: Stage) -> list[Json]:
    history: list[Json] = stage.power_bi("GET", f"groups/{ANALYTICS}/datasets/{SALES}/refreshes").json()["value"]
    return history
