"""The routes of refresh runs."""

from __future__ import annotations

from shared.openapi.route import KEY, PAGES, READING, WRITING, Json, Parameter, Route, id_of, status_filter
from shared.refresh.records import RunStatus
from shared.refresh.requests import RefreshRunRequest
from shared.refresh.run_document import RunDocument, RunList

TAG = "refresh"

_RUN: Json = {
    "id": "5f0d1c5e-7f53-5a37-b4a0-0d2f5a1c9e44",
    "dataset": "sales",
    "workspaceId": "d4000000-0000-4000-8000-000000000001",
    "datasetId": "e5000000-0000-4000-8000-000000000002",
    "trigger": "dataLanded",
    "status": "completed",
    "reason": "",
    "requestId": "9399bb89-25d1-44f8-8576-136d7e9014b1",
    "refreshType": "ViaEnhancedApi",
    "attempts": [
        {
            "number": 1,
            "requestId": "9399bb89-25d1-44f8-8576-136d7e9014b1",
            "startedAt": "2026-11-02T10:02:00Z",
            "endedAt": "2026-11-02T10:05:30Z",
            "status": "completed",
            "error": None,
        }
    ],
    "events": 12,
    "objects": [{"table": "Sales", "partition": "Sales-2026-11"}],
    "queuedAt": "2026-11-02T10:00:00Z",
    "startedAt": "2026-11-02T10:02:00Z",
    "endedAt": "2026-11-02T10:05:30Z",
    "error": None,
    "cancelRequested": False,
    "correlationId": "3f0c9a52-7d1e-4b8a-9c66-0e5d2f1a7b43",
}
_QUEUED: Json = {
    **_RUN,
    "trigger": "manual",
    "status": "queued",
    "requestId": None,
    "refreshType": None,
    "attempts": [],
    "events": 0,
    "objects": [],
    "startedAt": None,
    "endedAt": None,
}
_REQUESTS: tuple[tuple[str, Json], ...] = (
    ("as refresh.yaml says", {"dataset": "sales"}),
    (
        "by ids, one partition only",
        {
            "workspaceId": "d4000000-0000-4000-8000-000000000001",
            "datasetId": "e5000000-0000-4000-8000-000000000002",
            "refresh": {"type": "Full", "objects": [{"table": "Sales", "partition": "Sales-2026-11"}]},
        },
    ),
)
_ID = id_of("the run")

ROUTES = (
    Route(
        "post",
        "/refresh-runs",
        "startRefreshRun",
        "Refresh a dataset now; without a body of its own the request joins a run that is queued",
        RunDocument,
        _QUEUED,
        tag=TAG,
        role="Refresh.Write",
        request=RefreshRunRequest,
        request_examples=_REQUESTS,
        refusals=(*WRITING, 404, 409, 429),
        status=202,
        parameters=(KEY,),
    ),
    Route(
        "get",
        "/refresh-runs",
        "listRefreshRuns",
        "Runs, the newest first",
        RunList,
        {"value": [_RUN], "continuationToken": None},
        tag=TAG,
        role="Refresh.Read",
        refusals=(*READING, 400),
        parameters=(
            Parameter(
                "dataset", "Only runs of the dataset with this alias in refresh.yaml, or this id.", {"type": "string"}
            ),
            status_filter([status.value for status in RunStatus]),
            *PAGES,
        ),
    ),
    Route(
        "get",
        "/refresh-runs/{id}",
        "getRefreshRun",
        "A run with every attempt",
        RunDocument,
        _RUN,
        tag=TAG,
        role="Refresh.Read",
        refusals=READING,
        parameters=(_ID,),
    ),
    Route(
        "post",
        "/refresh-runs/{id}/cancel",
        "cancelRefreshRun",
        "Ask for the run's end; it is cancelled only once Power BI says so, and a standard refresh runs out",
        RunDocument,
        {**_QUEUED, "cancelRequested": True},
        tag=TAG,
        role="Refresh.Write",
        refusals=(*READING, 400, 409),
        status=202,
        parameters=(_ID, KEY),
    ),
)
