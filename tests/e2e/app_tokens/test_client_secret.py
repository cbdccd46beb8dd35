"""`secret:NAME`: what happens as a secret is rotated, expires or is mistyped, and as Key Vault refuses or is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from shared.errors import AppError, Misconfigured, Throttled, Unavailable
from tests.cloud import Cloud
from tests.e2e.app_tokens.stage import SECRET, TokenStage


@pytest.mark.parametrize("warm", [True, False])
def test_a_rotated_secret_is_picked_up_without_a_restart(app: TokenStage, warm: bool) -> None:
    if warm:
        app.tokens.token("embed")
    else:
        app.vault.secret(SECRET)
    app.cloud.control("POST", "secrets/embed/rotate", {"keepOld": False, "vault": True})
    app.later = timedelta(hours=1)
    assert app.tokens.token("embed").value
    assert app.vault_reads() == 2
    app.later = timedelta(hours=2)
    assert app.tokens.token("embed").value
    assert app.vault_reads() == 2


def test_an_expired_secret_is_told_with_the_remedy_and_not_hammered(app: TokenStage, log: Callable[[], str]) -> None:
    app.cloud.control("POST", "secrets/embed/expire", {})
    together = threading.Barrier(16)

    def ask() -> AppError:
        together.wait(20)
        return app.refusal()

    with ThreadPoolExecutor(16) as pool:
        errors = [future.result(30) for future in [pool.submit(ask) for _ in range(16)]]
    for _ in range(100):
        errors.append(app.refusal())
    for error in errors:
        assert isinstance(error, Misconfigured)
        assert error.code == "AADSTS7000222"
        assert error.request_id
        for part in ("expired", "'embed'", SECRET, app.client_id("embed")):
            assert part in error.detail
    assert app.token_requests() == 1
    assert app.vault_reads() == 2
    assert app.vault.secret(SECRET) not in log()


def test_after_a_while_the_secret_is_tried_again_and_a_new_one_found(app: TokenStage) -> None:
    app.cloud.control("POST", "secrets/embed/expire", {})
    app.refusal()
    app.cloud.control("POST", "secrets/embed/rotate", {"keepOld": False, "vault": True})
    assert isinstance(app.refusal(), Misconfigured)
    app.later = timedelta(seconds=31)
    assert app.tokens.token("embed").value


def test_a_wrong_secret_is_told_with_the_remedy(app: TokenStage) -> None:
    app.cloud.change(secrets={SECRET: {"value": "the-id-instead-of-the-value"}})
    error = app.refusal()
    assert error.code == "AADSTS7000215"
    assert "id was stored instead of its value" in error.detail
    assert app.token_requests() == 1


def test_one_identity_in_trouble_leaves_the_others_alone(app: TokenStage) -> None:
    app.cloud.control("POST", "secrets/embed/expire", {})
    app.refusal()
    assert app.tokens.token("operations").value


@pytest.mark.parametrize("value", ["", " padded", "newline-at-the-end\n"])
def test_a_secret_with_white_space_around_it_is_refused_with_the_remedy(app: TokenStage, value: str) -> None:
    app.cloud.change(secrets={SECRET: {"value": value}})
    error = app.refusal()
    assert isinstance(error, Misconfigured)
    assert "white space" in error.detail
    assert app.token_requests() == 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"secrets": {SECRET: None}}, "There is no secret"),
        ({"secrets": {SECRET: {"enabled": False}}}, "is disabled"),
        ({"vaultRoles": {"c2b8f6c4-3075-4f1e-9a4c-6cad8e2f3041": None}}, "Key Vault Secrets User"),
    ],
)
def test_what_key_vault_refuses_is_told_with_the_remedy(app: TokenStage, change: dict[str, object], says: str) -> None:
    app.cloud.control("PATCH", "state", change)
    error = app.refusal()
    assert isinstance(error, Misconfigured)
    assert says in error.detail
    assert SECRET in error.detail
    assert "contoso-powerbi.vault.azure.net" in error.detail
    assert error.request_id


def test_a_vault_that_there_is_no_managed_identity_for_is_told_with_the_remedy(cloud: Cloud) -> None:
    error = TokenStage(cloud, MANAGED_IDENTITY_CLIENT_ID="00000000-0000-4000-8000-000000000000").refusal()
    assert isinstance(error, Misconfigured)
    assert f"no managed identity to read secret '{SECRET}'" in error.detail
    assert "assign the identity whose client id MANAGED_IDENTITY_CLIENT_ID holds" in error.detail


def test_the_vaults_firewall_is_told_with_the_remedy(app: TokenStage) -> None:
    body = {"error": {"code": "Forbidden", "message": "…", "innererror": {"code": "ForbiddenByFirewall"}}}
    app.cloud.fault(".*vault.*", SECRET, status=403, body=body)
    assert "firewall" in app.refusal().detail


def test_key_vault_being_away_is_unavailable_and_passes(app: TokenStage) -> None:
    fault = app.cloud.fault(".*vault.*", ".*", times=1000, drop="before")
    began = time.perf_counter()
    assert isinstance(app.refusal(), Unavailable)
    assert time.perf_counter() - began < 10
    app.cloud.control("DELETE", f"faults/{fault}")
    app.later = timedelta(seconds=10)
    assert app.tokens.token("embed").value


def test_key_vault_that_throttles_is_asked_again_when_it_says(app: TokenStage) -> None:
    app.cloud.fault(".*vault.*", SECRET, status=429, headers={"Retry-After": "17"}, body={})
    error = app.refusal()
    assert isinstance(error, Throttled)
    assert error.retry_after == 17


def test_a_hanging_key_vault_ends_in_time(app: TokenStage) -> None:
    app.cloud.fault(".*vault.*", ".*", times=1000, delaySeconds=60)
    began = time.perf_counter()
    with pytest.raises(Unavailable):
        app.vault.secret(SECRET, timeout=1.0)
    assert time.perf_counter() - began < 4


def test_readiness_can_see_a_secrets_version_and_end_but_not_its_value(app: TokenStage) -> None:
    app.cloud.change(secrets={SECRET: {"expires": int(datetime.fromisoformat("2031-05-01T00:00:00Z").timestamp())}})
    evidence = app.tokens.evidence("embed")
    assert "2031-05-01" in evidence
    assert app.vault.secret(SECRET) not in evidence


def test_each_read_logs_when_the_secret_ends_so_that_an_alert_can_warn(app: TokenStage, log: Callable[[], str]) -> None:
    app.cloud.change(secrets={SECRET: {"expires": int(datetime.fromisoformat("2031-05-01T00:00:00Z").timestamp())}})
    app.tokens.token("embed")
    [line] = [line for line in log().splitlines() if "keyvault.getSecret" in line]
    assert '"expiresAt": "2031-05-01T00:00:00Z"' in line


def test_neither_tokens_nor_secrets_are_logged_or_printed(app: TokenStage, log: Callable[[], str]) -> None:
    token = app.tokens.token("embed")
    assert token.value not in repr(token)
    assert token.value not in log()
    assert app.vault.secret(SECRET) not in log()
