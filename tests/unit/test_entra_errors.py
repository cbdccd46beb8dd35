"""What Entra's refusals mean. The table is Microsoft's page of error codes, read with care."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.auth.entra_errors import Subject, codes, explain
from shared.errors import Misconfigured, Retryable, Throttled, Unavailable

SUBJECT = Subject(
    identity="embed",
    client_id="22d7b2c1-64e3-4d1f-8e5f-1b2c3d4e5f02",
    tenant_id="3b6f2f0e-8d4c-4b6a-9a51-6c1f0e7d2a90",
    shown="what-was-shown",
)


def answer(code: int, error: str = "invalid_client") -> dict[str, object]:
    return {
        "error": error,
        "error_description": f"AADSTS{code}: Something. Trace ID: trace-1\r\nCorrelation ID: c-1\r\nTimestamp: …",
        "error_codes": [code],
        "timestamp": "2026-11-03 09:30:00Z",
        "trace_id": "trace-1",
        "correlation_id": "c-1",
    }


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (70011, ["scope", "not the secret", "POWERBI_CLOUD"]),
        (28002, ["scope"]),
        (700022, ["several resources"]),
        (700016, ["no application 22d7b2c1", "POWERBI_EMBED_CLIENT_ID", "POWERBI_TENANT_ID"]),
        (7000215, ["secret is wrong", "what-was-shown", "value"]),
        (7000222, ["expired", "new one", "what-was-shown"]),
        (7000229, ["no service principal", "az ad sp create --id 22d7b2c1"]),
        (700229, ["app-only"]),
        (7000216, ["no secret or assertion", "POWERBI_EMBED_CREDENTIAL"]),
        (7000218, ["no secret or assertion"]),
        (700025, ["public client", "confidential"]),
        (700027, ["certificate", "upload what-was-shown"]),
        (1000502, ["time", "renew what-was-shown"]),
        (7000274, ["time", "renew what-was-shown"]),
        (7000214, ["revoked", "renew what-was-shown"]),
        (7000277, ["revoked", "renew what-was-shown"]),
        (700024, ["clock"]),
        (70025, ["no federated credential", "exactly what-was-shown", "setup.sh federation"]),
        (70021, ["no federated credential", "exactly what-was-shown", "setup.sh federation"]),
        (700211, ["the issuer of the assertion", "exactly what-was-shown"]),
        (700212, ["the audience of the assertion", "exactly what-was-shown"]),
        (700213, ["the subject of the assertion", "exactly what-was-shown"]),
        (7002137, ["the subject of the assertion", "exactly what-was-shown"]),
        (7002138, ["the subject (perhaps only in upper and lower case)", "exactly what-was-shown"]),
        (700222, ["assertions", "one tenant"]),
        (90002, ["no tenant 3b6f2f0e", "POWERBI_CLOUD"]),
        (90038, ["another national cloud"]),
        (900382, ["another national cloud"]),
        (900432, ["another national cloud"]),
        (500011, ["Power BI service is not known"]),
        (650057, ["permissions"]),
        (65005, ["permissions"]),
        (65001, ["consent"]),
        (90094, ["administrator"]),
        (50034, ["directory"]),
        (50126, ["password", "lock"]),
        (50053, ["locked"]),
        (50076, ["multi-factor", "service principal"]),
        (50079, ["multi-factor"]),
        (53003, ["Conditional Access"]),
    ],
)
def test_a_code_is_explained_with_what_to_do(code: int, says: list[str]) -> None:
    error = explain(answer(code), subject=SUBJECT, status=401)
    assert isinstance(error, Misconfigured)
    assert error.code == f"AADSTS{code}"
    for part in [*says, "'embed'", SUBJECT.client_id, f"AADSTS{code}", "What to do"]:
        assert part in error.detail
    assert "{" not in error.detail


@pytest.mark.parametrize("code", [50033, 90033, 90024])
def test_passing_faults_are_unavailable(code: int) -> None:
    assert isinstance(explain(answer(code, "invalid_request")), Unavailable)


@pytest.mark.parametrize("word", ["temporarily_unavailable", "server_error"])
def test_passing_faults_are_known_by_their_word_too(word: str) -> None:
    assert isinstance(explain({"error": word}), Unavailable)


def test_throttling_says_how_long() -> None:
    error = explain({"error": "invalid_request"}, status=429, retry_after=17)
    assert isinstance(error, Throttled)
    assert error.retry_after == 17
    assert isinstance(explain(answer(90055)), Throttled)


def test_a_server_error_is_unavailable_and_keeps_its_pause() -> None:
    error = explain({"error": "HTTP 503"}, status=503, retry_after=30)
    assert isinstance(error, Unavailable)
    assert error.retry_after == 30


def test_a_request_loop_pauses_for_minutes() -> None:
    error = explain(answer(50196))
    assert isinstance(error, Throttled)
    assert error.retry_after >= 300


def test_an_unknown_code_is_named_with_where_to_look() -> None:
    error = explain(answer(7654321), subject=SUBJECT)
    assert isinstance(error, Misconfigured)
    for part in ("AADSTS7654321", "login.microsoftonline.com/error", "what-was-shown"):
        assert part in error.detail


def test_an_error_without_any_code_is_named_by_its_word() -> None:
    error = explain({"error": "invalid_grant"}, subject=SUBJECT)
    assert isinstance(error, Misconfigured)
    assert "invalid_grant" in error.detail


def test_the_codes_listed_win_over_those_in_the_text() -> None:
    assert codes({"error_codes": [7000222], "error_description": "AADSTS70011: …"}) == [7000222]
    assert codes({"error_codes": [], "error_description": "AADSTS7000222: … AADSTS70011 …"}) == [7000222, 70011]
    assert codes({"error_codes": ["7000222", "²", None, -1]}) == [7000222]
    assert codes({"error_codes": "7000222"}) == []
    assert codes({}) == []


def test_a_known_code_behind_an_unknown_one_is_explained() -> None:
    assert "expired" in explain({"error_codes": [1, 7000222]}, subject=SUBJECT).detail


def test_entra_knows_the_request_by_its_trace_id() -> None:
    assert explain(answer(7000222)).request_id == "trace-1"
    assert explain({"error": "x", "correlation_id": "c-1"}).request_id == "c-1"


def test_the_description_is_kept_for_the_log_without_secrets() -> None:
    error = explain({"error": "x", "error_description": "Invalid client_secret=abcdefgh-secret provided."})
    assert "abcdefgh" not in error.evidence.message
    assert "Invalid" in error.evidence.message


@given(
    st.dictionaries(
        st.sampled_from(["error", "error_description", "error_codes", "trace_id"]),
        st.none() | st.text() | st.integers() | st.lists(st.none() | st.text(max_size=5) | st.integers()),
    )
)
def test_no_answer_breaks_the_explanation(error: dict[str, object]) -> None:
    explained = explain(error, subject=SUBJECT)
    assert isinstance(explained, Retryable)
    assert explained.detail
