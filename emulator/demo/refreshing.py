"""Thirty files land for three datasets while one of them is being refreshed: the fewest refreshes cover them all."""

from __future__ import annotations

import time
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from emulator import seed
from emulator.demo.stage import Json, Stage, expect, step

FILES = 10
DURATION = "PT4S"
PATIENCE = 100.0
PATHS = {
    "Calendar": "calendar/{number}.csv",
    "Sales": "sales/2026/11/part-{number}.parquet",
    "Margin": "margin/{number}.json",
}
ENDED = ("completed", "failed", "timedOut", "cancelled", "skipped")
DATASETS = {dataset.name: dataset for dataset in seed.DATASETS}
WORKSPACES = {workspace.name: workspace.id for workspace in seed.WORKSPACES}


def play(stage: Stage) -> None:
    """That every file is covered is read back from Power BI's own history."""
    token = stage.caller_token("operator")
    landed: dict[str, list[datetime]] = {}
    step("somebody refreshes Sales by hand", lambda: _by_hand(stage))
    step(f"{3 * FILES} files land meanwhile", lambda: _land(stage, landed))
    step("every file is covered by a refresh that completed", lambda: _covered(stage, landed))
    step("what the app did about it", lambda: _runs(stage, token))


def _by_hand(stage: Stage) -> str:
    stage.control("PATCH", "state", {"datasets": {one.id: {"refreshDuration": DURATION} for one in seed.DATASETS}})
    sales = DATASETS["Sales"]
    stage.control("POST", f"refreshes/{WORKSPACES[sales.workspace]}/{sales.id}", {})
    return f"in progress, as Power BI's history has it: {_history(stage, 'Sales')[0]['status']}"


def _land(stage: Stage, landed: dict[str, list[datetime]]) -> str:
    with stage.container("landing") as container:
        for number in range(FILES):
            for name, path in PATHS.items():
                container.upload_blob(path.format(number=number), f"row {number}\n".encode(), overwrite=True)
                landed.setdefault(name, []).append(stage.power_bi_now())
    return ", ".join(f"{len(times)} for {name}" for name, times in landed.items())


def _covered(stage: Stage, landed: dict[str, list[datetime]]) -> str:
    deadline = time.monotonic() + PATIENCE
    while open_files := _uncovered(stage, landed):
        expect(time.monotonic() < deadline, f"{open_files} files are not covered within {PATIENCE:g} s")
        time.sleep(0.5)
    counts = ", ".join(f"{_completed(stage, name)} of {name}" for name in landed)
    return f"completed refreshes, by hand or ours: {counts}"


def _uncovered(stage: Stage, landed: dict[str, list[datetime]]) -> int:
    return sum(_uncovered_of(stage, name, times) for name, times in landed.items())


def _uncovered_of(stage: Stage, name: str, times: list[datetime]) -> int:
    """Files that landed after the start of every refresh that has completed."""
    starts = [_time(entry["startTime"]) for entry in _history(stage, name) if entry["status"] == "Completed"]
    latest = max(starts, default=datetime.min.replace(tzinfo=times[0].tzinfo))
    return sum(landed + timedelta(seconds=1) > latest for landed in times)  # Power BI's times have whole seconds


def _completed(stage: Stage, name: str) -> int:
    return sum(entry["status"] == "Completed" for entry in _history(stage, name))


def _runs(stage: Stage, token: str) -> str:
    deadline = time.monotonic() + PATIENCE
    runs = _ours(stage, token)
    while any(run["status"] not in ENDED for run in runs) and time.monotonic() < deadline:
        time.sleep(0.5)
        runs = _ours(stage, token)
    expect(all(run["status"] == "completed" for run in runs), f"expected completed runs only, got {runs}")
    files = Counter({name.lower(): 0 for name in PATHS})
    for run in runs:
        files[run["dataset"]] += run["events"]
    return "its runs completed, for " + ", ".join(f"{count} files of {name}" for name, count in sorted(files.items()))


def _ours(stage: Stage, token: str) -> list[Json]:
    runs: list[Json] = stage.app("GET", "refresh-runs", token).json()["value"]
    return runs


def _history(stage: Stage, name: str) -> list[Json]:
    dataset = DATASETS[name]
    path = f"groups/{WORKSPACES[dataset.workspace]}/datasets/{dataset.id}/refreshes"
    history: list[Json] = stage.power_bi("GET", path).json()["value"]
    return history


def _time(text: Any) -> datetime:
    return datetime.fromisoformat(str(text))
