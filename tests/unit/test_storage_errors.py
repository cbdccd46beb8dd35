"""What the storage SDK raises, in our own terms."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)

from shared.errors import AppError, Conflict, Invalid, Misconfigured, NotFound, Retryable, Throttled, Unavailable
from shared.storage.connection import storage_errors


def answered(
    status: int,
    code: str = "",
    kind: type[HttpResponseError] = HttpResponseError,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> HttpResponseError:
    sent = {"x-ms-request-id": "r-1", **headers}
    response: Any = SimpleNamespace(status_code=status, reason="Reason", headers=sent)
    error = kind(message=f"What happened\nRequestId:r-1\nErrorCode:{code}", response=response)
    error.error_code = code  # type: ignore[attr-defined]
    return error


def translated(error: Exception, operation: str = "blob get") -> AppError:
    with pytest.raises(AppError) as caught, storage_errors(operation):
        raise error
    return caught.value


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (answered(429, "TooManyRequests"), Throttled),
        (answered(503, "ServerBusy"), Throttled),
        (answered(500, "OperationTimedOut"), Throttled),
        (answered(503, ""), Unavailable),
        (answered(500, "InternalError"), Unavailable),
        (answered(408), Unavailable),
        (answered(401, "InvalidAuthenticationInfo", ClientAuthenticationError), Misconfigured),
        (answered(403, "AuthorizationPermissionMismatch"), Misconfigured),
        (answered(404, "ContainerNotFound", ResourceNotFoundError), Misconfigured),
        (answered(404, "QueueNotFound", ResourceNotFoundError), Misconfigured),
        (answered(404, "TableNotFound", ResourceNotFoundError), Misconfigured),
        (answered(404, "BlobNotFound", ResourceNotFoundError), NotFound),
        (answered(304, "ConditionNotMet"), Conflict),
        (answered(409, "BlobAlreadyExists", ResourceExistsError), Conflict),
        (answered(412, "ConditionNotMet", ResourceModifiedError), Conflict),
        (answered(400, "InvalidInput"), Invalid),
        (answered(413, "RequestBodyTooLarge"), Invalid),
        (ServiceRequestError("no route"), Unavailable),
        (ServiceResponseError("timed out"), Unavailable),
        (ClientAuthenticationError("no managed identity endpoint"), Misconfigured),
        (AzureError("something else"), Unavailable),
        (ConnectionResetError("while reading"), Unavailable),
    ],
)
def test_an_exception_of_the_sdk_becomes_one_of_ours(error: Exception, expected: type[AppError]) -> None:
    assert type(translated(error)) is expected


def test_what_the_service_said_is_kept_for_the_log() -> None:
    evidence = translated(answered(403, "AuthorizationFailure"), "queue send").evidence
    assert (evidence.operation, evidence.status, evidence.code) == ("queue send", 403, "AuthorizationFailure")
    assert (evidence.message, evidence.request_id) == ("What happened", "r-1")


def test_an_answer_to_head_has_its_code_in_a_header() -> None:
    error = answered(404, headers={"x-ms-error-code": "ContainerNotFound"})
    assert translated(error).code == "ContainerNotFound"


@pytest.mark.parametrize(("sent", "seconds"), [("17", 17), ("99999", 3600), ("soon", 5), ("-1", 5), ("", 5)])
def test_the_wait_that_storage_asks_for_is_kept(sent: str, seconds: float) -> None:
    error = translated(answered(503, "ServerBusy", headers={"Retry-After": sent}))
    assert isinstance(error, Retryable)
    assert error.retry_after == seconds


@pytest.mark.parametrize(
    ("operation", "role"),
    [
        ("blob put", "Storage Blob Data Contributor"),
        ("queue send", "Storage Queue Data Contributor"),
        ("table insert", "Storage Table Data Contributor"),
    ],
)
def test_a_missing_role_is_named(operation: str, role: str) -> None:
    assert role in translated(answered(403, "AuthorizationPermissionMismatch"), operation).detail


@pytest.mark.parametrize(
    ("error", "unknown"),
    [
        (ServiceRequestError("never left"), False),
        (ServiceResponseError("timed out"), True),
        (answered(500), True),
        (ConnectionResetError("while reading"), True),
    ],
)
def test_an_effect_that_may_have_happened_is_marked(error: Exception, unknown: bool) -> None:
    found = translated(error)
    assert isinstance(found, Unavailable)
    assert found.effect_unknown is unknown


def test_errors_of_ours_and_defects_pass_as_they_are() -> None:
    for error in (Throttled("Entra"), ZeroDivisionError("ours")):
        with pytest.raises(type(error)) as caught, storage_errors("blob get"):
            raise error
        assert caught.value is error
