"""Refusals by their statuses, each with an example: made from the errors themselves, so that they say the same."""

from __future__ import annotations

from shared.errors import (
    AppError,
    Ended,
    Fault,
    InvalidRequest,
    LengthRequired,
    NotAllowed,
    RequestFault,
    TooLarge,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    Unknown,
    UnsupportedMediaType,
)
from shared.openapi.route import Json
from shared.telemetry import words
from shared.web import InternalError

_PROBLEMS: tuple[AppError, ...] = (
    InvalidRequest(
        "The body or a parameter does not validate, or the policy does not allow it; `errors` names every place.",
        faults=[Fault("identity.username", "Required, and missing.")],
    ),
    Unauthenticated("No valid token of Entra ID."),
    NotAllowed("The role, the grant or the ownership is missing: says which. An unknown alias is as one not granted."),
    Unknown("No such id or alias, or Power BI does not find what it stands for."),
    Ended("It has ended already, or the idempotency key was used for another body."),
    LengthRequired("The length of the body is not announced."),
    TooLarge("The body is larger than 1 MiB."),
    UnsupportedMediaType("The body is not announced as JSON."),
    TooManyRequests("Too much of this waits already; come again later."),
    InternalError("A fault of this service; quote the correlation id."),
    Unavailable("Power BI, Entra, Key Vault or storage throttles or is away, or settings are faulty."),
)
_BY_STATUS = {problem.status: problem for problem in _PROBLEMS}


def description_of(status: int) -> str:
    """When a route answers with this status."""
    return _BY_STATUS[status].detail


def example_of(status: int) -> Json:
    """Problem details with this status, as `shared.web` answers them."""
    problem = _BY_STATUS[status]
    example: Json = {
        "type": "urn:problem-type:" + words(problem).replace(" ", "-"),
        "title": problem.title,
        "status": status,
        "detail": problem.detail,
        "instance": "/api/…",
        "correlationId": "3f0c9a52-7d1e-4b8a-9c66-0e5d2f1a7b43",
    }
    if isinstance(problem, RequestFault) and problem.faults:
        example["errors"] = [{"path": fault.path, "message": fault.message} for fault in problem.faults]
    return example
