"""`managedIdentity`: the identity at Power BI is a managed identity itself, without a registration."""

from __future__ import annotations

from datetime import timedelta

import jwt
import pytest

from emulator.seed import MANAGED_IDENTITY_CLIENT_ID, MANAGED_IDENTITY_OBJECT_ID
from shared.auth.own_identity import object_id
from shared.errors import Misconfigured, Unavailable
from shared.times import utc_now
from tests.cloud import Cloud
from tests.e2e.app_tokens.stage import TokenStage

NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def app(cloud: Cloud) -> TokenStage:
    """`operations` is the managed identity that also reads the vault."""
    return by_identity(cloud, MANAGED_IDENTITY_CLIENT_ID)


def by_identity(cloud: Cloud, client_id: str) -> TokenStage:
    names = ("POWERBI_OPERATIONS_CLIENT_ID", "POWERBI_OPERATIONS_CREDENTIAL")
    return TokenStage(cloud, **dict(zip(names, (client_id, "managedIdentity"), strict=True)))


def test_its_own_token_for_power_bi_is_used(app: TokenStage) -> None:
    token = app.tokens.token("operations")
    claims = jwt.decode(token.value, options={"verify_signature": False})
    assert claims["aud"] == "https://analysis.windows.net/powerbi/api"
    assert (claims["appid"], object_id(token.value)) == (MANAGED_IDENTITY_CLIENT_ID, MANAGED_IDENTITY_OBJECT_ID)
    assert timedelta(hours=23) < token.expires_at - utc_now() <= timedelta(hours=24)
    assert (app.token_requests(), app.vault_reads("")) == (0, 0)


def test_a_token_that_power_bi_refused_may_come_back_and_is_no_loop(app: TokenStage) -> None:
    token = app.tokens.token("operations")
    for _ in range(20):
        assert app.tokens.renewed(token).value == token.value
    assert len(app.cloud.calls(path="/msi/token")) == 1


def test_an_identity_that_this_app_does_not_have_is_told_with_the_remedy(cloud: Cloud) -> None:
    error = by_identity(cloud, NOBODY).refusal("operations")
    assert isinstance(error, Misconfigured)
    assert NOBODY in error.detail
    assert "assign the identity whose client id POWERBI_OPERATIONS_CLIENT_ID holds" in error.detail


def test_its_endpoint_being_away_is_unavailable(app: TokenStage) -> None:
    app.cloud.fault(".*", "/msi/token", times=10, drop="before")
    assert isinstance(app.refusal("operations"), Unavailable)


def test_readiness_sees_whose_it_is(app: TokenStage) -> None:
    assert MANAGED_IDENTITY_CLIENT_ID in app.tokens.evidence("operations")
