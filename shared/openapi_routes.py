"""The routes of function_app.py as data: what each takes and answers, for the description of the API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from shared import __version__
from shared.answers import Health, ReadinessReport
from shared.embed.request import EmbedTokenAnswer, EmbedTokenRequest
from shared.provisioning.answers import DryRun, RequestPage, StatusDocument
from shared.provisioning.request import ProvisioningRequest

Json = dict[str, Any]
READING = (401, 403, 404, 500, 503)


@dataclass(frozen=True)
class Parameter:
    """A query parameter, or a header."""

    name: str
    description: str
    schema: Json
    place: str = "query"


@dataclass(frozen=True)
class Route:
    """A route of function_app.py. `refusals`: the statuses that it answers with problem details."""

    method: str
    path: str
    operation: str
    summary: str
    answer: type[BaseModel] | None
    """None: a JSON object that is described elsewhere."""
    example: Json
    role: str = ""
    request: type[BaseModel] | None = None
    request_examples: tuple[tuple[str, Json], ...] = ()
    refusals: tuple[int, ...] = ()
    also: tuple[int, ...] = ()
    """Further statuses with the same answer."""
    status: int = 200
    """Of the answer; 202 carries Location and Retry-After."""
    parameters: tuple[Parameter, ...] = ()
    dry_run: type[BaseModel] | None = None
    """What 200 answers where the usual answer is 202."""


_EMBED_EXAMPLE: Json = {
    "token": "H4sI…",
    "tokenId": "49ae3742-54c0-4c29-af52-619ff93b5c80",
    "expiration": "2026-11-02T11:00:00Z",
    "renewAfter": "2026-11-02T10:50:00Z",
    "tokenType": "Embed",
    "reports": [
        {
            "alias": "margin-report",
            "reportId": "f6000000-0000-4000-8000-000000000002",
            "workspaceId": "d4000000-0000-4000-8000-000000000001",
            "datasetId": "e5000000-0000-4000-8000-000000000003",
            "name": "Margin by customer",
            "embedUrl": "https://app.powerbi.com/reportEmbed?reportId=f6000000-0000-4000-8000-000000000002&config=…",
        }
    ],
}
_EMBED_REQUESTS: tuple[tuple[str, Json], ...] = (
    ("plain", {"reports": ["sales-overview"]}),
    ("as a customer", {"reports": ["margin-report"], "identity": {"username": "customer-4711", "roles": ["Customer"]}}),
    ("to edit, for half an hour", {"reports": ["sales-overview"], "accessLevel": "Edit", "lifetimeMinutes": 30}),
)
_CHECK_EXAMPLE: Json = {
    "name": "storage",
    "status": "passed",
    "evidence": "The storage account answers.",
    "remedy": "Give the app's managed identity the data roles on the storage account.",
    "ms": 12,
}

_KEY = Parameter(
    "Idempotency-Key",
    "A repeat with the same key is the same request; another body under it is 409. Kept for 30 days.",
    {"type": "string", "pattern": "^[A-Za-z0-9._-]{8,64}$"},
    place="header",
)
_PAGES = (
    Parameter("top", "Entries of a page.", {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}),
    Parameter("continuationToken", "From the page before, with the same filter.", {"type": "string"}),
)
_PROVISION: Json = {
    "operation": "provision",
    "project": "FIN-Margin",
    "environments": [{"name": "dev"}, {"name": "prod", "capacity": "premium-eu"}],
    "owners": ["ana@contoso.com"],
    "access": [{"principal": "ben@contoso.com", "principalType": "User", "role": "Viewer"}],
}
_SUMMARY: Json = {
    "id": "0b7a9c1e-5d2f-5a64-8e1b-2f9d6c3a7e10",
    "operation": "provision",
    "project": "FIN-Margin",
    "status": "accepted",
    "waitingFor": None,
    "createdAt": "2026-11-02T10:00:00Z",
    "updatedAt": "2026-11-02T10:00:00Z",
    "correlationId": "3f0c9a52-7d1e-4b8a-9c66-0e5d2f1a7b43",
    "caller": {"kind": "application", "clientId": "44f9d4e3-8605-4f31-a071-3d4e5f607104"},
    "requestedBy": None,
    "cancelRequested": False,
    "error": None,
}
_WORKSPACE_STEP: Json = {
    "name": "workspace",
    "status": "pending",
    "attempts": 0,
    "startedAt": None,
    "endedAt": None,
    "detail": "",
}
_STATUS: Json = {
    **_SUMMARY,
    "progress": {"done": 0, "of": 1},
    "environments": {
        "dev": {
            "workspaceId": None,
            "workspaceName": "FIN-Margin-DEV",
            "created": False,
            "steps": [_WORKSPACE_STEP],
            "access": [],
        }
    },
    "warnings": [],
    "cleanup": [],
}
_PROVISIONING = (
    Route(
        "post",
        "/provisioning-requests",
        "submitProvisioningRequest",
        "Record a request, which is then carried out; or plan it",
        StatusDocument,
        _STATUS,
        role="Provisioning.Write",
        request=ProvisioningRequest,
        request_examples=(("a new project", _PROVISION),),
        refusals=(400, 401, 403, 409, 411, 413, 415, 500, 503),
        status=202,
        parameters=(
            _KEY,
            Parameter("dryRun", "Only say what would be done.", {"type": "boolean", "default": False}),
        ),
        dry_run=DryRun,
    ),
    Route(
        "get",
        "/provisioning-requests",
        "listProvisioningRequests",
        "Requests, the newest first",
        RequestPage,
        {"value": [_SUMMARY], "continuationToken": None},
        role="Provisioning.Read",
        refusals=(400, 401, 403, 500, 503),
        parameters=(
            Parameter("status", "Only those with this status.", {"type": "string"}),
            Parameter("project", "Only those of this project.", {"type": "string"}),
            *_PAGES,
        ),
    ),
    Route(
        "get",
        "/provisioning-requests/{id}",
        "getProvisioningRequest",
        "A request with every step",
        StatusDocument,
        _STATUS,
        role="Provisioning.Read",
        refusals=READING,
    ),
    Route(
        "post",
        "/provisioning-requests/{id}/cancel",
        "cancelProvisioningRequest",
        "Take back what the request has made so far",
        StatusDocument,
        {**_STATUS, "cancelRequested": True},
        role="Provisioning.Write",
        refusals=(*READING, 409),
        status=202,
    ),
    Route(
        "post",
        "/provisioning-requests/{id}/retry",
        "retryProvisioningRequest",
        "Begin a failed request again",
        StatusDocument,
        _STATUS,
        role="Provisioning.Write",
        refusals=(*READING, 400, 409),
        status=202,
    ),
)

ROUTES = (
    Route(
        "post",
        "/embed-tokens",
        "issueEmbedToken",
        "Issue the narrowest embed token that the caller's grant allows",
        EmbedTokenAnswer,
        _EMBED_EXAMPLE,
        role="Embed.Issue",
        request=EmbedTokenRequest,
        request_examples=_EMBED_REQUESTS,
        refusals=(400, 401, 403, 404, 411, 413, 415, 500, 503),
    ),
    Route("get", "/health", "health", "Is the app running?", Health, {"status": "ok", "version": __version__}),
    Route(
        "get",
        "/readiness",
        "readiness",
        "Could the app do its work now?",
        ReadinessReport,
        {"status": "ready", "checks": [_CHECK_EXAMPLE]},
        role="Operations.Read",
        refusals=(401, 403, 500, 503),
        also=(503,),
    ),
    Route("get", "/openapi.json", "openapi", "This description", None, {"openapi": "3.1.0"}),
    *_PROVISIONING,
)
