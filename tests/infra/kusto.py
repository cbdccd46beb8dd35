"""Runs a query as Log Analytics would, on the lines that the app wrote, in an engine that speaks KQL (duckdb-kql)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import duckdb_kql

from shared.times import from_text
from tests.infra.log_lines import Json

NOON = datetime(2026, 11, 22, 12)  # noqa: DTZ001 - the engine's datetimes are in UTC, which they don't say
SEVERITY = {"debug": 0, "info": 1, "warning": 2, "error": 3, "critical": 4}
"""Application Insights' figures for the levels of Python's log."""
OF_THE_HOST = ("The listener for function 'Functions.data-landed' was unable to start.", 3)
"""What the Functions host itself writes between our lines, in the same table."""


def rows(query: str, lines: Iterable[Json]) -> list[dict[str, Any]]:
    """What the query answers where the table `traces` holds these lines, among others. Raises where it does not
    parse, or uses what the engine does not know.
    """
    written = [
        (_when(line, number), json.dumps(line), SEVERITY[str(line.get("level", "info"))])
        for number, line in enumerate(lines)
    ]
    with duckdb_kql.connect() as connection:
        connection.execute("CREATE TABLE traces (timestamp TIMESTAMP, message VARCHAR, severityLevel INTEGER)")
        connection.executemany("INSERT INTO traces VALUES (?, ?, ?)", [(NOON, *OF_THE_HOST), *written])
        answer = duckdb_kql.query(connection, query)
        return [dict(zip(answer.columns, row, strict=True)) for row in answer.fetchall()]


def _when(line: Json, number: int) -> datetime:
    """When the app wrote it (noon for a line that a test made up), and no two of them at once."""
    written = from_text(line["time"]).replace(tzinfo=None) if "time" in line else NOON
    return written + timedelta(microseconds=number)
