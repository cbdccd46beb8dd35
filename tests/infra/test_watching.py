"""Alerts as they are deployed: each query once, each with a section of the runbook, each reaching somebody."""

from __future__ import annotations

import re

from tests.cloud import PROJECT
from tests.infra.estate import broken, estate
from tests.infra.queries import query_files


def alert_names() -> list[str]:
    alerts, deliveries = (estate().module("alerts").variables[name] for name in ("alerts", "deliveries"))
    return [each["name"] for each in [*alerts, *deliveries]]


def test_every_query_is_deployed_once() -> None:
    loaded = [name for path in ("alerts", "workbook") for name in estate().module(path).loaded]
    assert sorted(loaded) == [f"../queries/{file.parent.name}/{file.name}" for file in query_files()]


def test_every_alert_has_its_section_in_the_runbook() -> None:
    text = (PROJECT / "docs/runbook.md").read_text(encoding="utf-8")
    sections = re.findall(r"(?m)^### (\S+)$", text.partition("\n## Alerts\n")[2].partition("\n## ")[0])
    assert sorted(sections) == sorted(alert_names())


def test_every_alert_links_to_its_section_and_reaches_somebody() -> None:
    for type in ("Microsoft.Insights/scheduledQueryRules", "Microsoft.Insights/metricAlerts"):
        alert = estate().one(type)
        assert "${runbookUrl}#${" in alert.properties["description"].text
        assert "actions.id" in str(alert.properties["actions"])


def test_an_alert_without_a_section_is_caught() -> None:
    renamed = broken("modules/alerts.bicep", "name: 'overdue-work'", "name: 'late-work'")
    assert "late-work" in {each["name"] for each in renamed.module("alerts").variables["alerts"]} - set(alert_names())
