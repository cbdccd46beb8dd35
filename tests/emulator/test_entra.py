"""The emulated Entra, as MSAL and plain clients meet it: tokens of applications, errors, discovery."""

from __future__ import annotations

import time

import jwt
import pytest

from emulator.seed import API_APP_ID, API_APP_URI, TENANT_ID
from tests.cloud import Cloud
from tests.emulator.entra_client import (
    CLAIMS,
    CODES,
    LOGIN,
    POWER_BI,
    Json,
    get,
    msal_client,
    post,
    token_form,
    verified,
)

# --- tokens of applications


@pytest.mark.documented("https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow")
def test_msal_gets_a_token_for_power_bi_by_client_secret(cloud: Cloud) -> None:
    result = msal_client(cloud, "embed").acquire_token_for_client([f"{POWER_BI}/.default"])
    claims = verified(cloud, result["access_token"], POWER_BI)
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
    result = msal_client(cloud, "customer-portal").acquire_token_for_client([f"{resource}/.default"])
    claims = verified(cloud, result["access_token"], API_APP_ID)
    assert claims["iss"] == f"{LOGIN}/{TENANT_ID}/v2.0"
    assert (claims["ver"], claims["azpacr"]) == ("2.0", "1")
    assert claims["azp"] == cloud.described["clients"]["customer-portal"]["clientId"]
    assert claims["roles"] == ["Embed.Issue"]


@pytest.mark.documented(CLAIMS)
@pytest.mark.parametrize("resource", [API_APP_URI, API_APP_ID])
def test_a_version_1_token_names_our_api_as_the_caller_did(cloud: Cloud, resource: str) -> None:
    cloud.change(switches={"accessTokenAcceptedVersion": 1})
    result = msal_client(cloud, "auditor").acquire_token_for_client([f"{resource}/.default"])
    claims = verified(cloud, result["access_token"], resource)
    assert claims["iss"] == f"https://sts.windows.net/{TENANT_ID}/"
    assert claims["appid"] == cloud.described["clients"]["auditor"]["clientId"]


@pytest.mark.documented(CLAIMS)
def test_idtyp_is_there_only_where_it_is_configured(cloud: Cloud) -> None:
    cloud.change(switches={"idtyp": True})
    assert verified(cloud, cloud.caller_token("operator"), API_APP_ID)["idtyp"] == "app"


def test_an_application_without_roles_gets_a_token_without_roles(cloud: Cloud) -> None:
    assert "roles" not in verified(cloud, cloud.caller_token("nobody"), API_APP_ID)


@pytest.mark.observed("https://learn.microsoft.com/previous-versions/azure/active-directory/azuread-dev")
def test_the_version_1_endpoint_answers_in_texts(cloud: Cloud) -> None:
    form = token_form(cloud, scope=None, resource=POWER_BI)
    answer = post(cloud, f"{TENANT_ID}/oauth2/token", **form).json()
    assert answer["resource"] == POWER_BI
    assert answer["expires_in"] == "3599"
    assert int(answer["expires_on"]) > time.time() > int(answer["not_before"])
    assert "refresh_token" not in answer
    person = {"username": "ana@contoso.com", "password": cloud.described["people"]["ana@contoso.com"]}
    answer = post(cloud, f"{TENANT_ID}/oauth2/token", **{**form, **person, "grant_type": "password"}).json()
    assert answer["expires_in"] == "3599"
    assert {"refresh_token", "id_token", "scope"} <= set(answer)


@pytest.mark.parametrize("path", ["contoso.com/oauth2/v2.0/token", f"{TENANT_ID}/oauth2/v2.0/token/"])
def test_a_tenant_may_be_named_by_its_domain_and_a_slash_may_follow(cloud: Cloud, path: str) -> None:
    assert post(cloud, path, **token_form(cloud)).status_code == 200


def test_lifetimes_are_a_switch(cloud: Cloud) -> None:
    cloud.change(switches={"accessTokenLifetime": "PT10S"})
    claims = verified(cloud, cloud.caller_token("operator"), API_APP_ID)
    assert 8 <= claims["exp"] - time.time() <= 10
    cloud.change(switches={"accessTokenLifetime": "random"})
    lifetimes = {post(cloud, **token_form(cloud)).json()["expires_in"] for _ in range(5)}
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
    result = msal_client(cloud, "embed", host=f"https://{host}").acquire_token_for_client([f"{resource}/.default"])
    claims = verified(cloud, result["access_token"], resource)
    assert claims["iss"] == f"https://{issuer}/{TENANT_ID}/"


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
    answer = post(cloud, **token_form(cloud, **form))
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
    assert post(cloud, f"{tenant}/oauth2/v2.0/token", **token_form(cloud)).json()["error_codes"] == [code]


@pytest.mark.documented(CODES)
def test_a_registration_without_a_service_principal_is_told_apart(cloud: Cloud) -> None:
    cloud.change(applications={cloud.described["clients"]["embed"]["clientId"]: {"servicePrincipal": False}})
    assert post(cloud, **token_form(cloud)).json()["error_codes"] == [7000229]


@pytest.mark.assumed("few of the statuses are confirmed")
def test_the_status_of_an_error_is_a_switch(cloud: Cloud) -> None:
    cloud.change(switches={"entraErrorStatus": {"700016": 401}})
    assert post(cloud, **token_form(cloud, client_id="00000000-0000-0000-0000-00000000dead")).status_code == 401


@pytest.mark.documented("https://learn.microsoft.com/entra/identity-platform/quickstart-register-app")
def test_several_secrets_are_good_at_a_time_until_each_ends(cloud: Cloud) -> None:
    old = cloud.described["clients"]["embed"]["clientSecret"]
    cloud.control("POST", "secrets/embed/rotate", {"keepOld": True})
    assert post(cloud, **token_form(cloud, client_secret=old)).status_code == 200
    cloud.control("POST", "secrets/embed/expire")
    assert post(cloud, **token_form(cloud, client_secret=old)).json()["error_codes"] == [7000222]
    cloud.control("POST", "secrets/embed/rotate")
    assert post(cloud, **token_form(cloud, client_secret=old)).json()["error_codes"] == [7000215]
    cloud.reset()
    assert post(cloud, **token_form(cloud, client_secret=old)).status_code == 200


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
    document = get(cloud, path)
    assert document["issuer"] == issuer
    keys = get(cloud, document["jwks_uri"].removeprefix(f"{LOGIN}/"))["keys"]
    assert {"kty", "use", "kid", "x5t", "n", "e", "x5c", "issuer"} <= set(keys[0])


def test_other_documents_that_clients_ask_for(cloud: Cloud) -> None:
    realm = get(cloud, "common/userrealm/ana@contoso.com?api-version=1.0")
    assert (realm["ver"], realm["account_type"]) == ("1.0", "Managed")
    endpoint = f"authorization_endpoint={LOGIN}/{TENANT_ID}/oauth2/v2.0/authorize"
    instances = get(cloud, f"common/discovery/instance?api-version=1.1&{endpoint}")
    assert instances["tenant_discovery_endpoint"] == f"{LOGIN}/{TENANT_ID}/v2.0/.well-known/openid-configuration"


def test_keys_can_be_rotated_with_and_without_an_overlap(cloud: Cloud) -> None:
    old = cloud.caller_token("operator")
    cloud.control("POST", "keys/rotate")
    new = cloud.caller_token("operator")
    assert jwt.get_unverified_header(new)["kid"] != jwt.get_unverified_header(old)["kid"]
    assert verified(cloud, old, API_APP_ID) and verified(cloud, new, API_APP_ID)
    cloud.control("POST", "keys/rotate", {"keepOld": False})
    with pytest.raises(jwt.PyJWKClientError):
        verified(cloud, old, API_APP_ID)
