"""The routes of provisioning requests."""

from __future__ import annotations

from shared.openapi.route import (
    ALWAYS,
    KEY,
    PAGES,
    READING,
    WRITING,
    Also,
    Json,
    Parameter,
    Route,
    id_of,
    status_filter,
)
from shared.provisioning.answers import DryRun, RequestPage, StatusDocument
from shared.provisioning.request import ProvisioningRequest
from shared.workflow.records import Status

TAG = "provisioning"

_REQUEST: Json = {
    "operation": "provision",
    "project": "FIN-Margin",
    "environments": [{"name": "dev"}, {"name": "prod", "capacity": "premium-eu"}],
    "owners": ["ana@contoso.com"],
    "access": [{"principal": "ben@contoso.com", "principalType": "User", "role": "Viewer"}],
}
_REVOKE: Json = {
    "operation": "revokeAccess",
    "project": "FIN-Margin",
    "access": [{"principal": "ben@contoso.com", "principalType": "User", "environments": ["prod"]}],
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
_PENDING: Json = {
    "name": "workspace",
    "status": "pending",
    "attempts": 0,
    "startedAt": None,
    "endedAt": None,
    "detail": "",
}
_DEV: Json = {
    "workspaceId": None,
    "workspaceName": "FIN-Margin-DEV",
    "created": False,
    "steps": [_PENDING],
    "access": [],
}
_STATUS: Json = {
    **_SUMMARY,
    "progress": {"done": 0, "of": 1},
    "environments": {"dev": _DEV},
    "warnings": [],
    "cleanup": [],
}
_CREATE: Json = {
    "name": "workspace",
    "action": "create",
    "target": "FIN-Margin-DEV",
    "reason": "There is none of this name.",
}
_PLAN: Json = {
    "dryRun": True,
    "operation": "provision",
    "project": "FIN-Margin",
    "environments": {"dev": {"workspaceId": None, "workspaceName": "FIN-Margin-DEV", "steps": [_CREATE]}},
    "warnings": [],
}
_ID = id_of("the request")

ROUTES = (
    Route(
        "post",
        "/provisioning-requests",
        "submitProvisioningRequest",
        "Record a request, which is then carried out; or plan it",
        StatusDocument,
        _STATUS,
        tag=TAG,
        role="Provisioning.Write",
        request=ProvisioningRequest,
        request_examples=(("a new project", _REQUEST), ("taking access away", _REVOKE)),
        refusals=(*WRITING, 409, 429),
        status=202,
        parameters=(
            KEY,
            Parameter("dryRun", "Only say what would be done.", {"type": "boolean", "default": False}),
        ),
        also=(Also(200, "The plan, for a dry run; nothing has been done.", DryRun, _PLAN),),
    ),
    Route(
        "get",
        "/provisioning-requests",
        "listProvisioningRequests",
        "Requests, the newest first",
        RequestPage,
        {"value": [_SUMMARY], "continuationToken": None},
        tag=TAG,
        role="Provisioning.Read",
        refusals=(*ALWAYS, 400),
        parameters=(
            status_filter([status.value for status in Status]),
            Parameter("project", "Only those of this project, in whatever case.", {"type": "string"}),
            *PAGES,
        ),
    ),
    Route(
        "get",
        "/provisioning-requests/{id}",
        "getProvisioningRequest",
        "A request with every step",
        StatusDocument,
        _STATUS,
        tag=TAG,
        role="Provisioning.Read",
        refusals=READING,
        parameters=(_ID,),
    ),
    Route(
        "post",
        "/provisioning-requests/{id}/cancel",
        "cancelProvisioningRequest",
        "Take back what the request has made so far",
        StatusDocument,
        {**_STATUS, "status": "cleaningUp", "cancelRequested": True},
        tag=TAG,
        role="Provisioning.Write",
        refusals=(*READING, 400, 409),
        status=202,
        parameters=(_ID, KEY),
    ),
    Route(
        "post",
        "/provisioning-requests/{id}/retry",
        "retryProvisioningRequest",
        "Begin a failed request again",
        StatusDocument,
        _STATUS,
        tag=TAG,
        role="Provisioning.Write",
        refusals=(*READING, 400, 409, 429),
        status=202,
        parameters=(_ID, KEY),
    ),
)
