"""The storage SDK's exceptions as errors of ours: pure, so that every one of them can be tried."""

from __future__ import annotations

from collections.abc import Mapping

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

from shared.errors import AppError, Conflict, Evidence, Invalid, Misconfigured, NotFound, Throttled, Unavailable

AWAY = 5.0
LONGEST_WAIT = 3600.0
_BUSY = frozenset({"ServerBusy", "OperationTimedOut"})
_NO_CONTAINER = frozenset({"ContainerNotFound", "QueueNotFound", "TableNotFound"})
_ROLES = {
    "blob": "Storage Blob Data Contributor",
    "queue": "Storage Queue Data Contributor",
    "table": "Storage Table Data Contributor",
}
_REFUSALS = {
    "AuthorizationFailure": "Check its network rules (firewall, private endpoint) and the account key.",
    "AuthenticationFailed": "The account key is wrong or was renewed, or the clock is off.",
    "KeyBasedAuthenticationNotPermitted": (
        "The account does not accept keys: set the …ServiceUri settings and let the app use its identity."
    ),
    "AccountIsDisabled": "The account is disabled.",
}


def from_sdk(operation: str, error: AzureError) -> AppError:
    """What the exception means for our caller."""
    if isinstance(error, ServiceRequestError):
        return Unavailable("Storage can't be reached. Try again.", evidence=_evidence(operation, error))
    if isinstance(error, HttpResponseError) and error.status_code:
        return _from_answer(operation, error, error.status_code)
    if isinstance(error, ClientAuthenticationError):
        detail = "The app's managed identity got no token for storage. Check MANAGED_IDENTITY_CLIENT_ID."
        return Misconfigured(detail, evidence=_evidence(operation, error))
    unsure = isinstance(error, ServiceResponseError)
    detail = "Storage did not answer in time. Try again." if unsure else "The call to storage failed. Try again."
    return Unavailable(detail, evidence=_evidence(operation, error), effect_unknown=unsure)


def _from_answer(operation: str, error: HttpResponseError, status: int) -> AppError:
    evidence = _evidence(operation, error)
    if status == 429 or (status >= 500 and evidence.code in _BUSY):
        detail = "Storage asks for fewer calls. Try again later."
        return Throttled(detail, evidence=evidence, retry_after=_retry_after(error))
    if status >= 500 or status == 408:
        detail = "Storage failed to serve the call. Try again."
        return Unavailable(detail, evidence=evidence, retry_after=_retry_after(error), effect_unknown=True)
    return _final(operation, status, evidence)


def _final(operation: str, status: int, evidence: Evidence) -> AppError:
    """What would not be better if it were sent again at once."""
    if status in (401, 403):
        return Misconfigured(_refusal(operation, evidence.code), evidence=evidence)
    if evidence.code in _NO_CONTAINER:
        detail = "A container, queue or table is missing in the storage account: deploy the infrastructure again."
        return Misconfigured(detail, evidence=evidence)
    if status == 404:
        return NotFound("It is not in storage.", evidence=evidence)
    if status in (304, 409, 412):
        return Conflict("It exists in storage already, or has changed since it was read.", evidence=evidence)
    return Invalid("Storage refused the call.", evidence=evidence)


def _refusal(operation: str, code: str) -> str:
    role = _ROLES.get(operation.partition(" ")[0], _ROLES["blob"])
    otherwise = f"Assign the role {role} on the account to the app's identity (it takes up to ten minutes to work)."
    return f"The storage account refused this app. {_REFUSALS.get(code, otherwise)}"


def _evidence(operation: str, error: AzureError) -> Evidence:
    headers = _headers(error)
    code = getattr(error, "error_code", None)
    return Evidence(
        operation=operation,
        status=error.status_code if isinstance(error, HttpResponseError) else None,
        code=str(getattr(code, "value", code) or headers.get("x-ms-error-code") or ""),
        message=_first_line(error),
        request_id=headers.get("x-ms-request-id") or "",
    )


def _headers(error: AzureError) -> Mapping[str, str]:
    """The answer's headers, whose names the transport compares in any case."""
    headers: Mapping[str, str] | None = getattr(getattr(error, "response", None), "headers", None)
    return {} if headers is None else headers


def _first_line(error: AzureError) -> str:
    lines = str(error.message).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__


def _retry_after(error: HttpResponseError) -> float:
    """Seconds as the service says (storage sends whole seconds), else five."""
    sent = _headers(error).get("Retry-After") or ""
    return min(float(sent), LONGEST_WAIT) if sent.isascii() and sent.isdigit() else AWAY
