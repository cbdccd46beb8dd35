"""Runs a query as Log Analytics would, on the lines that the app wrote, in an engine that speaks KQL (duckdb-kql)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import duckdb_kql

from tests.infra.log_lines import Json

BEGIN = datetime(2026, 11, 22, 12)  # noqa: DTZ001 - the engine's datetimes are in UTC, and say so by saying nothing
SEVERITY = {"debug": 0, "info": 1, "warning": 2, "error": 3, "critical": 4}
"""Application Insights' figures for the levels of Python's log."""
OF_THE_HOST = ("The listener for function 'Functions.data-landed' was unable to start.", 3)
"""What the Functions host itself writes between our lines, in the same table."""


def rows(query: str, lines: Iterable[Json]) -> list[dict[str, Any]]:
    """What the query answers where the table `traces` holds these lines, one a second. Raises where it does not parse,
    or uses what the engine does not know.
    """
    written = [(json.dumps(line), SEVERITY[str(line.get("level", "info"))]) for line in lines]
    items = [OF_THE_HOST, *written, OF_THE_HOST]
    with duckdb_kql.connect() as connection:
        connection.execute("CREATE TABLE traces (timestamp TIMESTAMP, message VARCHAR, severityLevel INTEGER)")
        connection.executemany(
            "INSERT INTO traces VALUES (?, ?, ?)",
            [(BEGIN + timedelta(seconds=second), *item) for second, item in enumerate(items)],
        )
        answer = duckdb_kql.query(connection, query)
        return [dict(zip(answer.columns, row, strict=True)) for row in answer.fetchall()]
