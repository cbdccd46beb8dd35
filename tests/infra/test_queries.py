"""Alerts and workbook read what the app really writes: run as KQL on its own log lines."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cloud import Cloud
from tests.infra.failing_runs import FIRES, SILENT, SLOW, Run, Runs, good_day
from tests.infra.kusto import rows
from tests.infra.queries import QUERIES, fields, query_files

HEADED = 'traces\n| where message startswith "{"\n| extend line = parse_json(message)\n'


def by_stem(file: Path) -> str:
    return file.stem


def query(name: str) -> str:
    """As it is deployed, with the latency that the slow run breaks."""
    return (QUERIES / f"{name}.kql").read_text(encoding="utf-8").replace("{milliseconds}", str(SLOW))


def fires(alert: str, runs: Runs, run: Run) -> bool:
    return bool(rows(query(f"alerts/{alert}"), runs.lines(run)))


def pairs(table: dict[str, tuple[Run, ...]]) -> list[tuple[str, Run]]:
    return [(alert, run) for alert, of_alert in table.items() for run in of_alert]


def shown(value: object) -> str:
    return str(getattr(value, "__name__", value))


# ---- alerts
def test_every_alert_has_a_run_that_sets_it_off() -> None:
    assert set(FIRES) == {file.stem for file in (QUERIES / "alerts").glob("*.kql")}


@pytest.mark.parametrize(("alert", "run"), pairs(FIRES), ids=shown)
def test_an_alert_is_set_off_by_the_lines_of_a_failing_run(alert: str, run: Run, runs: Runs) -> None:
    assert fires(alert, runs, run)


@pytest.mark.parametrize("alert", FIRES)
def test_no_alert_is_set_off_by_the_lines_of_a_good_day(alert: str, runs: Runs) -> None:
    assert len(runs.lines(good_day)) > 50
    assert rows(query(f"alerts/{alert}"), runs.lines(good_day)) == []


@pytest.mark.parametrize(("alert", "run"), pairs(SILENT), ids=shown)
def test_an_alert_leaves_alone_what_another_one_tells_of(alert: str, run: Run, runs: Runs) -> None:
    assert not fires(alert, runs, run)


@pytest.mark.parametrize("alert", ["critical-refresh-failed", "provisioning-failed", "oldest-message", "secret-expiry"])
def test_an_alert_shows_what_its_reader_needs_to_look_further(alert: str, runs: Runs) -> None:
    """Nothing that it shows of the run that set it off is empty."""
    [run] = FIRES[alert]
    [row] = rows(query(f"alerts/{alert}"), runs.lines(run))
    assert [name for name, value in row.items() if value in (None, "")] == []


def waiting(*samples: int) -> list[dict[str, object]]:
    """Lines of queue-watch about one queue."""
    line = {"operation": "queue-watch", "outcome": "ok", "target": "data-landed", "count": 1}
    return [{**line, "oldestSeconds": seconds} for seconds in samples]


@pytest.mark.parametrize(
    ("samples", "fires"),
    [
        ((301, 360, 420, 480, 540), True),
        ((301, 360, 0, 480, 540), False),
        ((300, 360, 420, 480, 540), False),
        ((400, 400, 400, 400), False),
        ((3600, 0, 0, 0, 0, 0, 0, 0, 0, 3600), False),
    ],
    ids=["always", "taken in between", "five minutes are allowed", "too few looks", "given back by dead workers"],
)
def test_messages_wait_too_long_when_every_look_says_so(samples: tuple[int, ...], fires: bool) -> None:
    assert bool(rows(query("alerts/oldest-message"), waiting(*samples))) == fires


def test_events_that_nobody_reads_wake_nobody() -> None:
    lines = [{**line, "target": "operations-events"} for line in waiting(900, 960, 1020, 1080, 1140)]
    assert rows(query("alerts/oldest-message"), lines) == []


# ---- all queries
@pytest.mark.parametrize("file", query_files(), ids=by_stem)
def test_a_query_reads_only_fields_that_the_app_writes(file: Path, runs: Runs) -> None:
    text = file.read_text()
    assert HEADED in text
    assert fields(text)
    assert fields(text) <= {name for line in runs.all() for name in line}


@pytest.mark.parametrize("file", sorted((QUERIES / "workbook").glob("*.kql")), ids=by_stem)
def test_a_chart_shows_something_of_what_the_app_did(file: Path, runs: Runs) -> None:
    found = rows(file.read_text(), runs.all())
    assert found
    empty = [name for name in found[0] if all(row[name] in (None, "") for row in found)]
    assert empty == []


def test_the_time_to_fresh_runs_from_the_landing_to_the_end_of_the_refresh(runs: Runs) -> None:
    """A file landed at noon; the first attempt failed, and the second one began when its delay was over."""
    [row] = rows(query("workbook/landing-to-fresh"), runs.lines(good_day))
    begun = [line for line in runs.lines(good_day) if line["operation"] == "refresh-look" and "landedAt" in line]
    assert len(begun) == 2
    assert (row["dataset"], row["runs"]) == ("sales", 1)
    assert 7 <= row["slowest"] <= 30


def test_no_line_holds_a_secret(runs: Runs, emulated: Cloud) -> None:
    secrets = [client["clientSecret"] for client in emulated.described["clients"].values()]
    written = str(runs.all())
    assert len(runs.all()) > 100
    assert not [secret for secret in secrets if secret in written]
    assert "eyJ" not in written


# ---- what these tests would catch
def test_a_field_that_nobody_writes_is_caught(runs: Runs) -> None:
    written = {name for line in runs.all() for name in line}
    invented = "| where tostring(line.operationName) == 'x' and isnotempty(line[\"sort\"])"
    assert fields(invented) - written == {"operationName", "sort"}


def test_a_misspelt_outcome_is_caught(runs: Runs) -> None:
    good = query("alerts/critical-refresh-failed")
    [run] = FIRES["critical-refresh-failed"]
    assert rows(good, runs.lines(run))
    assert not rows(re.sub(r'"failed"', '"Failed"', good), runs.lines(run))


def test_a_word_that_the_language_keeps_for_itself_is_caught() -> None:
    with pytest.raises(Exception, match="could not parse KQL"):
        rows("traces\n| project kind = message", [])
