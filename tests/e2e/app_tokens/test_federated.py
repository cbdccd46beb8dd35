"""`federated`: the app's managed identity vouches for a registration, and nothing is stored anywhere."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import jwt
import pytest

from emulator.seed import MANAGED_IDENTITY_OBJECT_ID, TENANT_ID
from shared.errors import Misconfigured, Unavailable
from tests.cloud import Cloud
from tests.e2e.app_tokens.stage import TOKEN_PATH, TokenStage
from tests.seeded import APPLICATIONS, ENTRA

ISSUER = f"https://login.microsoftonline.com/{TENANT_ID}/v2.0"
AUDIENCE = "api://AzureADTokenExchange"
IDENTITY_PATH = "/msi/token"


def federation(app: TokenStage, credentials: object) -> None:
    """What the registration trusts: its federated credential of this cloud, and none of others'."""
    others = dict.fromkeys(("managed-identity-usgovernment", "managed-identity-china"))
    changed = {**others, "managed-identity-public": credentials}
    app.cloud.change(applications={app.client_id("operations"): {"federatedCredentials": changed}})


def asked_for_assertions(app: TokenStage) -> int:
    return len(app.cloud.calls(path=IDENTITY_PATH))


def test_the_managed_identity_vouches_and_no_vault_is_asked(app: TokenStage) -> None:
    token = app.tokens.token("operations")
    claims = jwt.decode(token.value, options={"verify_signature": False})
    assert claims["oid"] == APPLICATIONS["operations"].object_id
    assert claims["aud"] == "https://analysis.windows.net/powerbi/api"
    [call] = app.cloud.calls(host=ENTRA, path=TOKEN_PATH, method="POST")
    assert "client_secret" not in call["body"]
    assert call["body"]["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert app.vault_reads("") == 0


def test_no_key_vault_has_to_exist(cloud: Cloud) -> None:
    app = TokenStage(
        cloud, POWERBI_EMBED_CREDENTIAL="federated", POWERBI_ADMIN_CREDENTIAL="federated", KEY_VAULT_URL=""
    )
    assert all(app.tokens.token(name).value for name in ("embed", "operations", "admin"))


def test_sixty_four_threads_that_start_cold_make_one_request_to_each(app: TokenStage) -> None:
    together = threading.Barrier(64)

    def ask() -> str:
        together.wait(20)
        return app.tokens.token("operations").value

    with ThreadPoolExecutor(64) as pool:
        got = {future.result(30) for future in [pool.submit(ask) for _ in range(64)]}
    assert len(got) == 1
    assert app.token_requests() == 1
    assert asked_for_assertions(app) == 1


def test_an_assertion_is_used_again_for_the_next_token(app: TokenStage) -> None:
    first = app.tokens.token("operations")
    app.later = timedelta(hours=1)
    assert app.tokens.token("operations").value != first.value
    assert app.token_requests() == 2
    assert asked_for_assertions(app) == 1


def test_an_assertion_that_is_over_is_replaced(app: TokenStage) -> None:
    app.cloud.change(switches={"managedIdentityTokenLifetime": "PT1M"})
    app.tokens.token("operations")
    app.later = timedelta(hours=1)
    app.cloud.change(switches={"managedIdentityTokenLifetime": "PT24H"})
    assert app.tokens.token("operations").value
    assert asked_for_assertions(app) == 2


@pytest.mark.parametrize(
    ("credential", "code", "says"),
    [
        (None, 70025, "has no federated credential"),
        ({"issuer": "https://sts.windows.net/"}, 700211, "the issuer of the assertion"),
        ({"audience": "api://another"}, 700212, "the audience of the assertion"),
        ({"subject": MANAGED_IDENTITY_OBJECT_ID.upper()}, 700213, "the subject of the assertion"),
    ],
)
def test_what_the_registration_does_not_trust_is_told_with_what_it_should(
    app: TokenStage, credential: object, code: int, says: str
) -> None:
    federation(app, credential)
    error = app.refusal("operations")
    assert isinstance(error, Misconfigured)
    assert error.code == f"AADSTS{code}"
    wanted = f"exactly issuer {ISSUER}, subject {MANAGED_IDENTITY_OBJECT_ID} and audience {AUDIENCE}"
    for part in (says, wanted, app.client_id("operations"), "infra/entra/setup.sh federation"):
        assert part in error.detail
    assert app.token_requests() == 1


def test_a_federated_credential_that_was_mended_works_without_a_restart(app: TokenStage) -> None:
    federation(app, {"subject": "somebody-else"})
    app.refusal("operations")
    federation(app, {"subject": MANAGED_IDENTITY_OBJECT_ID})
    app.later = timedelta(seconds=31)
    assert app.tokens.token("operations").value


AWAY: list[dict[str, Any]] = [
    {"drop": "before"},
    # Retry-After: the client of the identity's endpoint keeps such an answer for five seconds else
    {"status": 500, "headers": {"Retry-After": "0"}, "body": {"statusCode": 500, "message": "busy"}},
    {"status": 429, "headers": {"Retry-After": "0"}, "body": {"statusCode": 429, "message": "slow down"}},
]


@pytest.mark.parametrize("fault", AWAY, ids=["drop", "500", "429"])
def test_the_endpoint_of_the_identity_being_away_is_unavailable_and_passes(
    app: TokenStage, fault: dict[str, Any]
) -> None:
    lasting = app.cloud.fault(".*", IDENTITY_PATH, times=50, **fault)
    error = app.refusal("operations")
    assert isinstance(error, Unavailable)
    assert "vouch for application" in error.detail
    assert app.token_requests() == 0
    app.cloud.control("DELETE", f"faults/{lasting}")
    app.later = timedelta(seconds=6)
    assert app.tokens.token("operations").value


def test_an_identity_that_this_app_does_not_have_is_told_with_the_remedy(cloud: Cloud) -> None:
    app = TokenStage(cloud, MANAGED_IDENTITY_CLIENT_ID="00000000-0000-4000-8000-000000000000")
    error = app.refusal("operations")
    assert isinstance(error, Misconfigured)
    assert "assign the identity whose client id MANAGED_IDENTITY_CLIENT_ID holds" in error.detail


def test_one_identity_in_trouble_leaves_the_others_alone(app: TokenStage) -> None:
    federation(app, None)
    app.refusal("operations")
    assert app.tokens.token("embed").value


def test_the_assertion_is_neither_logged_nor_told(app: TokenStage, log: Callable[[], str]) -> None:
    federation(app, {"subject": "somebody-else"})
    error = app.refusal("operations")
    evidence = app.tokens.evidence("operations")
    claims = app.identities.own.get_token(f"{AUDIENCE}/.default").token.split(".")[1]  # the one that was shown
    assert asked_for_assertions(app) == 1
    for told in (log(), error.detail, error.evidence.message, evidence):
        assert claims not in told


def test_readiness_sees_what_a_federated_credential_has_to_say(app: TokenStage) -> None:
    evidence = app.tokens.evidence("operations")
    assert evidence.startswith("federated")
    for part in (ISSUER, MANAGED_IDENTITY_OBJECT_ID, AUDIENCE):
        assert part in evidence


@pytest.mark.parametrize(
    ("cloud_name", "vault", "audience"),
    [
        ("usgovhigh", "contoso-powerbi.vault.usgovcloudapi.net", "api://AzureADTokenExchangeUSGov"),
        ("china", "contoso-powerbi.vault.azure.cn", "api://AzureADTokenExchangeChina"),
    ],
)
def test_each_cloud_has_its_own_audience(cloud: Cloud, cloud_name: str, vault: str, audience: str) -> None:
    app = TokenStage(cloud, POWERBI_CLOUD=cloud_name, KEY_VAULT_URL=f"https://{vault}")
    assert app.tokens.token("operations").value
    [call] = cloud.calls(path=IDENTITY_PATH)
    assert call["query"]["resource"] == audience
