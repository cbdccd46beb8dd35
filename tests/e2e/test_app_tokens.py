"""The app's own tokens, through real MSAL, Key Vault and managed identity clients, against the emulated cloud."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from shared.auth import tokens
from shared.auth.managed import managed_identity
from shared.auth.tokens import AccessToken, AppTokens
from shared.auth.vault import Vault
from shared.errors import AppError, Misconfigured, Retryable, Throttled, Unavailable
from shared.settings import Settings
from shared.times import utc_now
from tests.cloud import Cloud

ENTRA = "login.microsoftonline.com"
VAULT = ".vault.azure.net"
TOKEN_PATH = "oauth2/v2.0/token"
SECRET = "powerbi-embed-secret"
MINTING = timedelta(minutes=50)


class Clock:
    """The real time, and as much later as a test says."""

    def __init__(self) -> None:
        self.later = timedelta(0)

    def __call__(self) -> datetime:
        return utc_now() + self.later


class App:
    """The token side of the app as wiring builds it, with a clock that can be moved."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.clock = Clock()
        self.settings = Settings.from_env(os.environ)
        credential = managed_identity(self.settings.managed_identity_client_id)
        self.vault = Vault(self.settings.key_vault_url, lambda: credential)
        self.tokens = AppTokens(self.settings, self.vault, self.clock)

    def token_requests(self) -> int:
        return len(self.cloud.calls(host=ENTRA, path=TOKEN_PATH, method="POST"))

    def secret_reads(self) -> int:
        """Without the request that only brings the vault's challenge."""
        return len([call for call in self.cloud.calls(host=VAULT, path=SECRET) if call["status"] != 401])


@pytest.fixture
def app(cloud: Cloud) -> App:
    return App(cloud)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], str]]:
    caplog.set_level(logging.DEBUG)
    yield lambda: "\n".join(f"{record.getMessage()}{record.exc_text or ''}" for record in caplog.records)


def refusal(app: App, identity: str = "embed", floor: timedelta = tokens.CALL_FLOOR) -> Retryable:
    with pytest.raises(Retryable) as refused:
        app.tokens.token(identity, floor=floor)
    return refused.value


def test_a_token_is_for_power_bi_and_for_the_identity_that_was_asked_for(app: App) -> None:
    token = app.tokens.token("embed")
    assert token.identity == "embed"
    assert timedelta(minutes=55) < token.expires_at - utc_now() <= timedelta(hours=1)
    [call] = app.cloud.calls(host=ENTRA, path=TOKEN_PATH, method="POST")
    assert call["body"]["scope"] == "https://analysis.windows.net/powerbi/api/.default"
    assert call["body"]["client_id"] == app.settings.identities["embed"].client_id
    assert app.tokens.token("operations").value != token.value


def test_sixty_four_threads_that_start_cold_make_one_request(app: App) -> None:
    together = threading.Barrier(64)

    def ask() -> AccessToken:
        together.wait(20)
        return app.tokens.token("embed")

    with ThreadPoolExecutor(64) as pool:
        got = {future.result(30).value for future in [pool.submit(ask) for _ in range(64)]}
    assert len(got) == 1
    assert app.token_requests() == 1
    assert app.secret_reads() == 1


def test_a_token_in_hand_is_given_without_waiting_for_anybody(app: App) -> None:
    first = app.tokens.token("embed")
    app.cloud.fault(ENTRA, TOKEN_PATH, delaySeconds=2)
    with ThreadPoolExecutor(1) as pool:
        renewing = pool.submit(app.tokens.renewed, first)
        until = time.monotonic() + 10
        while app.token_requests() < 2 and time.monotonic() < until:
            threading.Event().wait(0.01)
        began = time.perf_counter()
        assert app.tokens.token("embed").value == first.value
        assert time.perf_counter() - began < 0.1
        assert renewing.result(20).value != first.value


def test_waiting_for_another_thread_ends_with_unavailable(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "PATIENCE", 0.2)
    app.cloud.fault(ENTRA, TOKEN_PATH, delaySeconds=2)
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(app.tokens.token, "embed")
        until = time.monotonic() + 10
        while app.token_requests() < 1 and time.monotonic() < until:
            threading.Event().wait(0.01)
        error = refusal(app)
        assert isinstance(error, Unavailable)
        assert error.retry_after > 0
        assert asking.result(20).value


def test_a_higher_floor_brings_a_new_token_and_a_lower_one_does_not(app: App) -> None:
    first = app.tokens.token("embed", floor=MINTING)
    app.clock.later = timedelta(minutes=20)
    assert app.tokens.token("embed") == first
    second = app.tokens.token("embed", floor=MINTING)
    assert second.value != first.value
    assert second.expires_at - app.clock() >= MINTING
    assert app.tokens.token("embed") == second
    assert app.token_requests() == 2


def test_a_token_is_replaced_five_minutes_before_its_end(app: App) -> None:
    first = app.tokens.token("embed")
    app.clock.later = timedelta(minutes=54)
    assert app.tokens.token("embed") == first
    app.clock.later = timedelta(minutes=56)
    assert app.tokens.token("embed").value != first.value


def test_tokens_shorter_than_the_floor_are_used_until_half_of_their_life(app: App, log: Callable[[], str]) -> None:
    app.cloud.change(switches={"accessTokenLifetime": "PT20M"})
    first = app.tokens.token("embed", floor=MINTING)
    for minutes in range(10):
        app.clock.later = timedelta(minutes=minutes)
        assert app.tokens.token("embed", floor=MINTING) == first
    app.clock.later = timedelta(minutes=11)
    assert app.tokens.token("embed", floor=MINTING).value != first.value
    assert app.token_requests() == 2
    assert log().count("entra.shortToken") == 1


def test_a_refused_token_is_replaced_once_for_all_who_had_it(app: App) -> None:
    refused = app.tokens.token("embed")
    with ThreadPoolExecutor(16) as pool:
        renewed = {future.result(30).value for future in [pool.submit(app.tokens.renewed, refused) for _ in range(16)]}
    assert len(renewed) == 1
    assert refused.value not in renewed
    assert app.token_requests() == 2


def test_renewals_in_a_row_do_not_become_a_loop(app: App) -> None:
    token = app.tokens.token("embed")
    token = app.tokens.renewed(token)
    for _ in range(20):
        assert app.tokens.renewed(token) == token
    assert app.token_requests() == 2
    app.clock.later = timedelta(seconds=31)
    assert app.tokens.renewed(token).value != token.value


@pytest.mark.parametrize("warm", [True, False])
def test_a_rotated_secret_is_picked_up_without_a_restart(app: App, warm: bool) -> None:
    if warm:
        app.tokens.token("embed")
    else:
        app.vault.secret(SECRET)
    app.cloud.control("POST", "secrets/embed/rotate", {"keepOld": False, "vault": True})
    app.clock.later = timedelta(hours=1)
    assert app.tokens.token("embed").value
    assert app.secret_reads() == 2
    app.clock.later = timedelta(hours=2)
    assert app.tokens.token("embed").value
    assert app.secret_reads() == 2


def test_an_expired_secret_is_told_with_the_remedy_and_not_hammered(app: App, log: Callable[[], str]) -> None:
    app.cloud.control("POST", "secrets/embed/expire", {})
    together = threading.Barrier(16)

    def ask() -> AppError:
        together.wait(20)
        return refusal(app)

    with ThreadPoolExecutor(16) as pool:
        errors = [future.result(30) for future in [pool.submit(ask) for _ in range(16)]]
    for _ in range(100):
        errors.append(refusal(app))
    for error in errors:
        assert isinstance(error, Misconfigured)
        assert error.code == "AADSTS7000222"
        assert error.request_id
        for part in ("expired", "'embed'", SECRET, app.settings.identities["embed"].client_id):
            assert part in error.detail
    assert app.token_requests() == 1
    assert app.secret_reads() == 2
    assert app.vault.secret(SECRET) not in log()


def test_after_a_while_the_secret_is_tried_again_and_a_new_one_found(app: App) -> None:
    app.cloud.control("POST", "secrets/embed/expire", {})
    refusal(app)
    app.cloud.control("POST", "secrets/embed/rotate", {"keepOld": False, "vault": True})
    assert isinstance(refusal(app), Misconfigured)
    app.clock.later = timedelta(seconds=31)
    assert app.tokens.token("embed").value


def test_a_wrong_secret_is_told_with_the_remedy(app: App) -> None:
    app.cloud.change(secrets={SECRET: {"value": "the-id-instead-of-the-value"}})
    error = refusal(app)
    assert error.code == "AADSTS7000215"
    assert "id was stored instead of its value" in error.detail
    assert app.token_requests() == 1


def test_one_identity_in_trouble_leaves_the_others_alone(app: App) -> None:
    app.cloud.control("POST", "secrets/embed/expire", {})
    refusal(app)
    assert app.tokens.token("operations").value


def test_an_identity_that_is_not_set_up_is_named(app: App) -> None:
    error = refusal(app, "unheard-of")
    assert isinstance(error, Misconfigured)
    assert "unheard-of" in error.detail


@pytest.mark.parametrize("value", ["", " padded", "newline-at-the-end\n"])
def test_a_secret_with_white_space_around_it_is_refused_with_the_remedy(app: App, value: str) -> None:
    app.cloud.change(secrets={SECRET: {"value": value}})
    error = refusal(app)
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
def test_what_key_vault_refuses_is_told_with_the_remedy(app: App, change: dict[str, object], says: str) -> None:
    app.cloud.control("PATCH", "state", change)
    error = refusal(app)
    assert isinstance(error, Misconfigured)
    assert says in error.detail
    assert SECRET in error.detail
    assert "contoso-powerbi.vault.azure.net" in error.detail
    assert error.request_id


def test_the_vaults_firewall_is_told_with_the_remedy(app: App) -> None:
    body = {"error": {"code": "Forbidden", "message": "…", "innererror": {"code": "ForbiddenByFirewall"}}}
    app.cloud.fault(".*vault.*", SECRET, status=403, body=body)
    assert "firewall" in refusal(app).detail


def test_key_vault_being_away_is_unavailable_and_passes(app: App) -> None:
    fault = app.cloud.fault(".*vault.*", ".*", times=1000, drop="before")
    began = time.perf_counter()
    assert isinstance(refusal(app), Unavailable)
    assert time.perf_counter() - began < 10
    app.cloud.control("DELETE", f"faults/{fault}")
    app.clock.later = timedelta(seconds=10)
    assert app.tokens.token("embed").value


def test_key_vault_that_throttles_is_asked_again_when_it_says(app: App) -> None:
    app.cloud.fault(".*vault.*", SECRET, status=429, headers={"Retry-After": "17"}, body={})
    error = refusal(app)
    assert isinstance(error, Throttled)
    assert error.retry_after == 17


def test_a_hanging_key_vault_ends_in_time(app: App) -> None:
    app.cloud.fault(".*vault.*", ".*", times=1000, delaySeconds=60)
    began = time.perf_counter()
    with pytest.raises(Unavailable):
        app.vault.secret(SECRET, timeout=1.0)
    assert time.perf_counter() - began < 4


@pytest.mark.parametrize(
    ("status", "kind"),
    [(429, Throttled), (503, Unavailable), (500, Unavailable)],
)
def test_entra_is_not_asked_again_before_it_allows(app: App, status: int, kind: type[Retryable]) -> None:
    app.cloud.fault(ENTRA, TOKEN_PATH, status=status, headers={"Retry-After": "20"}, body={"error": "server_error"})
    for _ in range(50):
        error = refusal(app)
        assert isinstance(error, kind)
        assert 15 < error.retry_after <= 20
    assert app.token_requests() == 1
    app.clock.later = timedelta(seconds=21)
    assert app.tokens.token("embed").value
    assert app.token_requests() == 2


@pytest.mark.parametrize("page", ["<html>busy</html>", "", "[]", '"text"', "x" * (1 << 21)])
def test_an_answer_that_is_no_json_object_is_unavailable(app: App, page: str) -> None:
    app.cloud.fault(ENTRA, TOKEN_PATH, status=502, body=page)
    assert isinstance(refusal(app), Unavailable)
    app.clock.later = timedelta(seconds=10)
    app.cloud.fault(ENTRA, TOKEN_PATH, status=200, body=page)
    assert isinstance(refusal(app), Unavailable)


def test_a_token_without_a_lifetime_is_unavailable(app: App) -> None:
    app.cloud.fault(ENTRA, TOKEN_PATH, status=200, body={"access_token": "a-token", "token_type": "Bearer"})
    assert isinstance(refusal(app), Retryable)


def test_a_lost_connection_is_unavailable_and_no_failure_for_long(app: App) -> None:
    app.cloud.fault(ENTRA, TOKEN_PATH, drop="after")
    assert isinstance(refusal(app), Unavailable)
    app.clock.later = timedelta(seconds=6)
    assert app.tokens.token("embed").value


def test_a_hanging_entra_ends_at_the_deadline(app: App) -> None:
    app.vault.secret(SECRET)
    app.cloud.fault(ENTRA, TOKEN_PATH, delaySeconds=30)
    began = time.perf_counter()
    with pytest.raises(Unavailable):
        app.tokens.token("embed", timeout=1.0)
    assert time.perf_counter() - began < 2


def test_discovery_that_fails_is_explained_too(app: App) -> None:
    body = {"error": "invalid_tenant", "error_description": "AADSTS90002: Tenant not found.", "error_codes": [90002]}
    app.cloud.fault(ENTRA, "openid-configuration", status=400, body=body)
    error = refusal(app)
    assert isinstance(error, Misconfigured)
    assert "POWERBI_TENANT_ID" in error.detail


@pytest.mark.parametrize("status", [400, 401])
def test_a_refusal_is_told_even_if_the_alias_lookup_after_it_fails(app: App, status: int) -> None:
    body = {"error": "unauthorized_client", "error_description": "AADSTS700016: …", "error_codes": [700016]}
    app.cloud.fault(ENTRA, TOKEN_PATH, status=status, body=body)
    app.cloud.fault(ENTRA, "discovery/instance", times=5, status=503)
    assert refusal(app).code == "AADSTS700016"


def test_with_entra_away_a_token_for_calling_serves_almost_to_its_end(app: App) -> None:
    first = app.tokens.token("embed")
    app.cloud.fault(ENTRA, ".*", times=1000, status=503, headers={"Retry-After": "1"})
    app.clock.later = timedelta(minutes=57)
    assert app.tokens.token("embed") == first
    assert isinstance(refusal(app, floor=MINTING), Unavailable)
    app.clock.later = timedelta(minutes=59, seconds=30)
    assert isinstance(refusal(app), Unavailable)


def test_nobody_waits_for_a_new_token_while_the_old_one_still_serves_a_call(app: App) -> None:
    first = app.tokens.token("embed")
    app.clock.later = timedelta(minutes=56)
    app.cloud.fault(ENTRA, TOKEN_PATH, delaySeconds=2)
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(app.tokens.token, "embed")
        until = time.monotonic() + 10
        while app.token_requests() < 2 and time.monotonic() < until:
            threading.Event().wait(0.01)
        began = time.perf_counter()
        assert app.tokens.token("embed") == first
        assert time.perf_counter() - began < 0.1
        assert asking.result(20).value != first.value


def test_readiness_can_see_a_secrets_version_and_end_but_not_its_value(app: App) -> None:
    app.cloud.change(secrets={SECRET: {"expires": int(datetime.fromisoformat("2031-05-01T00:00:00Z").timestamp())}})
    evidence = app.vault.evidence(SECRET)
    assert "2031-05-01" in evidence
    assert app.vault.secret(SECRET) not in evidence


def test_neither_tokens_nor_secrets_are_logged_or_printed(app: App, log: Callable[[], str]) -> None:
    token = app.tokens.token("embed")
    assert token.value not in repr(token)
    assert token.value not in log()
    assert app.vault.secret(SECRET) not in log()
