"""`certificate:NAME`: what happens as certificates come, go, and are renewed in Key Vault and at the registration."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import jwt
import pytest

from shared.errors import Misconfigured
from tests.certificates import Made, make_certificate
from tests.cloud import Cloud
from tests.e2e.app_tokens.stage import TOKEN_PATH, TokenStage
from tests.seeded import ENTRA

NAME = "powerbi-embed-certificate"
FIRST, SECOND, OVER = make_certificate(), make_certificate(), make_certificate(ends_days=-1)


def registered(app: TokenStage, *certificates: Made) -> None:
    """What was uploaded to the registration."""
    named = {made.thumbprint: made.public_pem for made in certificates}
    forgotten = {made.thumbprint: None for made in (FIRST, SECOND, OVER) if made not in certificates}
    app.cloud.change(applications={app.client_id("embed"): {"certificates": {**forgotten, **named}}})


def stored(app: TokenStage, text: str) -> None:
    """A new version in the vault."""
    app.cloud.change(secrets={NAME: {"value": text}})


@pytest.fixture
def app(cloud: Cloud) -> TokenStage:
    """FIRST is in the vault and at the registration."""
    app = TokenStage(cloud, POWERBI_EMBED_CREDENTIAL=f"certificate:{NAME}")
    stored(app, FIRST.pem)
    registered(app, FIRST)
    return app


@pytest.mark.parametrize("text", [FIRST.pem, FIRST.pfx()], ids=["pem", "pkcs12"])
def test_the_registration_proves_itself_by_the_certificates_signature(app: TokenStage, text: str) -> None:
    stored(app, text)
    token = app.tokens.token("embed")
    assert jwt.decode(token.value, options={"verify_signature": False})["appidacr"] == "2"
    [call] = app.cloud.calls(host=ENTRA, path=TOKEN_PATH, method="POST")
    assert "client_secret" not in call["body"]
    assert app.vault_reads(NAME) == 1


def test_it_is_read_once_and_signs_anew_for_each_token(app: TokenStage) -> None:
    app.tokens.token("embed")
    app.later = timedelta(hours=1)
    app.tokens.token("embed")
    assert (app.token_requests(), app.vault_reads(NAME)) == (2, 1)


def test_a_renewed_certificate_is_picked_up_without_a_restart(app: TokenStage) -> None:
    app.tokens.token("embed")
    stored(app, SECOND.pem)
    registered(app, SECOND)
    app.later = timedelta(hours=1)
    assert app.tokens.token("embed").value
    assert app.vault_reads(NAME) == 2
    app.later = timedelta(hours=2)
    assert app.tokens.token("embed").value
    assert app.vault_reads(NAME) == 2


def test_a_certificate_that_is_not_registered_is_told_with_its_thumbprint_and_not_hammered(app: TokenStage) -> None:
    registered(app, SECOND)
    errors = [app.refusal() for _ in range(20)]
    for error in errors:
        assert isinstance(error, Misconfigured)
        assert error.code == "AADSTS700027"
        for part in (NAME, FIRST.thumbprint, app.client_id("embed"), "upload"):
            assert part in error.detail
    assert (app.token_requests(), app.vault_reads(NAME)) == (1, 2)


def test_a_certificate_whose_time_is_over_is_told_without_asking_entra(app: TokenStage) -> None:
    stored(app, OVER.pem)
    registered(app, OVER)
    error = app.refusal()
    assert isinstance(error, Misconfigured)
    for part in (NAME, f"{OVER.certificate.not_valid_after_utc:%Y-%m-%d}", "renew"):
        assert part in error.detail
    assert (app.token_requests(), app.vault_reads(NAME)) == (0, 2)


def test_one_that_was_over_and_is_renewed_is_found(app: TokenStage) -> None:
    stored(app, OVER.pem)
    app.vault.secret(NAME)
    stored(app, FIRST.pem)
    assert app.tokens.token("embed").value
    assert app.vault_reads(NAME) == 2


@pytest.mark.parametrize("text", [FIRST.public_pem, "a-client-secret"])
def test_what_is_no_certificate_with_a_key_is_told_and_looked_for_again(app: TokenStage, text: str) -> None:
    stored(app, text)
    error = app.refusal()
    assert isinstance(error, Misconfigured)
    assert "with its private key" in error.detail
    assert NAME in error.detail
    assert text not in error.detail
    stored(app, FIRST.pem)
    app.later = timedelta(seconds=31)
    assert app.tokens.token("embed").value


def test_readiness_sees_thumbprint_and_end(app: TokenStage) -> None:
    ends = datetime.strftime(FIRST.certificate.not_valid_after_utc, "%Y-%m-%dT%H:%M:%SZ")
    evidence = app.tokens.evidence("embed")
    assert evidence.startswith(f"certificate '{NAME}' version")
    assert FIRST.thumbprint in evidence
    assert ends in evidence


def test_the_key_is_neither_logged_nor_told(app: TokenStage, log: Callable[[], str]) -> None:
    app.tokens.token("embed")
    registered(app, SECOND)
    app.later = timedelta(hours=1)
    told = f"{log()} {app.refusal().detail} {app.tokens.evidence('embed')}"
    for line in FIRST.private_pem.splitlines()[1:-1]:
        assert line not in told
