"""Managed identity, by the protocol of App Service and Functions.

https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference
"""

from __future__ import annotations

import hmac
import secrets

from emulator.clouds import CLOUDS, PUBLIC, EmulatedCloud
from emulator.entra.errors import EntraRefused
from emulator.entra.service import Entra
from emulator.http import Answer, Call, Service
from emulator.seed import MANAGED_IDENTITY_CLIENT_ID, MANAGED_IDENTITY_OBJECT_ID

PATH = "/msi/token"
_API_VERSION = "2019-08-01"


class ManagedIdentity(Service):
    """The token endpoint that only a process on the same machine can reach. There is one, user-assigned, identity."""

    def __init__(self, entra: Entra) -> None:
        super().__init__()
        self.header = secrets.token_hex(16).upper()
        self._entra = entra
        self.router.add("GET", PATH, self._token)

    def _token(self, call: Call) -> Answer:
        if not hmac.compare_digest(call.headers.get("x-identity-header", "").encode(), self.header.encode()):
            return _refused(401, "Unauthorized", "The header X-IDENTITY-HEADER is missing or wrong")
        if call.query.get("api-version") != _API_VERSION:
            return _refused(400, "BadRequest", f"api-version must be {_API_VERSION}")
        resource = call.query.get("resource", "")
        if not resource:
            return _refused(400, "BadRequest", "The parameter resource is missing")
        if not _names_our_identity(call):
            return _refused(
                400,
                "BadRequest",
                "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.",
            )
        call.client_id = MANAGED_IDENTITY_CLIENT_ID
        try:
            token, claims = self._entra.managed_identity_token(resource, _cloud_of(resource))
        except EntraRefused as refused:
            body = refused.answer(call, {}).body
            return _refused(400, "BadRequest", str(body["error_description"]))
        return Answer(
            200,
            {
                "access_token": token,
                "expires_on": str(claims["exp"]),
                "resource": resource,
                "token_type": "Bearer",
                "client_id": MANAGED_IDENTITY_CLIENT_ID,
            },
        )


def _names_our_identity(call: Call) -> bool:
    """Without a name the system-assigned identity is meant, and there is none."""
    named = {name: call.query[name] for name in ("client_id", "principal_id", "object_id") if name in call.query}
    right = {
        "client_id": MANAGED_IDENTITY_CLIENT_ID,
        "principal_id": MANAGED_IDENTITY_OBJECT_ID,
        "object_id": MANAGED_IDENTITY_OBJECT_ID,
    }
    return bool(named) and all(right[name] == value.lower() for name, value in named.items())


def _cloud_of(resource: str) -> EmulatedCloud:
    """A managed identity lives in one cloud; the emulator is whichever one the resource belongs to."""
    name = resource.rstrip("/")
    return next((cloud for cloud in CLOUDS if name in (*cloud.resources(), cloud.exchange_audience)), PUBLIC)


def _refused(status: int, code: str, message: str) -> Answer:
    return Answer(status, {"statusCode": status, "message": message, "error": {"code": code, "message": message}})
