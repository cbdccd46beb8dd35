"""Alerts and workbook read what the app really writes: its own log lines, from runs that were made to fail."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cloud import PROJECT, Cloud
from tests.infra.estate import broken, estate
from tests.infra.failing_runs import failing_runs
from tests.infra.queries import QUERIES, choices, chosen, fields, query_files

Json = dict[str, Any]
HEADED = '| where message startswith "{"\n| extend line = parse_json(message)\n'
SILENCE = "sweep-silent"
ALERTS = sorted((QUERIES / "alerts").glob("*.kql"))


@pytest.fixture(scope="module")
def lines(emulated: Cloud) -> Iterator[list[Json]]:
    with pytest.MonkeyPatch.context() as patch:
        yield failing_runs(emulated, patch)


def by_stem(file: Path) -> str:
    return file.stem


@pytest.mark.parametrize("file", query_files(), ids=by_stem)
def test_a_query_reads_only_fields_that_the_app_writes(file: Path, lines: list[Json]) -> None:
    query = file.read_text()
    assert HEADED in query
    written = {name for line in lines for name in line}
    assert fields(query) <= written


@pytest.mark.parametrize("file", query_files(), ids=by_stem)
def test_each_alternative_of_a_query_finds_lines_of_a_real_run(file: Path, lines: list[Json]) -> None:
    for alternative in choices(file.read_text()):
        assert [line for line in lines if chosen(alternative, line)], f"no line has {alternative}"


@pytest.mark.parametrize("file", [each for each in ALERTS if each.stem != SILENCE], ids=by_stem)
def test_a_failing_run_writes_lines_with_every_field_that_the_alert_shows(file: Path, lines: list[Json]) -> None:
    query = file.read_text()
    found = [line for line in lines if any(chosen(each, line) for each in choices(query))]
    shown = {name for line in found for name in line}
    assert fields(query) <= shown


def test_a_query_that_reads_what_nobody_writes_is_caught(lines: list[Json]) -> None:
    written = {name for line in lines for name in line}
    assert fields("| where tostring(line.operationName) == 'x'") - written == {"operationName"}
    invented = choices('| where tostring(line.operation) == "refresh-runs" and outcome == "failed"\n')
    assert invented == [[("operation", "==", ("refresh-runs",)), ("outcome", "==", ("failed",))]]
    assert not any(chosen(invented[0], line) for line in lines)


def test_no_line_of_the_failing_runs_holds_a_secret(lines: list[Json], emulated: Cloud) -> None:
    secrets = [client["clientSecret"] for client in emulated.described["clients"].values()]
    written = str(lines)
    assert len(lines) > 100
    assert not [secret for secret in secrets if secret in written]
    assert "eyJ" not in written


# ---- alerts as they are deployed
def alert_names() -> list[str]:
    alerts, deliveries = (estate().module("alerts").variables[name] for name in ("alerts", "deliveries"))
    return [each["name"] for each in [*alerts, *deliveries]]


def test_every_query_is_deployed_once() -> None:
    loaded = [name for path in ("alerts", "workbook") for name in estate().module(path).loaded]
    assert sorted(loaded) == [f"../queries/{file.parent.name}/{file.name}" for file in query_files()]


def test_every_alert_has_its_section_in_the_runbook() -> None:
    sections = re.findall(r"(?m)^### (\S+)$", (PROJECT / "docs/runbook.md").read_text())
    assert [name for name in alert_names() if name not in sections] == []
    assert len(set(alert_names())) == len(alert_names()) == 11


def test_every_alert_links_to_its_section_and_reaches_somebody() -> None:
    for type in ("Microsoft.Insights/scheduledQueryRules", "Microsoft.Insights/metricAlerts"):
        alert = estate().one(type)
        assert "${runbookUrl}#${" in alert.properties["description"].text
        assert "actions.id" in str(alert.properties["actions"])


def test_an_alert_without_a_section_is_caught() -> None:
    renamed = broken("modules/alerts.bicep", "name: 'overdue-work'", "name: 'late-work'")
    assert "late-work" in {each["name"] for each in renamed.module("alerts").variables["alerts"]} - set(alert_names())
