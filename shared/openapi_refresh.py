"""The routes of refresh runs as data, for the description of the API."""

from __future__ import annotations

from shared.listing import MOST, USUAL
from shared.openapi_routes import READING, Json, Parameter, Route
from shared.refresh.records import RunStatus
from shared.refresh.requests import RefreshRunRequest
from shared.refresh.run_document import RunDocument, RunList

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
_KEY = Parameter(
    "Idempotency-Key",
    "A repeat with the same key is the same request; another body under it is 409. Kept for 30 days.",
    {"type": "string", "pattern": "^[A-Za-z0-9._-]{8,64}$"},
    place="header",
)
_FILTERS = (
    Parameter("dataset", "Only runs of the dataset with this alias in refresh.yaml, or this id.", {"type": "string"}),
    Parameter(
        "status",
        "Only those with this status: a page may then be short, or empty, and still carry a token.",
        {"type": "string", "enum": [status.value for status in RunStatus]},
    ),
    Parameter("top", "Entries of a page.", {"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL}),
    Parameter("continuationToken", "From the page before, with the same filter.", {"type": "string"}),
)

REFRESHING = (
    Route(
        "post",
        "/refresh-runs",
        "startRefreshRun",
        "Refresh a dataset now; without a body of its own the request joins a run that is queued",
        RunDocument,
        _QUEUED,
        role="Refresh.Write",
        request=RefreshRunRequest,
        request_examples=_REQUESTS,
        refusals=(400, 401, 403, 404, 409, 411, 413, 415, 429, 500, 503),
        status=202,
        parameters=(_KEY,),
    ),
    Route(
        "get",
        "/refresh-runs",
        "listRefreshRuns",
        "Runs, the newest first",
        RunList,
        {"value": [_RUN], "continuationToken": None},
        role="Refresh.Read",
        refusals=(*READING, 400),
        parameters=_FILTERS,
    ),
    Route(
        "get",
        "/refresh-runs/{id}",
        "getRefreshRun",
        "A run with every attempt",
        RunDocument,
        _RUN,
        role="Refresh.Read",
        refusals=READING,
    ),
    Route(
        "post",
        "/refresh-runs/{id}/cancel",
        "cancelRefreshRun",
        "Ask for the run's end; it is cancelled only once Power BI says so, and a standard refresh runs out",
        RunDocument,
        {**_QUEUED, "cancelRequested": True},
        role="Refresh.Write",
        refusals=(*READING, 409),
        status=202,
    ),
)
