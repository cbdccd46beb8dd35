"""The queries of alerts and workbook, and which fields of a log line they read."""

from __future__ import annotations

import re
from pathlib import Path

from tests.infra.estate import INFRA

QUERIES = INFRA / "queries"
_FIELD = re.compile(r'\bline(?:\.(\w+)|\["(\w+)"\])')


def query_files() -> list[Path]:
    return sorted(QUERIES.glob("*/*.kql"))


def fields(query: str) -> set[str]:
    """Fields of the log line that it reads: `line.operation`, or `line["count"]` where the name is a word of KQL."""
    return {plain or quoted for plain, quoted in _FIELD.findall(query)}
