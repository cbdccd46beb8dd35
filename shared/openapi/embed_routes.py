"""The route of embed tokens."""

from __future__ import annotations

from shared.embed.request import EmbedTokenAnswer, EmbedTokenRequest
from shared.openapi.route import WRITING, Json, Route

_TOKEN: Json = {
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
_REQUESTS: tuple[tuple[str, Json], ...] = (
    ("plain", {"reports": ["sales-overview"]}),
    ("as a customer", {"reports": ["margin-report"], "identity": {"username": "customer-4711", "roles": ["Customer"]}}),
    ("to edit, for half an hour", {"reports": ["sales-overview"], "accessLevel": "Edit", "lifetimeMinutes": 30}),
)

ROUTES = (
    Route(
        "post",
        "/embed-tokens",
        "issueEmbedToken",
        "Issue the narrowest embed token that the caller's grant allows",
        EmbedTokenAnswer,
        _TOKEN,
        tag="embed",
        role="Embed.Issue",
        request=EmbedTokenRequest,
        request_examples=_REQUESTS,
        refusals=(*WRITING, 404),
    ),
)
