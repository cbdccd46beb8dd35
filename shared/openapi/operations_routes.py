"""The routes of operators, and of this description."""

from __future__ import annotations

from shared import __version__
from shared.openapi.answers import Health, ReadinessReport
from shared.openapi.route import ALWAYS, Also, Json, Route

TAG = "operations"

_PASSED: Json = {
    "name": "storage",
    "status": "passed",
    "evidence": "The storage account answers, with 9 containers.",
    "remedy": "",
    "ms": 12,
}
_FAILED: Json = {
    "name": "secret of embed",
    "status": "failed",
    "evidence": "Key Vault has no secret 'powerbi-embed'.",
    "remedy": "Give the app's managed identity the role Key Vault Secrets User, and store the secret 'powerbi-embed'.",
    "ms": 87,
}
_NOT_READY = Also(
    503,
    "A check has failed: its remedy says what to do.",
    ReadinessReport,
    {"status": "notReady", "checks": [_PASSED, _FAILED]},
)

ROUTES = (
    Route("get", "/health", "health", "Is the app running?", Health, {"status": "ok", "version": __version__}, tag=TAG),
    Route(
        "get",
        "/readiness",
        "readiness",
        "Could the app do its work now?",
        ReadinessReport,
        {"status": "ready", "checks": [_PASSED]},
        tag=TAG,
        role="Operations.Read",
        refusals=ALWAYS,
        also=(_NOT_READY,),
    ),
    Route("get", "/openapi.json", "openapi", "This description", None, {"openapi": "3.1.0"}, tag=TAG),
)
