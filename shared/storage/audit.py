"""The table `audit`: who had what changed outside, by whose decision, and under which id Power BI knows the call."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shared.storage.tables import Stale, Table, cut
from shared.times import to_text

UNKNOWN = "unknown"
"""The decision's end of a change whose answer was lost; what is learned of it later takes its place."""
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


class Audit:
    """Rows are written once: the same act of the same operation is the same row, however often it is told."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def record(  # noqa: PLR0917 - the columns of the table
        self,
        operation: str,
        act: str,
        caller: Mapping[str, Any],
        target: str,
        decision: str,
        request_id: str,
        correlation_id: str,
        when: datetime,
    ) -> None:
        """`operation`: the id of the workflow, run or request. `act`: which of its changes. `decision`: what was done
        and how it ended (`createWorkspace done`). `request_id`: Power BI's. Raises Retryable when storage is away.
        """
        values = {
            "act": cut(act),
            "caller": cut(json.dumps(caller)),
            "target": cut(target),
            "decision": cut(decision),
            "requestId": cut(request_id),
            "correlationId": cut(correlation_id),
            "when": to_text(when),
        }
        row = row_key(act)
        try:
            self._table.insert(operation, row, values)
        except Stale:
            self._learn(operation, row, values)

    def _learn(self, operation: str, row: str, values: Mapping[str, Any]) -> None:
        """A row that says `unknown` gives way to one that knows; any other stays as it was written."""
        found = self._table.get(operation, row)
        if found is None or not _unsure(found[0]) or _unsure(values):
            return
        try:
            self._table.replace(operation, row, values, found[1])
        except Stale:
            return  # somebody learned it at the same moment


def row_key(act: str) -> str:
    """The act as a table takes it in a key: readable, and different for different acts."""
    digest = hashlib.sha256(act.encode()).hexdigest()[:16]
    return f"{_UNSAFE.sub('-', act)[:200]}-{digest}"


def _unsure(values: Mapping[str, Any]) -> bool:
    return str(values["decision"]).endswith(UNKNOWN)
