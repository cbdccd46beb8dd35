"""The emulated Entra, as MSAL and plain clients meet it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import msal
import pytest
import requests
from azure.identity import ManagedIdentityCredential
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from emulator.seed import API_APP_ID, API_APP_URI, MANAGED_IDENTITY_OBJECT_ID, TENANT_ID
from tests.cloud import Cloud

POWER_BI = "https://analysis.windows.net/powerbi/api"
LOGIN = "https://login.microsoftonline.com"
CODES = "https://learn.microsoft.com/entra/identity-platform/reference-error-codes"
CLAIMS = "https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference"
Json = dict[str, Any]


def _client(cloud: Cloud, name: str, credential: Any = None, host: str = LOGIN) -> Any:
    known = cloud.described["clients"][name]
    return msal.ConfidentialClientApplication(
        known["clientId"],
        client_credential=credential or known["clientSecret"],
        authority=f"{host}/{TENANT_ID}",
        timeout=10,
    )


def _post(cloud: Cloud, path: str = f"{TENANT_ID}/oauth2/v2.0/token", **form: str) -> requests.Response:
    with cloud.session() as session:
        return session.post(f"{LOGIN}/{path}", data=form, timeout=10)


def _get(cloud: Cloud, path: str, host: str = LOGIN) -> Json:
    with cloud.session() as session:
        answer = session.get(f"{host}/{path}", timeout=10)
    assert answer.status_code == 200, answer.text
    document: Json = answer.json()
    return document


def _form(cloud: Cloud, name: str = "embed", **changes: str | None) -> dict[str, str]:
    known = cloud.described["clients"][name]
    form = {
        "grant_type": "client_credentials",
        "client_id": known["clientId"],
        "client_secret": known["clientSecret"],
        "scope": f"{POWER_BI}/.default",
        **changes,
    }
    return {field: value for field, value in form.items() if value is not None}


def _verified(cloud: Cloud, token: str, audience: str) -> Json:
    """The claims, after the check that any API makes: key from the tenant's JWKS, audience, times."""
    keys = jwt.PyJWKClient(f"{LOGIN}/{TENANT_ID}/discovery/v2.0/keys")
    key = keys.get_signing_key_from_jwt(token).key
    claims: Json = jwt.decode(token, key, algorithms=["RS256"], audience=audience)
    return claims


# --- tokens of applications


@pytest.mark.documented("https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow")
def test_msal_gets_a_token_for_power_bi_by_client_secret(cloud: Cloud) -> None:
    result = _client(cloud, "embed").acquire_token_for_client([f"{POWER_BI}/.default"])
    claims = _verified(cloud, result["access_token"], POWER_BI)
    assert result["expires_in"] == 3599
    assert "refresh_token" not in result
    assert claims["ver"] == "1.0"
    assert claims["iss"] == f"https://sts.windows.net/{TENANT_ID}/"
    assert claims["appid"] == cloud.described["clients"]["embed"]["clientId"]
    assert claims["appidacr"] == "1"
    assert claims["oid"] == claims["sub"]
    assert not {"roles", "scp", "idtyp", "azp"} & set(claims)


@pytest.mark.documented(CLAIMS)
@pytest.mark.parametrize("resource", [API_APP_URI, API_APP_ID])
def test_a_version_2_token_names_our_api_by_its_id(cloud: Cloud, resource: str) -> None:
    result = _client(cloud, "customer-portal").acquire_token_for_client([f"{resource}/.default"])
    claims = _verified(cloud, result["access_token"], API_APP_ID)
    assert claims["iss"] == f"{LOGIN}/{TENANT_ID}/v2.0"
    assert (claims["ver"], claims["azpacr"]) == ("2.0", "1")
    assert claims["azp"] == cloud.described["clients"]["customer-portal"]["clientId"]
    assert claims["roles"] == ["Embed.Issue"]


@pytest.mark.documented(CLAIMS)
@pytest.mark.parametrize("resource", [API_APP_URI, API_APP_ID])
def test_a_version_1_token_names_our_api_as_the_caller_did(cloud: Cloud, resource: str) -> None:
    cloud.change(switches={"accessTokenAcceptedVersion": 1})
    result = _client(cloud, "auditor").acquire_token_for_client([f"{resource}/.default"])
    claims = _verified(cloud, result["access_token"], resource)
    assert claims["iss"] == f"https://sts.windows.net/{TENANT_ID}/"
    assert claims["appid"] == cloud.described["clients"]["auditor"]["clientId"]


@pytest.mark.documented(CLAIMS)
def test_idtyp_is_there_only_where_it_is_configured(cloud: Cloud) -> None:
    cloud.change(switches={"idtyp": True})
    assert _verified(cloud, cloud.caller_token("operator"), API_APP_ID)["idtyp"] == "app"


def test_an_application_without_roles_gets_a_token_without_roles(cloud: Cloud) -> None:
    assert "roles" not in _verified(cloud, cloud.caller_token("nobody"), API_APP_ID)


@pytest.mark.observed("https://learn.microsoft.com/previous-versions/azure/active-directory/azuread-dev")
def test_the_version_1_endpoint_answers_in_texts(cloud: Cloud) -> None:
    form = _form(cloud, scope=None, resource=POWER_BI)
    answer = _post(cloud, f"{TENANT_ID}/oauth2/token", **form).json()
    assert answer["resource"] == POWER_BI
    assert answer["expires_in"] == "3599"
    assert int(answer["expires_on"]) > time.time() > int(answer["not_before"])


@pytest.mark.parametrize("path", ["contoso.com/oauth2/v2.0/token", f"{TENANT_ID}/oauth2/v2.0/token/"])
def test_a_tenant_may_be_named_by_its_domain_and_a_slash_may_follow(cloud: Cloud, path: str) -> None:
    assert _post(cloud, path, **_form(cloud)).status_code == 200


def test_lifetimes_are_a_switch(cloud: Cloud) -> None:
    cloud.change(switches={"accessTokenLifetime": "PT10S"})
    claims = _verified(cloud, cloud.caller_token("operator"), API_APP_ID)
    assert 8 <= claims["exp"] - time.time() <= 10
    cloud.change(switches={"accessTokenLifetime": "random"})
    lifetimes = {_post(cloud, **_form(cloud)).json()["expires_in"] for _ in range(5)}
    assert all(3599 <= lifetime <= 5400 for lifetime in lifetimes)
    assert len(lifetimes) > 1


@pytest.mark.parametrize(
    ("host", "resource", "issuer"),
    [
        ("login.microsoftonline.us", "https://high.analysis.usgovcloudapi.net/powerbi/api", "sts.windows.net"),
        ("login.chinacloudapi.cn", "https://analysis.chinacloudapi.cn/powerbi/api", "sts.chinacloudapi.cn"),
    ],
)
def test_msal_gets_tokens_in_the_other_clouds(cloud: Cloud, host: str, resource: str, issuer: str) -> None:
    result = _client(cloud, "embed", host=f"https://{host}").acquire_token_for_client([f"{resource}/.default"])
    claims = _verified(cloud, result["access_token"], resource)
    assert claims["iss"] == f"https://{issuer}/{TENANT_ID}/"


# --- certificates and federation


def _certificate(days: int = 30) -> tuple[str, str]:
    """A key and its self-signed certificate, as PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "automation")])
    began = datetime.now(UTC) - timedelta(days=60)
    built = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    built = built.not_valid_before(began).not_valid_after(datetime.now(UTC) + timedelta(days=days))
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private.decode(), built.sign(key, hashes.SHA256()).public_bytes(pem).decode()


@pytest.fixture(scope="module")
def certificate() -> tuple[str, str]:
    return _certificate()


def _register(cloud: Cloud, certificate: str) -> None:
    client_id = cloud.described["clients"]["embed"]["clientId"]
    cloud.change(applications={client_id: {"certificates": {"one": certificate}}})


def _thumbprint(certificate: str) -> str:
    return x509.load_pem_x509_certificate(certificate.encode()).fingerprint(hashes.SHA1()).hex()


CREDENTIALS: list[Callable[[str, str], Json]] = [
    lambda key, certificate: {"private_key": key, "thumbprint": _thumbprint(certificate)},  # RS256, x5t
    lambda key, certificate: {"private_key": key, "public_certificate": certificate},  # PS256, x5t#S256
]


@pytest.mark.documented("https://learn.microsoft.com/entra/identity-platform/certificate-credentials")
@pytest.mark.parametrize("credential", CREDENTIALS)
def test_msal_proves_itself_by_certificate(
    cloud: Cloud, certificate: tuple[str, str], credential: Callable[[str, str], Json]
) -> None:
    _register(cloud, certificate[1])
    result = _client(cloud, "embed", credential(*certificate)).acquire_token_for_client([f"{POWER_BI}/.default"])
    assert _verified(cloud, result["access_token"], POWER_BI)["appidacr"] == "2"


@pytest.mark.documented(CODES)
@pytest.mark.parametrize("credential", CREDENTIALS)
def test_a_certificate_that_is_not_registered_is_refused(
    cloud: Cloud, certificate: tuple[str, str], credential: Callable[[str, str], Json]
) -> None:
    result = _client(cloud, "embed", credential(*certificate)).acquire_token_for_client([f"{POWER_BI}/.default"])
    assert (result["error"], result["error_codes"]) == ("invalid_client", [700027])


def test_a_certificate_whose_time_is_over_is_refused(cloud: Cloud) -> None:
    key, old = _certificate(days=-1)
    _register(cloud, old)
    credential = {"private_key": key, "thumbprint": _thumbprint(old)}
    result = _client(cloud, "embed", credential).acquire_token_for_client([f"{POWER_BI}/.default"])
    assert result["error_codes"] == [700027]


def _assertion(certificate: tuple[str, str], client_id: str, **claims: Any) -> str:
    now = int(time.time())
    own = {"iss": client_id, "sub": client_id, "aud": f"{LOGIN}/{TENANT_ID}/oauth2/v2.0/token"}
    thumbprint = x509.load_pem_x509_certificate(certificate[1].encode()).fingerprint(hashes.SHA1())
    return jwt.encode(
        {**own, "nbf": now, "exp": now + 600, **claims},
        certificate[0],
        algorithm="RS256",
        headers={"x5t": jwt.utils.base64url_encode(thumbprint).decode()},
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
    cloud: Cloud, certificate: tuple[str, str], claims: Json, code: int
) -> None:
    _register(cloud, certificate[1])
    client_id = cloud.described["clients"]["embed"]["clientId"]
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assertion = _assertion(certificate, client_id, **claims)
    form = _form(cloud, client_secret=None, client_assertion=assertion, client_assertion_type=kind)
    assert _post(cloud, **form).json()["error_codes"] == [code]


def _vouched(cloud: Cloud, audience: str = "api://AzureADTokenExchange") -> Json:
    identity = ManagedIdentityCredential(client_id=cloud.settings["MANAGED_IDENTITY_CLIENT_ID"])
    assertion = {"client_assertion": lambda: identity.get_token(f"{audience}/.default").token}
    result: Json = _client(cloud, "embed", assertion).acquire_token_for_client([f"{POWER_BI}/.default"])
    return result


@pytest.mark.documented(
    "https://learn.microsoft.com/entra/workload-id/workload-identity-federation-config-app-trust-managed-identity"
)
def test_the_managed_identity_vouches_for_a_registration(cloud: Cloud) -> None:
    assert _verified(cloud, _vouched(cloud)["access_token"], POWER_BI)["appidacr"] == "2"


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


# --- people


@pytest.mark.documented("https://learn.microsoft.com/entra/identity-platform/v2-oauth-ropc")
def test_msal_signs_a_person_in_by_password_and_again_by_refresh_token(cloud: Cloud) -> None:
    client = _client(cloud, "operations")
    password = cloud.described["people"]["ana@contoso.com"]
    result = client.acquire_token_by_username_password("ana@contoso.com", password, [f"{POWER_BI}/.default"])
    claims = _verified(cloud, result["access_token"], POWER_BI)
    assert claims["upn"] == "ana@contoso.com"
    assert "Dataset.ReadWrite.All" in claims["scp"]
    [account] = client.get_accounts("ana@contoso.com")
    again = client.acquire_token_silent([f"{POWER_BI}/.default"], account, force_refresh=True)
    assert _verified(cloud, again["access_token"], POWER_BI)["oid"] == claims["oid"]


@pytest.mark.documented(CLAIMS)
def test_a_delegated_token_has_the_scope_and_the_persons_own_roles(cloud: Cloud) -> None:
    ana = _verified(cloud, cloud.user_token("ana@contoso.com"), API_APP_ID)
    ben = _verified(cloud, cloud.user_token("ben@contoso.com"), API_APP_ID)
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
        ({}, {"client_secret": None}, 7000218),
    ],
)
def test_a_person_who_may_not_sign_in_is_told_why(cloud: Cloud, change: Json, form: Json, code: int) -> None:
    cloud.change(users={"ana@contoso.com": change})
    person = {"username": "ana@contoso.com", "password": cloud.described["people"]["ana@contoso.com"]}
    answer = _post(cloud, **_form(cloud, **{"grant_type": "password", **person, **form}))
    assert answer.json()["error_codes"] == [code]


# --- errors


@pytest.mark.documented(CODES)
@pytest.mark.parametrize(
    ("form", "status", "error", "code"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_secret": None}, 401, "invalid_client", 7000216),
        ({"client_id": "00000000-0000-0000-0000-00000000dead"}, 400, "unauthorized_client", 700016),
        ({"client_id": None}, 400, "invalid_request", 900144),
        ({"grant_type": None}, 400, "invalid_request", 900144),
        ({"grant_type": "magic"}, 400, "unsupported_grant_type", 70003),
        ({"scope": None}, 400, "invalid_request", 900144),
        ({"scope": POWER_BI}, 400, "invalid_scope", 70011),
        ({"scope": f"{POWER_BI}/Dataset.Read.All"}, 400, "invalid_scope", 70011),
        ({"scope": f"{POWER_BI}/.default https://vault.azure.net/.default"}, 400, "invalid_request", 28000),
        ({"scope": "https://analysis.windows.net/powerbi/.default"}, 400, "invalid_resource", 500011),
        ({"scope": "https://analysis.chinacloudapi.cn/powerbi/api/.default"}, 400, "invalid_resource", 500011),
    ],
)  # fmt: skip
def test_errors_have_their_codes_and_their_whole_body(
    cloud: Cloud, form: Json, status: int, error: str, code: int
) -> None:
    answer = _post(cloud, **_form(cloud, **form))
    body = answer.json()
    assert (answer.status_code, body["error"], body["error_codes"]) == (status, error, [code])
    description = body["error_description"]
    assert description.startswith(f"AADSTS{code}: ")
    assert description.endswith(f"Correlation ID: {body['correlation_id']} Timestamp: {body['timestamp']}")
    assert f"Trace ID: {body['trace_id']}" in description
    assert body["error_uri"].endswith(f"/error?code={code}")


@pytest.mark.documented(CODES)
@pytest.mark.parametrize(("tenant", "code"), [("11111111-1111-1111-1111-111111111111", 90002), ("common", 50059)])
def test_applications_get_tokens_only_from_their_own_tenant(cloud: Cloud, tenant: str, code: int) -> None:
    assert _post(cloud, f"{tenant}/oauth2/v2.0/token", **_form(cloud)).json()["error_codes"] == [code]


@pytest.mark.documented(CODES)
def test_a_registration_without_a_service_principal_is_told_apart(cloud: Cloud) -> None:
    cloud.change(applications={cloud.described["clients"]["embed"]["clientId"]: {"servicePrincipal": False}})
    assert _post(cloud, **_form(cloud)).json()["error_codes"] == [7000229]


@pytest.mark.assumed("few of the statuses are confirmed")
def test_the_status_of_an_error_is_a_switch(cloud: Cloud) -> None:
    cloud.change(switches={"entraErrorStatus": {"700016": 401}})
    assert _post(cloud, **_form(cloud, client_id="00000000-0000-0000-0000-00000000dead")).status_code == 401


@pytest.mark.documented("https://learn.microsoft.com/entra/identity-platform/quickstart-register-app")
def test_several_secrets_are_good_at_a_time_until_each_ends(cloud: Cloud) -> None:
    old = cloud.described["clients"]["embed"]["clientSecret"]
    cloud.control("POST", "secrets/embed/rotate", {"keepOld": True})
    assert _post(cloud, **_form(cloud, client_secret=old)).status_code == 200
    cloud.control("POST", "secrets/embed/expire")
    assert _post(cloud, **_form(cloud, client_secret=old)).json()["error_codes"] == [7000222]
    cloud.control("POST", "secrets/embed/rotate")
    assert _post(cloud, **_form(cloud, client_secret=old)).json()["error_codes"] == [7000215]
    cloud.reset()
    assert _post(cloud, **_form(cloud, client_secret=old)).status_code == 200


# --- discovery


@pytest.mark.documented("https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc")
@pytest.mark.parametrize(
    ("path", "issuer"),
    [
        (f"{TENANT_ID}/.well-known/openid-configuration", f"https://sts.windows.net/{TENANT_ID}/"),
        (f"{TENANT_ID}/v2.0/.well-known/openid-configuration", f"{LOGIN}/{TENANT_ID}/v2.0"),
        ("contoso.com/v2.0/.well-known/openid-configuration", f"{LOGIN}/{TENANT_ID}/v2.0"),
        ("common/v2.0/.well-known/openid-configuration", f"{LOGIN}/{{tenantid}}/v2.0"),
    ],
)
def test_discovery_leads_to_the_keys(cloud: Cloud, path: str, issuer: str) -> None:
    document = _get(cloud, path)
    assert document["issuer"] == issuer
    keys = _get(cloud, document["jwks_uri"].removeprefix(f"{LOGIN}/"))["keys"]
    assert {"kty", "use", "kid", "x5t", "n", "e", "x5c", "issuer"} <= set(keys[0])


def test_other_documents_that_clients_ask_for(cloud: Cloud) -> None:
    realm = _get(cloud, "common/userrealm/ana@contoso.com?api-version=1.0")
    assert (realm["ver"], realm["account_type"]) == ("1.0", "Managed")
    endpoint = f"authorization_endpoint={LOGIN}/{TENANT_ID}/oauth2/v2.0/authorize"
    instances = _get(cloud, f"common/discovery/instance?api-version=1.1&{endpoint}")
    assert instances["tenant_discovery_endpoint"] == f"{LOGIN}/{TENANT_ID}/v2.0/.well-known/openid-configuration"


def test_keys_can_be_rotated_with_and_without_an_overlap(cloud: Cloud) -> None:
    old = cloud.caller_token("operator")
    cloud.control("POST", "keys/rotate")
    new = cloud.caller_token("operator")
    assert jwt.get_unverified_header(new)["kid"] != jwt.get_unverified_header(old)["kid"]
    assert _verified(cloud, old, API_APP_ID) and _verified(cloud, new, API_APP_ID)
    cloud.control("POST", "keys/rotate", {"keepOld": False})
    with pytest.raises(jwt.PyJWKClientError):
        _verified(cloud, old, API_APP_ID)
