"""HTTP plumbing for every route: correlation id, errors as problem details (RFC 9457), bodies checked in order."""

from __future__ import annotations

import functools
import json
import math
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import azure.functions as func

from shared import telemetry
from shared.errors import (
    AppError,
    Fault,
    InvalidRequest,
    LengthRequired,
    RequestFault,
    Retryable,
    SettingsInvalid,
    TooLarge,
    TooManyRequests,
    Unauthenticated,
    UnsupportedMediaType,
)
from shared.times import to_text

if TYPE_CHECKING:
    import pydantic

    M = TypeVar("M", bound=pydantic.BaseModel)

__all__ = ["LARGEST_BODY", "body", "endpoint", "respond"]

Function = Callable[[func.HttpRequest], func.HttpResponse]

LARGEST_BODY = 1024 * 1024
CORRELATION_HEADER = "x-correlation-id"
_CORRELATION_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MEDIA_TYPE = re.compile(r"application/(?:json|[a-z0-9!#$&^_.-]+\+json)")
_PARAMETER = re.compile(r"""\s*([A-Za-z0-9!#$&^_.+-]+)\s*=\s*("?)([^"]*)\2\s*""")
LONGEST_WAIT = 24 * 3600


class InternalError(AppError):
    """A defect: all that our caller is told is how to have it looked up."""


_INTERNAL = InternalError(
    "Something went wrong in this service. Quote the correlation id to its operators; trying again may help."
)


def endpoint(operation: str) -> Callable[[Function], Function]:
    """Decorates a function of one `HttpRequest`: one log line each, `x-correlation-id` on every answer, errors as
    `application/problem+json`. Nothing that goes wrong reaches the host, which would answer an empty 500.
    """

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def answer(req: func.HttpRequest) -> func.HttpResponse:
            identifier = _correlation_id(req)
            with telemetry.correlation(identifier):
                response = _answer(function, req, operation)
            response.headers[CORRELATION_HEADER] = identifier
            return response

        return answer

    return decorate


def respond(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> func.HttpResponse:
    """An answer in JSON: times in UTC with `Z`; not to be stored by caches unless `headers` say otherwise."""
    return _response(value, status, {"Cache-Control": "no-store", **_titled(headers or {})}, "application/json")


def body(req: func.HttpRequest, model: type[M]) -> M:
    """The request's JSON as a `model`.

    Raises, in this order, UnsupportedMediaType (415), LengthRequired (411) or TooLarge (413: over 1 MiB),
    InvalidRequest (400, with every fault).
    """
    from shared.validation import check, parse_json

    _check_media_type(req)
    _check_length(req)
    return check(model, parse_json(req.get_body()))


def accepted(collection: str, document: Mapping[str, object]) -> func.HttpResponse:
    """202 for work that has been recorded: the document of today, and where to read tomorrow's."""
    location = f"/api/{collection}/{document['id']}"
    return respond(document, status=202, headers={"Location": location, "Retry-After": "5"})


def flag(req: func.HttpRequest, name: str) -> bool:
    """A query parameter that is `true` or `false`, which is what it is when left out; the route takes no other one.

    Raises InvalidRequest also for those: a misspelt `dryrun=true` must not be carried out for real.
    """
    faults = [Fault(other, f"Unknown parameter. Allowed here: {name}.") for other in req.params if other != name]
    value = req.params.get(name, "false")
    if value not in ("true", "false"):
        faults.append(Fault(name, "Must be true or false."))
    if faults:
        raise InvalidRequest("A parameter is not valid.", faults=faults)
    return str(value) == "true"


def _correlation_id(req: func.HttpRequest) -> str:
    sent = req.headers.get(CORRELATION_HEADER) or ""
    return sent if _CORRELATION_ID.fullmatch(sent) else str(uuid.uuid4())


def _answer(function: Function, req: func.HttpRequest, operation: str) -> func.HttpResponse:
    try:
        with telemetry.timed(operation, f"{req.method} {_path(req)}") as fields:
            fields["status"] = _INTERNAL.status  # unless it answers, or fails in a way that has a status of its own
            response = function(req)
            fields["status"] = response.status_code
            return response
    except AppError as error:
        return _problem(error, req)
    except Exception:  # noqa: BLE001 - logged with its trace by `timed`; our caller gets no more than the id
        return _problem(_INTERNAL, req)


def _problem(error: AppError, req: func.HttpRequest) -> func.HttpResponse:
    details: dict[str, object] = {
        "type": f"urn:problem-type:{telemetry.words(error).replace(' ', '-')}",
        "title": error.title,
        "status": error.status,
        "detail": telemetry.redact(error.detail),
        "instance": telemetry.redact(_path(req)),
        "correlationId": telemetry.correlation_id(),
    }
    if faults := _faults(error):
        details["errors"] = [
            {"path": telemetry.redact(fault.path), "message": telemetry.redact(fault.message)} for fault in faults
        ]
    return _response(details, error.status, _problem_headers(error, req), "application/problem+json")


def _faults(error: AppError) -> Sequence[Fault]:
    return error.faults if isinstance(error, RequestFault | SettingsInvalid) else ()


def _problem_headers(error: AppError, req: func.HttpRequest) -> dict[str, str]:
    headers = {"Cache-Control": "no-store"}
    if isinstance(error, Retryable | TooManyRequests):
        headers["Retry-After"] = str(math.ceil(min(max(error.retry_after, 1), LONGEST_WAIT)))
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = _challenge(req)
    return headers


def _challenge(req: func.HttpRequest) -> str:
    """RFC 6750, section 3.1: a request that came without a token is told no error code."""
    sent: str = req.headers.get("authorization") or ""
    scheme, _, token = sent.strip().partition(" ")
    return 'Bearer error="invalid_token"' if scheme.lower() == "bearer" and token.strip() else "Bearer"


def _path(req: func.HttpRequest) -> str:
    """The path alone: a query may hold what is not to be repeated."""
    try:
        return str(urlsplit(req.url).path)
    except ValueError:
        return "/"


def _response(value: object, status: int, headers: Mapping[str, str], media_type: str) -> func.HttpResponse:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=_to_json)
    # what upstream sent may hold half a surrogate pair, which UTF-8 can't carry
    return func.HttpResponse(
        text.encode("utf-8", "replace"),
        status_code=status,
        headers={**headers, "X-Content-Type-Options": "nosniff"},
        mimetype=media_type,
    )


def _to_json(value: object) -> str:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return to_text(value)
    raise TypeError(f"An answer can't hold a {type(value).__name__}.")


def _titled(headers: Mapping[str, str]) -> dict[str, str]:
    """One spelling for each name, so that a header replaces a default whatever its case."""
    return {"-".join(part.capitalize() for part in name.split("-")): value for name, value in headers.items()}


def _check_media_type(req: func.HttpRequest) -> None:
    media_type, *parameters = (req.headers.get("content-type") or "").split(";")
    if not _MEDIA_TYPE.fullmatch(media_type.strip().lower()):
        raise UnsupportedMediaType("The body must be JSON: send it with Content-Type: application/json.")
    for parameter in parameters:
        found = _PARAMETER.fullmatch(parameter)
        if found and found[1].lower() == "charset" and found[3].strip().lower() not in ("utf-8", "utf8"):
            raise UnsupportedMediaType("The body must be in UTF-8: send it with charset=utf-8, or without a charset.")
    if (req.headers.get("content-encoding") or "identity").strip().lower() != "identity":
        raise UnsupportedMediaType("The body must not be compressed: send it without Content-Encoding.")


def _check_length(req: func.HttpRequest) -> None:
    """The Functions host hands over bodies of announced length only; a chunked one would arrive empty."""
    announced = req.headers.get("content-length")
    if announced is None:
        raise LengthRequired("The length of the body must be announced: send Content-Length, not chunks.")
    digits = announced.strip()
    if not (digits.isascii() and digits.isdigit()):
        raise InvalidRequest("Content-Length is not a number.", faults=[Fault("Content-Length", "Must be a number.")])
    digits = digits.lstrip("0") or "0"
    if len(digits) > len(str(LARGEST_BODY)) or max(int(digits), len(req.get_body())) > LARGEST_BODY:
        raise TooLarge(f"The body must not be larger than {LARGEST_BODY} bytes (1 MiB).")
