"""What each of Power BI's answers means to us."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import (
    AppError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Rejected,
    Retryable,
    Throttled,
    Unavailable,
)
from shared.powerbi.errors import LONGEST_THROTTLE, THROTTLED_FOR, from_answer, token_at_fault

NOW = datetime(2026, 11, 2, 10, 0, tzinfo=UTC)


def answer(status: int, body: object = b"", **headers: str) -> AppError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return from_answer("reports.get", status, named, raw, now=NOW)


def twin(code: str) -> object:
    return {
        "error": {"code": code, "pbi.error": {"code": code, "parameters": {}, "details": [], "exceptionCulprit": 1}}
    }


@pytest.mark.parametrize(
    ("body", "headers", "code", "message"),
    [
        (twin("PowerBIEntityNotFound"), {}, "PowerBIEntityNotFound", ""),
        ({"error": {"pbi.error": {"code": "Alm_X"}}}, {}, "Alm_X", ""),
        ({"error": {"code": "InvalidRequest", "message": "No."}}, {}, "InvalidRequest", "No."),
        ({"code": "X", "message": "without the wrapper"}, {}, "X", "without the wrapper"),
        ({"message": "You have exceeded"}, {}, "", "You have exceeded"),
        ({"Message": "API is not accessible for application"}, {}, "", "API is not accessible for application"),
        (b"", {"X_PowerBI_Error_Info": "GroupNotAccessible"}, "GroupNotAccessible", ""),
        (twin("Other"), {"x_powerbi_error_info": "TokenExpired"}, "TokenExpired", ""),
        (b"<html><title>Bad\n gateway</title></html>", {}, "", "Bad gateway"),
        (b"plain text", {}, "", "plain text"),
        ({"error": "only a string"}, {}, "", "only a string"),
        ({"error": {"pbi.error": {"details": [{"detail": {"type": 1, "value": "why"}}]}}}, {}, "", "why"),
    ],
)
def test_code_and_message_are_found_in_every_shape(
    body: object, headers: dict[str, str], code: str, message: str
) -> None:
    error = answer(400, body, **headers)
    assert (error.evidence.code, error.evidence.message) == (code, message)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (302, b"", Unavailable),
        (400, {"error": {"code": "InvalidRequest", "message": "x"}}, Invalid),
        (400, twin("PowerBIEntityAlreadyExists"), Conflict),
        (400, twin("AddingAlreadyExistsGroupUserNotSupportedError"), Conflict),
        (401, twin("PowerBINotAuthorizedException"), Forbidden),
        (403, b"", Forbidden),
        (404, twin("PowerBIEntityNotFound"), NotFound),
        (408, b"", Unavailable),
        (409, b"", Conflict),
        (415, {"message": "no Content-Type"}, Invalid),
        (429, {"message": "You have exceeded"}, Throttled),
        (500, b"An error has occurred", Unavailable),
        (503, b"", Unavailable),
    ],
)
def test_each_status_has_one_meaning(status: int, body: object, kind: type[AppError]) -> None:
    assert type(answer(status, body)) is kind


def test_a_server_error_leaves_the_effect_open() -> None:
    error = answer(500)
    assert isinstance(error, Unavailable)
    assert error.effect_unknown


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry_After": "3392"}, 3392),
        ({"retry_after": "1.5"}, 1.5),
        ({"Retry_After": "0"}, 1),
        ({"Retry_After": "Mon, 02 Nov 2026 10:02:00 GMT"}, 120),
        ({"Retry_After": "Mon, 02 Nov 2026 10:02:00 GMT", "Date": "Mon, 02 Nov 2026 10:01:00 GMT"}, 60),
        ({"Retry_After": "Mon, 02 Nov 2026 09:00:00 GMT"}, 1),
        ({"Retry_After": "soon"}, THROTTLED_FOR),
        ({"Retry_After": "-5"}, THROTTLED_FOR),
        ({"Retry_After": "999999999"}, LONGEST_THROTTLE),
        ({}, THROTTLED_FOR),
    ],
)
def test_a_throttle_lasts_as_long_as_power_bi_says(headers: dict[str, str], seconds: float) -> None:
    error = answer(429, b"", **headers)
    assert isinstance(error, Throttled)
    assert error.retry_after == seconds


def test_unavailable_with_a_retry_after_is_a_throttle() -> None:
    assert isinstance(answer(503, b"", Retry_After="7"), Throttled)


def test_the_evidence_names_operation_status_and_request_id() -> None:
    evidence = answer(404, twin("PowerBIEntityNotFound"), RequestId="abc").evidence
    assert (evidence.operation, evidence.status, evidence.request_id) == ("reports.get", 404, "abc")
    assert answer(500, b"", x_ms_request_id="def").request_id == "def"


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("ServicePrincipalIsNotAllowedByTenantAdminSwitch", "Allow service principals to use Power BI APIs"),
        ("GroupNotAccessible", "role Member on the workspace"),
    ],
)
def test_the_detail_says_what_to_do(code: str, remedy: str) -> None:
    assert remedy in answer(401, b"", X_PowerBI_Error_Info=code).detail


@pytest.mark.parametrize(
    ("status", "body", "headers", "at_fault"),
    [
        (403, {"error": {"code": "TokenExpired", "message": "resubmit"}}, {}, True),
        (403, b"", {"X-PowerBI-Error-Info": "InvalidToken"}, True),
        (403, b"", {"x-powerbi-error-info": "TokenExpired"}, True),
        (403, b"", {}, True),
        (401, b"", {}, True),
        (403, {"Message": "API is not accessible for application"}, {}, False),
        (401, b"", {"X-PowerBI-Error-Info": "GroupNotAccessible"}, False),
        (401, twin("PowerBINotAuthorizedException"), {}, False),
        (403, twin("PowerBINotAuthorizedException"), {}, False),
        (400, twin("TokenExpired"), {}, False),
        (404, b"", {}, False),
    ],
)
def test_only_some_refusals_blame_the_token(status: int, body: object, headers: dict[str, str], at_fault: bool) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    assert token_at_fault(status, headers, raw) is at_fault


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "pbi.error", "code", "message", "Message", "details", "detail", "value"]), inner
        )
    ),
    max_leaves=8,
)


@given(
    st.integers(300, 599),
    st.binary(max_size=64) | json_values.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(st.sampled_from(["Retry-After", "X-PowerBI-Error-Info", "Date"]), st.text(max_size=12)),
)
def test_no_answer_is_too_odd(status: int, body: bytes, headers: dict[str, str]) -> None:
    error = from_answer("groups.list", status, headers, body, now=NOW)
    assert isinstance(error, Retryable | Rejected)
    assert error.detail
    assert len(error.evidence.message) <= 500
    token_at_fault(status, headers, body)
