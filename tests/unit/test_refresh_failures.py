"""What the failures of Power BI are made out to be."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.errors import (
    AppError,
    Conflict,
    Evidence,
    Forbidden,
    Invalid,
    Misconfigured,
    NotFound,
    Throttled,
    Unavailable,
)
from shared.powerbi.guardrails import Observed, OutsideTouch
from shared.powerbi.refreshes import RefreshDetails, RefreshEntry
from shared.refresh.failures import failure_of, failure_of_refusal, is_already_executing, is_daily_limit, took_too_long

WHEN = datetime(2026, 11, 22, tzinfo=UTC)


def entry(code: str = "", description: str = "", **changes: Any) -> RefreshEntry:
    said = {"errorCode": code} | ({"errorDescription": description} if description else {})
    known: dict[str, Any] = {
        "request_id": "r",
        "refresh_type": "ViaApi",
        "start_time": WHEN,
        "end_time": WHEN,
        "status": "Failed",
        "service_exception": json.dumps(said) if code or description else "",
    }
    return RefreshEntry(**{**known, **changes})


SHORT = "ModelRefresh_ShortMessage_ProcessingError"


@pytest.mark.parametrize(
    ("code", "description", "kind", "retryable"),
    [
        ("ModelRefreshFailed_CredentialsNotSpecified", "", "credentials", False),
        ("DMTS_OAuthTokenRefreshFailedError", "", "credentials", False),
        ("DM_GWPipeline_Gateway_InvalidConnectionCredentials", "", "credentials", False),
        ("DM_GWPipeline_Gateway_ImpersonationError", "", "credentials", False),
        ("DM_GWPipeline_Client_GatewayUnreachable", "", "gateway", True),
        ("DM_GWPipeline_Gateway_SpooledOperationMissing", "", "gateway", True),
        ("DM_GWPipeline_Gateway_TimeoutError", "", "timeout", True),
        ("DM_GWPipeline_Gateway_DataSourceAccessError", "", "source", True),
        ("DM_GWPipeline_Gateway_MashupDataAccessError", "", "source", True),
        ("DM_GWPipeline_UnknownError", "The login failed for the user.", "credentials", False),
        ("DM_GWPipeline_UnknownError", "", "gateway", True),
        ("ModelRefresh_ShortMessage_Timeout", "", "timeout", True),
        ("CapacityNotActive", "", "capacity", True),
        ("0xC11C0020", "", "capacity", True),
        ("TooManyRequests", "", "throttle", True),
        (SHORT, "", "unknown", True),
        (SHORT, "Something nobody has heard of.", "unknown", True),
        (SHORT, "The credentials provided for the SQL source are invalid.", "credentials", False),
        (SHORT, "You have reached the maximum allowable memory allocation for your tier.", "capacity", True),
        (SHORT, "Container exited unexpectedly with code 0x0000DEAD.", "capacity", True),
        (SHORT, "Timeout expired. The timeout period elapsed.", "timeout", True),
        (SHORT, "Request failed: The remote server returned an error: (502) Bad Gateway.", "source", True),
        (SHORT, "The '<pii>total</pii>' column does not exist in the rowset.", "model", False),
        (SHORT, "Column 'Id' in Table 'T' contains a duplicate value 'x'.", "model", False),
        (SHORT, "Information is needed in order to combine data", "model", False),
        (SHORT, "<ccon>Not a legal OleAut date.</ccon>", "model", False),
        ("ModelRefreshFailed", "The model has no partition 'S-1' in table 'Sales'", "model", False),
        ("", "The last refresh attempt failed because of an internal service error.", "unknown", True),
        ("SomethingNew", "", "unknown", True),
    ],
)
def test_a_failure_has_a_class(code: str, description: str, kind: str, retryable: bool) -> None:
    failure = failure_of(entry(code, description))
    assert (failure.kind, failure.retryable) == (kind, retryable)
    assert failure.remedy.endswith(".")
    assert failure.message
    assert "<pii>" not in failure.message
    assert failure.document()["class"] == kind


def test_the_attempts_say_what_the_refresh_does_not() -> None:
    silent = entry(SHORT)
    attempt = {"attemptId": 1, "type": "Data", "serviceExceptionJson": json.dumps({"errorCode": "DMTS_NoCredential"})}
    told = RefreshEntry(**{**silent.__dict__, "attempts": ({"attemptId": 1}, attempt)})
    assert failure_of(told).code == "DMTS_NoCredential"
    assert failure_of(told).kind == "credentials"


def test_the_messages_of_the_details_count_but_for_warnings() -> None:
    base = entry().__dict__
    messages = (
        {"code": "0x1", "message": "Credentials are old.", "type": "Warning"},
        {"code": "0xC11C0020", "message": "The model was evicted.", "type": "Error"},
    )
    failure = failure_of(RefreshDetails(**base, messages=messages))
    assert (failure.code, failure.kind, failure.message) == ("0xC11C0020", "capacity", "The model was evicted.")


def test_a_message_that_is_only_a_code_is_one() -> None:
    failure = failure_of(RefreshDetails(**entry().__dict__, messages=({"message": SHORT, "type": "Error"},)))
    assert (failure.code, failure.kind, failure.retryable) == (SHORT, "unknown", True)
    assert SHORT in failure.message


@pytest.mark.parametrize("odd", ["not JSON", "[1]", "7", '"text"', "{", '{"errorCode": 7}', "[" * 100_000])
def test_an_exception_in_another_form_breaks_nothing(odd: str) -> None:
    failure = failure_of(entry(service_exception=odd, attempts=({"serviceExceptionJson": 7},)))
    assert failure.kind in ("unknown", "model")
    assert failure.message


def test_how_it_ended_counts_where_there_is_no_reason() -> None:
    timed_out = failure_of(entry(extended_status="TimedOut"))
    assert (timed_out.kind, timed_out.retryable, timed_out.code) == ("timeout", True, "timeout")
    disabled = failure_of(entry(status="Disabled"))
    assert (disabled.kind, disabled.retryable) == ("model", False)
    cancelled = failure_of(entry(status="Cancelled"))
    assert (cancelled.code, cancelled.retryable) == ("cancelled", False)


def test_a_message_is_bounded() -> None:
    assert len(failure_of(entry(SHORT, "x" * 10_000)).message) == 2000


def invalid(message: str, code: str = "InvalidRequest", status: int = 400) -> Invalid:
    return Invalid(
        f"Power BI refused refreshes.start ({code}: {message}).", evidence=Evidence("", status, code, message)
    )


LIMIT = "Invalid dataset refresh request. Number of refresh requests in last 24 hours exceeded limit"
BUSY = "Invalid dataset refresh request. Another refresh request is already executing"


@pytest.mark.parametrize(
    ("error", "kind", "retryable", "code"),
    [
        (invalid(LIMIT), "throttle", True, "dailyLimit"),
        (invalid(BUSY), "throttle", True, "alreadyExecuting"),
        (invalid("Enhanced refresh needs a workspace on dedicated capacity"), "capacity", False, "InvalidRequest"),
        (invalid("This API can only be called on a Model-based dataset", status=415), "model", False, "InvalidRequest"),
        (invalid("Parameter objects.table is missing or invalid"), "model", False, "InvalidRequest"),
        (NotFound("gone", evidence=Evidence(code="PowerBIEntityNotFound")), "model", False, "PowerBIEntityNotFound"),
        (Forbidden("no access"), "credentials", False, "forbidden"),
        (OutsideTouch("not this one"), "unknown", False, "outsideTouch"),
        (Observed("observe"), "unknown", False, "observed"),
        (Throttled("slowly", retry_after=60), "throttle", True, "throttled"),
        (Unavailable("away"), "unknown", True, "unavailable"),
        (Misconfigured("secret expired"), "credentials", True, "misconfigured"),
        (Conflict("moved on"), "throttle", True, "conflict"),
    ],
)
def test_a_refusal_has_a_class(error: AppError, kind: str, retryable: bool, code: str) -> None:
    failure = failure_of_refusal(error)
    assert (failure.kind, failure.retryable, failure.code) == (kind, retryable, code)
    assert failure.message
    assert failure.remedy.endswith(".")


def test_a_daily_limit_that_comes_as_429_is_a_daily_limit_too() -> None:
    error = Throttled("slowly", retry_after=60, evidence=Evidence(message=LIMIT))
    assert is_daily_limit(error)
    assert failure_of_refusal(error).kind == "throttle"


def test_what_is_executing_already_is_known_by_its_words() -> None:
    assert is_already_executing(invalid(BUSY))
    assert not is_already_executing(invalid(LIMIT))
    assert not is_daily_limit(invalid(BUSY))


def test_what_we_cancelled_for_its_length_timed_out() -> None:
    assert (took_too_long().kind, took_too_long().retryable, took_too_long().code) == ("timeout", True, "timeout")
