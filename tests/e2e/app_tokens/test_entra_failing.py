"""What a thread gets while Entra throttles, fails, hangs or makes no sense, and that Entra is spared meanwhile."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from shared.errors import Misconfigured, Retryable, Throttled, Unavailable
from tests.e2e.app_tokens.stage import MINTING, SECRET, TOKEN_PATH, TokenStage
from tests.seeded import ENTRA


@pytest.mark.parametrize(
    ("status", "kind"),
    [(429, Throttled), (503, Unavailable), (500, Unavailable)],
)
def test_entra_is_not_asked_again_before_it_allows(app: TokenStage, status: int, kind: type[Retryable]) -> None:
    app.cloud.fault(ENTRA, TOKEN_PATH, status=status, headers={"Retry-After": "20"}, body={"error": "server_error"})
    for _ in range(50):
        error = app.refusal()
        assert isinstance(error, kind)
        assert 15 < error.retry_after <= 20
    assert app.token_requests() == 1
    app.later = timedelta(seconds=21)
    assert app.tokens.token("embed").value
    assert app.token_requests() == 2


@pytest.mark.parametrize("page", ["<html>busy</html>", "", "[]", '"text"', "x" * (1 << 21)])
def test_an_answer_that_is_no_json_object_is_unavailable(app: TokenStage, page: str) -> None:
    app.cloud.fault(ENTRA, TOKEN_PATH, status=502, body=page)
    assert isinstance(app.refusal(), Unavailable)
    app.later = timedelta(seconds=10)
    app.cloud.fault(ENTRA, TOKEN_PATH, status=200, body=page)
    assert isinstance(app.refusal(), Unavailable)


def test_a_token_without_a_lifetime_is_unavailable(app: TokenStage) -> None:
    app.cloud.fault(ENTRA, TOKEN_PATH, status=200, body={"access_token": "a-token", "token_type": "Bearer"})
    assert isinstance(app.refusal(), Retryable)


def test_a_lost_connection_is_unavailable_and_no_failure_for_long(app: TokenStage) -> None:
    app.cloud.fault(ENTRA, TOKEN_PATH, drop="after")
    assert isinstance(app.refusal(), Unavailable)
    app.later = timedelta(seconds=6)
    assert app.tokens.token("embed").value


def test_a_hanging_entra_ends_at_the_deadline(app: TokenStage) -> None:
    app.vault.secret(SECRET)
    app.cloud.fault(ENTRA, TOKEN_PATH, delaySeconds=30)
    began = time.perf_counter()
    with pytest.raises(Unavailable):
        app.tokens.token("embed", timeout=1.0)
    assert time.perf_counter() - began < 2


def test_discovery_that_fails_is_explained_too(app: TokenStage) -> None:
    body = {"error": "invalid_tenant", "error_description": "AADSTS90002: Tenant not found.", "error_codes": [90002]}
    app.cloud.fault(ENTRA, "openid-configuration", status=400, body=body)
    error = app.refusal()
    assert isinstance(error, Misconfigured)
    assert "POWERBI_TENANT_ID" in error.detail


@pytest.mark.parametrize("status", [400, 401])
def test_a_refusal_is_told_even_if_the_alias_lookup_after_it_fails(app: TokenStage, status: int) -> None:
    body = {"error": "unauthorized_client", "error_description": "AADSTS700016: …", "error_codes": [700016]}
    app.cloud.fault(ENTRA, TOKEN_PATH, status=status, body=body)
    app.cloud.fault(ENTRA, "discovery/instance", times=5, status=503)
    assert app.refusal().code == "AADSTS700016"


def test_with_entra_away_a_token_for_calling_serves_almost_to_its_end(app: TokenStage) -> None:
    first = app.tokens.token("embed")
    app.cloud.fault(ENTRA, ".*", times=1000, status=503, headers={"Retry-After": "1"})
    app.later = timedelta(minutes=57)
    assert app.tokens.token("embed") == first
    assert isinstance(app.refusal(floor=MINTING), Unavailable)
    app.later = timedelta(minutes=59, seconds=30)
    assert isinstance(app.refusal(), Unavailable)
