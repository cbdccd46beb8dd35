"""What Key Vault's refusals and the credential's failures mean, and what to do about each. Pure.

Inner codes are those of Microsoft's pages "Azure Key Vault REST API error codes" and "Troubleshooting Key Vault
access".
"""

from __future__ import annotations

from collections.abc import Callable

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

from shared import telemetry
from shared.auth import managed_identity
from shared.errors import Evidence, Misconfigured, Retryable, Throttled, Unavailable

OPERATION = "keyvault.getSecret"
_LONGEST_MESSAGE = 500

_FORBIDDEN = {
    "SecretDisabled": "secret '{name}' in {vault} is disabled: enable it, or store a new version",
    "ForbiddenByFirewall": "the firewall of {vault} does not let this app in: allow its subnet or its private endpoint",
    "ForbiddenByConnection": "{vault} refuses public access: let the app use its private endpoint",
    "ForbiddenByPolicy": "the access policy of {vault} does not let the app's managed identity get secrets: add it",
    "AccessDenied": "the access policy of {vault} does not let the app's managed identity get secrets: add it",
}
_NO_ROLE = "the app's managed identity may not read secret '{name}' in {vault}: give it the role Key Vault Secrets User"


def explain(error: AzureError, *, name: str, vault: str) -> Retryable:
    """The error of ours for one of the SDK's, while secret `name` was read from `vault` (its URL)."""
    if isinstance(error, HttpResponseError) and error.status_code is not None:
        return _refused(error, error.status_code, name, vault)
    if isinstance(error, ClientAuthenticationError):
        return managed_identity.explain(error, f"read secret '{name}' from {vault}")
    detail = f"{vault} or the managed identity's endpoint did not answer when secret '{name}' was read. Try again."
    return Unavailable(detail, evidence=_evidence(error, None))


def mismatch(error: ValueError, *, vault: str) -> Misconfigured:
    """The vault asks for a token that is not meant for a vault of this cloud: the client refuses to send one."""
    detail = f"{vault} does not prove to be a Key Vault of this cloud: check KEY_VAULT_URL and POWERBI_CLOUD."
    return Misconfigured(detail, evidence=_evidence(error, None))


def _refused(error: HttpResponseError, status: int, name: str, vault: str) -> Retryable:
    evidence = _evidence(error, status)
    known: dict[int, Callable[[], Retryable]] = {
        404: lambda: Misconfigured(
            f"There is no secret '{name}' in {vault} (a deleted one has to be recovered): store it, "
            "or correct the setting that names it.",
            evidence=evidence,
        ),
        403: lambda: Misconfigured(_forbidden(evidence, name, vault), evidence=evidence),
        401: lambda: Misconfigured(
            f"{vault} does not accept the token of the app's managed identity: vault and identity have to be of one "
            "tenant; check KEY_VAULT_URL and MANAGED_IDENTITY_CLIENT_ID.",
            evidence=evidence,
        ),
        400: lambda: Misconfigured(
            f"{vault} does not understand the request for secret '{name}': its name may hold letters, digits and "
            "hyphens only; correct the setting that names it.",
            evidence=evidence,
        ),
        429: lambda: Throttled(
            f"{vault} asks us to slow down. Secret '{name}' is read again by itself.",
            retry_after=_pause(error, 10.0),
            evidence=evidence,
        ),
    }
    away = Unavailable(
        f"{vault} has a passing fault. Try again soon.", retry_after=_pause(error, 5.0), evidence=evidence
    )
    return known[status]() if status in known else away


def _forbidden(evidence: Evidence, name: str, vault: str) -> str:
    sentence = _FORBIDDEN.get(evidence.code, _NO_ROLE).format(name=name, vault=vault)
    return f"Key Vault refuses: {sentence}."


def _pause(error: HttpResponseError, otherwise: float) -> float:
    header = getattr(error.response, "headers", {}).get("Retry-After", "")
    return min(float(header[:6]), 3600.0) if header.isascii() and header.isdigit() and int(header[:6]) else otherwise


def _evidence(error: Exception, status: int | None) -> Evidence:
    response = getattr(error, "response", None)
    body = getattr(error, "error", None)
    inner = getattr(body, "innererror", None) or {}
    message = str(getattr(body, "message", None) or error)
    return Evidence(
        operation=OPERATION,
        status=status,
        code=str((inner.get("code") if isinstance(inner, dict) else "") or getattr(body, "code", "") or "")[:80],
        message=telemetry.redact(message[:_LONGEST_MESSAGE]),
        request_id=str(response.headers.get("x-ms-request-id", "")) if response is not None else "",
    )
