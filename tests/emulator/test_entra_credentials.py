"""How applications and people prove to the emulated Entra who they are, other than by a client secret."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from azure.identity import ManagedIdentityCredential

from emulator.seed import API_APP_ID, APPLICATIONS, MANAGED_IDENTITY_OBJECT_ID, TENANT_ID
from tests.certificates import Made, make_certificate
from tests.cloud import Cloud
from tests.emulator.entra_client import CLAIMS, CODES, LOGIN, POWER_BI, Json, msal_client, post, token_form, verified

# --- certificates and federation


@pytest.fixture(scope="module")
def certificate() -> Made:
    return make_certificate()


def _register(cloud: Cloud, certificate: Made) -> None:
    client_id = cloud.described["clients"]["embed"]["clientId"]
    cloud.change(applications={client_id: {"certificates": {"one": certificate.public_pem}}})


CREDENTIALS: list[Callable[[Made], Json]] = [
    lambda made: {"private_key": made.private_pem, "thumbprint": made.thumbprint},  # RS256, x5t
    lambda made: {"private_key": made.private_pem, "public_certificate": made.public_pem},  # PS256, x5t#S256
]


@pytest.mark.documented("https://learn.microsoft.com/entra/identity-platform/certificate-credentials")
@pytest.mark.parametrize("credential", CREDENTIALS)
def test_msal_proves_itself_by_certificate(cloud: Cloud, certificate: Made, credential: Callable[[Made], Json]) -> None:
    _register(cloud, certificate)
    result = msal_client(cloud, "embed", credential(certificate)).acquire_token_for_client([f"{POWER_BI}/.default"])
    assert verified(cloud, result["access_token"], POWER_BI)["appidacr"] == "2"


@pytest.mark.documented(CODES)
@pytest.mark.parametrize("credential", CREDENTIALS)
def test_a_certificate_that_is_not_registered_is_refused(
    cloud: Cloud, certificate: Made, credential: Callable[[Made], Json]
) -> None:
    result = msal_client(cloud, "embed", credential(certificate)).acquire_token_for_client([f"{POWER_BI}/.default"])
    assert (result["error"], result["error_codes"]) == ("invalid_client", [700027])


def test_a_certificate_whose_time_is_over_is_refused(cloud: Cloud) -> None:
    old = make_certificate(ends_days=-1)
    _register(cloud, old)
    credential = {"private_key": old.private_pem, "thumbprint": old.thumbprint}
    result = msal_client(cloud, "embed", credential).acquire_token_for_client([f"{POWER_BI}/.default"])
    assert result["error_codes"] == [700027]


def _assertion(certificate: Made, client_id: str, **claims: Any) -> str:
    now = int(time.time())
    own = {"iss": client_id, "sub": client_id, "aud": f"{LOGIN}/{TENANT_ID}/oauth2/v2.0/token"}
    return jwt.encode(
        {**own, "nbf": now, "exp": now + 600, **claims},
        certificate.private_pem,
        algorithm="RS256",
        headers={"x5t": jwt.utils.base64url_encode(bytes.fromhex(certificate.thumbprint)).decode()},
    )


@pytest.mark.documented(CODES)
@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"exp": 1_000_000_000, "nbf": 999_990_000}, 700024),
        ({"nbf": 4_000_000_000, "exp": 4_000_000_600}, 700024),
        ({"aud": "https://somewhere.else/token"}, 700023),
        ({"iss": "somebody-else"}, 700021),
    ],
)
def test_an_assertion_that_says_something_wrong_is_refused(
    cloud: Cloud, certificate: Made, claims: Json, code: int
) -> None:
    _register(cloud, certificate)
    client_id = cloud.described["clients"]["embed"]["clientId"]
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assertion = _assertion(certificate, client_id, **claims)
    form = token_form(cloud, client_secret=None, client_assertion=assertion, client_assertion_type=kind)
    assert post(cloud, **form).json()["error_codes"] == [code]


def _vouched(cloud: Cloud, audience: str = "api://AzureADTokenExchange") -> Json:
    identity = ManagedIdentityCredential(client_id=cloud.settings["MANAGED_IDENTITY_CLIENT_ID"])
    assertion = {"client_assertion": lambda: identity.get_token(f"{audience}/.default").token}
    result: Json = msal_client(cloud, "embed", assertion).acquire_token_for_client([f"{POWER_BI}/.default"])
    return result


@pytest.mark.documented(
    "https://learn.microsoft.com/entra/workload-id/workload-identity-federation-config-app-trust-managed-identity"
)
def test_the_managed_identity_vouches_for_a_registration(cloud: Cloud) -> None:
    assert verified(cloud, _vouched(cloud)["access_token"], POWER_BI)["appidacr"] == "2"


@pytest.mark.documented(CODES)
@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("issuer", "https://token.actions.githubusercontent.com", 700211),
        ("audience", "api://another", 700212),
        ("subject", MANAGED_IDENTITY_OBJECT_ID.upper(), 700213),  # case matters
    ],
)
def test_federation_must_match_exactly(cloud: Cloud, field: str, value: str, code: int) -> None:
    client_id = cloud.described["clients"]["embed"]["clientId"]
    others = dict.fromkeys(("managed-identity-usgovernment", "managed-identity-china"))
    credentials = {**others, "managed-identity-public": {field: value}}
    cloud.change(applications={client_id: {"federatedCredentials": credentials}})
    assert _vouched(cloud)["error_codes"] == [code]


def test_a_token_for_another_audience_vouches_for_nobody(cloud: Cloud) -> None:
    assert _vouched(cloud, audience="https://vault.azure.net")["error_codes"] == [700211]  # version 1: another issuer


def test_an_application_without_federation_accepts_no_other_issuer(cloud: Cloud) -> None:
    client_id = cloud.described["clients"]["embed"]["clientId"]
    cloud.change(
        applications={
            client_id: {
                "federatedCredentials": {
                    f"managed-identity-{name}": None for name in ("public", "usgovernment", "china")
                }
            }
        }
    )
    assert _vouched(cloud)["error_codes"] == [70025]


@pytest.mark.documented(CODES)
@pytest.mark.parametrize(
    ("odd", "code"),
    [
        ({}, 0),
        ({"sign": "wrongKey"}, 700027),
        ({"sign": "none"}, 700027),
        ({"sign": "hs256"}, 700027),
        ({"exp": 1_000_000_000, "nbf": 999_990_000}, 700024),
        ({"nbf": 4_000_000_000, "exp": 4_000_000_600}, 700024),
        ({"scp": "user_impersonation"}, 700229),
    ],
)
def test_only_a_good_token_of_an_application_vouches(cloud: Cloud, odd: Json, code: int) -> None:
    sign, claims = odd.get("sign", "right"), {name: value for name, value in odd.items() if name != "sign"}
    vouching = {
        "iss": f"{LOGIN}/{TENANT_ID}/v2.0",
        "sub": MANAGED_IDENTITY_OBJECT_ID,
        "aud": "api://AzureADTokenExchange",
    }
    assertion = cloud.odd_token(sign=sign, claims={**vouching, **claims})
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    form = token_form(cloud, client_secret=None, client_assertion=assertion, client_assertion_type=kind)
    assert post(cloud, **form).json().get("error_codes", [0]) == [code]


# --- people


@pytest.mark.documented("https://learn.microsoft.com/entra/identity-platform/v2-oauth-ropc")
def test_msal_signs_a_person_in_by_password_and_again_by_refresh_token(cloud: Cloud) -> None:
    client = msal_client(cloud, "operations")
    password = cloud.described["people"]["ana@contoso.com"]
    result = client.acquire_token_by_username_password("ana@contoso.com", password, [f"{POWER_BI}/.default"])
    claims = verified(cloud, result["access_token"], POWER_BI)
    assert claims["upn"] == "ana@contoso.com"
    assert "Dataset.ReadWrite.All" in claims["scp"]
    [account] = client.get_accounts("ana@contoso.com")
    again = client.acquire_token_silent([f"{POWER_BI}/.default"], account, force_refresh=True)
    assert verified(cloud, again["access_token"], POWER_BI)["oid"] == claims["oid"]


@pytest.mark.documented(CLAIMS)
def test_a_delegated_token_has_the_scope_and_the_persons_own_roles(cloud: Cloud) -> None:
    ana = verified(cloud, cloud.user_token("ana@contoso.com"), API_APP_ID)
    ben = verified(cloud, cloud.user_token("ben@contoso.com"), API_APP_ID)
    assert ana["scp"] == ben["scp"] == "Embed.Issue"
    assert ana["roles"] == ["Embed.Issue"]
    assert "roles" not in ben
    assert ana["sub"] != ana["oid"]


@pytest.mark.documented(CODES)
@pytest.mark.parametrize(
    ("change", "form", "code"),
    [
        ({}, {"password": "wrong"}, 50126),
        ({}, {"username": "eve@contoso.com"}, 50034),
        ({"mfaRequired": True}, {}, 50076),
        ({"locked": True}, {}, 50053),
        ({"enabled": False}, {}, 50057),
        ({}, {"client_secret": None, "client_id": APPLICATIONS[-1].client_id}, 7000218),
    ],
)
def test_a_person_who_may_not_sign_in_is_told_why(cloud: Cloud, change: Json, form: Json, code: int) -> None:
    cloud.change(users={"ana@contoso.com": change})
    person = {"username": "ana@contoso.com", "password": cloud.described["people"]["ana@contoso.com"]}
    answer = post(cloud, **token_form(cloud, **{"grant_type": "password", **person, **form}))
    assert answer.json()["error_codes"] == [code]


@pytest.mark.documented("https://learn.microsoft.com/entra/identity-platform/msal-client-applications")
def test_an_application_that_allows_public_client_flows_signs_people_in_without_its_secret(cloud: Cloud) -> None:
    person = {"username": "ana@contoso.com", "password": cloud.described["people"]["ana@contoso.com"]}
    form = token_form(cloud, grant_type="password", client_secret=None, **person)
    claims = jwt.decode(post(cloud, **form).json()["access_token"], options={"verify_signature": False})
    assert (claims["upn"], claims["appidacr"]) == ("ana@contoso.com", "0")
    by_secret = post(cloud, **token_form(cloud, client_secret="not it"))  # for itself it needs the secret all the same
    assert by_secret.json()["error_codes"] == [7000215]
    without = post(cloud, **token_form(cloud, client_secret=None))
    assert without.json()["error_codes"] == [7000216]
