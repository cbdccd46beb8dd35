"""What every route shares: correlation id, problem details, and the form of answers."""

from __future__ import annotations

import inspect
import json
import logging
import secrets
import typing
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import azure.functions as func
import pytest

from shared import telemetry, web
from shared.errors import (
    AppError,
    Conflict,
    Ended,
    Evidence,
    Fault,
    Forbidden,
    InvalidRequest,
    Misconfigured,
    NotAllowed,
    NotFound,
    SettingsInvalid,
    Throttled,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    Unknown,
)
from tests.unit.http_calls import request, said


def answered(error: BaseException | None = None, **kwargs: Any) -> func.HttpResponse:
    @web.endpoint("things")
    def function(req: func.HttpRequest) -> func.HttpResponse:
        if error:
            raise error
        return web.respond({"ok": True})

    return function(request(**kwargs))


# --- correlation ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["x-correlation-id", "X-Correlation-ID"])
@pytest.mark.parametrize("value", ["a", "A.b_c-9", "x" * 64])
def test_the_callers_correlation_id_is_answered(name: str, value: str) -> None:
    assert answered(headers={name: value}).headers["x-correlation-id"] == value


@pytest.mark.parametrize("value", ["", "x" * 65, "a b", "a\n", "a,b", "ä", "<script>", "a/b"])
def test_a_correlation_id_that_is_none_is_replaced(value: str) -> None:
    given = answered(headers={"x-correlation-id": value}).headers["x-correlation-id"]
    assert uuid.UUID(given).version == 4


@pytest.mark.parametrize("error", [None, Unknown("x"), ValueError("x")])
def test_every_answer_carries_the_correlation_id_that_the_work_had(error: Exception | None) -> None:
    seen: list[str] = []

    @web.endpoint("things")
    def function(req: func.HttpRequest) -> func.HttpResponse:
        seen.append(telemetry.correlation_id())
        if error:
            raise error
        return web.respond({})

    assert function(request()).headers["x-correlation-id"] == seen[0]
    assert telemetry.correlation_id() == ""


def test_a_problem_carries_the_correlation_id_too() -> None:
    response = answered(Unknown("x"), headers={"x-correlation-id": "mine"})
    assert said(response)["correlationId"] == "mine"


# --- problems -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (InvalidRequest("x"), 400, "invalid-request"),
        (Unauthenticated("x"), 401, "unauthenticated"),
        (NotAllowed("x"), 403, "not-allowed"),
        (Unknown("x"), 404, "unknown"),
        (NotFound("x"), 404, "not-found"),
        (Ended("x"), 409, "ended"),
        (TooManyRequests("x"), 429, "too-many-requests"),
        (Throttled("x"), 503, "throttled"),
        (Unavailable("x"), 503, "unavailable"),
        (Misconfigured("x"), 503, "misconfigured"),
        (SettingsInvalid("x"), 503, "settings-invalid"),
        (Forbidden("x"), 503, "forbidden"),
        (Conflict("x"), 503, "conflict"),
        (AppError("x"), 500, "app-error"),
    ],
)
def test_an_error_is_a_problem_of_its_status_and_type(error: AppError, status: int, kind: str) -> None:
    response = answered(error)
    assert (response.status_code, response.mimetype) == (status, "application/problem+json")
    assert said(response) == {
        "type": f"urn:problem-type:{kind}",
        "title": error.title,
        "status": status,
        "detail": "x",
        "instance": "/api/things",
        "correlationId": response.headers["x-correlation-id"],
    }


@pytest.mark.parametrize(
    "error", [InvalidRequest("x", faults=[Fault("a[0]", "b")]), SettingsInvalid("x", faults=[Fault("a[0]", "b")])]
)
def test_faults_are_listed(error: AppError) -> None:
    assert said(answered(error))["errors"] == [{"path": "a[0]", "message": "b"}]


@pytest.mark.parametrize(
    ("error", "header"),
    [
        (Throttled("x", retry_after=1.2), "2"),
        (Unavailable("x", retry_after=30), "30"),
        (Misconfigured("x"), "300"),
        (TooManyRequests("x", retry_after=0.2), "1"),
        (Throttled("x", retry_after=0), "1"),
        (Throttled("x", retry_after=float("inf")), "86400"),
        (Unknown("x"), None),
        (Forbidden("x"), None),
    ],
)
def test_retry_after_is_in_whole_seconds_rounded_up(error: AppError, header: str | None) -> None:
    assert answered(error).headers.get("Retry-After") == header


@pytest.mark.parametrize(
    ("authorization", "challenge"),
    [
        (None, "Bearer"),
        ("", "Bearer"),
        ("Bearer", "Bearer"),
        ("Basic eDp5", "Bearer"),
        ("Bearer abc", 'Bearer error="invalid_token"'),
        ("bearer  abc", 'Bearer error="invalid_token"'),
    ],
)
def test_401_says_how_to_authenticate_and_whether_a_token_was_bad(authorization: str | None, challenge: str) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    assert answered(Unauthenticated("x"), headers=headers).headers["WWW-Authenticate"] == challenge


def test_only_401_carries_a_challenge() -> None:
    assert "WWW-Authenticate" not in answered(NotAllowed("x")).headers


def test_an_unexpected_error_tells_no_more_than_the_correlation_id() -> None:
    response = answered(ValueError("the inner truth"))
    assert response.status_code == 500
    assert "inner truth" not in response.get_body().decode()
    assert "Traceback" not in response.get_body().decode()
    assert "correlation id" in said(response)["detail"]


def test_an_unexpected_error_is_logged_with_its_trace(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        answered(ValueError("the inner truth"))
    [record] = caplog.records
    assert "the inner truth" in f"{record.msg} {record.exc_text} {record.exc_info}"


def test_a_function_that_answers_nothing_is_a_defect_and_not_a_crash() -> None:
    @web.endpoint("things")
    def function(req: func.HttpRequest) -> func.HttpResponse:
        return None  # type: ignore[return-value]

    assert function(request()).status_code == 500


def test_a_problem_never_holds_a_secret() -> None:
    secret = secrets.token_urlsafe(24)
    telemetry.keep_secret(secret)
    error = InvalidRequest(f"Bad {secret} or sig={secret}", faults=[Fault(secret, secret)])
    response = answered(error, url=f"https://app.example/api/{secret}?code={secret}")
    assert secret not in response.get_body().decode()


def test_what_only_operators_may_see_is_not_answered() -> None:
    evidence = Evidence(operation="Op", status=403, code="UpstreamCode", message="upstream text", request_id="r-1")
    text = answered(Forbidden("Refused.", evidence=evidence)).get_body().decode()
    assert not [word for word in ("UpstreamCode", "upstream text", "r-1") if word in text]


def test_one_request_is_one_log_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        answered()
        answered(Unknown("gone"))
    first, second = [record.msg for record in caplog.records]
    assert '"outcome": "ok"' in str(first)
    assert '"status": 200' in str(first)
    assert '"outcome": "unknown"' in str(second)
    assert "code=k" not in f"{first} {second}"


@pytest.mark.parametrize("url", ["", "https://[bad", "/api/x", "https://h/api/x?y=1#z"])
def test_an_odd_url_does_not_break_the_answer(url: str) -> None:
    assert answered(Unknown("x"), url=url).status_code == 404


# --- answers --------------------------------------------------------------------------------------------------------
def test_an_answer_is_json_that_no_cache_keeps() -> None:
    response = web.respond(
        {"at": datetime(2026, 1, 2, 3, tzinfo=UTC), "name": "ü"}, status=202, headers={"Location": "/api/x"}
    )
    assert (response.status_code, response.mimetype) == (202, "application/json")
    assert json.loads(response.get_body()) == {"at": "2026-01-02T03:00:00Z", "name": "ü"}
    assert dict(response.headers) == {
        "Cache-Control": "no-store",
        "Location": "/api/x",
        "X-Content-Type-Options": "nosniff",
    }


def test_a_header_replaces_the_default_whatever_its_case() -> None:
    headers = web.respond({}, headers={"cache-control": "max-age=60"}).headers
    assert headers.get_all("Cache-Control") == ["max-age=60"]


def test_half_a_surrogate_pair_from_elsewhere_does_not_break_an_answer() -> None:
    assert json.loads(web.respond({"name": "a\ud800"}).get_body()) == {"name": "a?"}


def test_the_decorated_function_still_looks_like_itself_to_the_platform() -> None:
    def things(req: func.HttpRequest) -> func.HttpResponse:
        """About things."""
        return web.respond({})

    decorated = web.endpoint("things")(things)
    assert inspect.signature(decorated) == inspect.signature(things)
    assert typing.get_type_hints(decorated) == {"req": func.HttpRequest, "return": func.HttpResponse}
    assert (decorated.__name__, decorated.__doc__) == ("things", "About things.")
    app = func.FunctionApp()
    app.route("things")(decorated)
    [indexed] = app.get_functions()
    assert indexed.get_function_name() == "things"


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.INFO, logger="app"):
        yield
