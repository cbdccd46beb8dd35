"""DAX queries. Nothing is evaluated: a query that the state has a result for gets it, any other is an error in DAX."""

from __future__ import annotations

import re

from emulator.http import Answer, Json
from emulator.powerbi import answers
from emulator.powerbi.datasets import needs_identity
from emulator.powerbi.operation import IN_GROUP, Operation, Visit, both

MOST_ROWS, MOST_VALUES = 100_000, 1_000_000
_BODY: Json = {
    "queries": [{"query": "string"}],
    "serializerSettings": {"includeNulls": "boolean"},
    "impersonatedUserName": "string",
}


def execute_queries(visit: Visit) -> Answer:
    """One query, one table. The form without a group finds the dataset wherever it lies, for applications too."""
    if not visit.switch("datasetExecuteQueries"):
        raise answers.not_authorized()
    dataset = _dataset(visit)
    queries = visit.body.get("queries", [])
    if len(queries) != 1:
        raise answers.invalid("Parameter queries is missing or invalid")
    if (visit.caller.is_app and needs_identity(dataset)) or dataset["mode"] == "AnalysisServices":
        raise answers.domain(visit.switch("queryRefusedStatus"), "DatasetExecuteQueriesError")
    results = {_squeezed(text): rows for text, rows in dataset["queryResults"].items()}
    rows = results.get(_squeezed(queries[0].get("query", "")))
    if rows is None:
        raise answers.domain(400, "DatasetExecuteQueriesError")
    return Answer(200, {"results": [{"tables": [_table(rows, keep=_keeps_nulls(visit))]}]})


def _dataset(visit: Visit) -> Json:
    if "groupId" not in visit.call.parameters:
        return visit.buildable_dataset(visit.parameter("datasetId"))
    found = visit.dataset(visit.workspace())
    return visit.buildable_dataset(found["id"])


def _keeps_nulls(visit: Visit) -> bool:
    return bool(visit.body.get("serializerSettings", {}).get("includeNulls", False))


def _table(rows: list[Json], *, keep: bool) -> Json:
    """As many rows as one answer holds, and a word about it where that is not all."""
    most = min(MOST_ROWS, MOST_VALUES // max(1, len(rows[0]) if rows else 1))
    shown = [{name: value for name, value in row.items() if keep or value is not None} for row in rows[:most]]
    if len(rows) <= most:
        return {"rows": shown}
    return {"rows": shown, "error": {"code": "DatasetExecuteQueriesError", "message": f"More than {most} rows"}}


def _squeezed(query: str) -> str:
    """A query whatever its white space and case."""
    return re.sub(r"\s+", " ", query).strip().lower()


_QUERIES = "/datasets/{datasetId}/executeQueries"
OPERATIONS = (
    Operation("POST", IN_GROUP + _QUERIES, execute_queries, both("Dataset"), _BODY),
    Operation("POST", _QUERIES, execute_queries, both("Dataset"), _BODY),
)
