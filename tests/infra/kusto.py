"""Runs a query as Log Analytics would, on the lines that the app wrote, in an engine that speaks KQL (duckdb-kql)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import duckdb_kql

from tests.infra.log_lines import Json

BEGIN = datetime(2026, 11, 22, 12)  # noqa: DTZ001 - the engine's datetimes are in UTC, and say so by saying nothing
OF_THE_HOST = "Executing 'Functions.health' (Reason='This function was programmatically called', Id=0)"
"""What the Functions host itself writes between our lines, in the same table."""


def rows(query: str, lines: Iterable[Json]) -> list[dict[str, Any]]:
    """What the query answers where the table `traces` holds these lines, one a second. Raises where it does not parse,
    or uses what the engine does not know.
    """
    messages = [OF_THE_HOST, *(json.dumps(line) for line in lines), OF_THE_HOST]
    with duckdb_kql.connect() as connection:
        connection.execute("CREATE TABLE traces (timestamp TIMESTAMP, message VARCHAR)")
        connection.executemany(
            "INSERT INTO traces VALUES (?, ?)",
            [(BEGIN + timedelta(seconds=second), message) for second, message in enumerate(messages)],
        )
        answer = duckdb_kql.query(connection, query)
        return [dict(zip(answer.columns, row, strict=True)) for row in answer.fetchall()]
