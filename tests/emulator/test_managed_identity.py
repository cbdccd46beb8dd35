"""The emulated managed identity, by the protocol of App Service."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest
import requests
from azure.identity import DefaultAzureCredential, ManagedIdentityCredential

from emulator.seed import MANAGED_IDENTITY_CLIENT_ID, MANAGED_IDENTITY_OBJECT_ID, TENANT_ID
from tests.cloud import Cloud

PROTOCOL = "https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference"
EXCHANGE_APP = "fb60f99c-7a34-4190-8149-302f77469936"


def _ask(cloud: Cloud, header: str | None = None, **query: str | None) -> requests.Response:
    asked = {
        "api-version": "2019-08-01",
        "resource": "https://vault.azure.net",
        "client_id": MANAGED_IDENTITY_CLIENT_ID,
        **query,
    }
    return requests.get(
        cloud.environment["IDENTITY_ENDPOINT"],
        params={name: value for name, value in asked.items() if value is not None},
        headers={"X-IDENTITY-HEADER": cloud.environment["IDENTITY_HEADER"] if header is None else header},
        timeout=10,
    )


def _claims(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


@pytest.mark.documented(PROTOCOL)
def test_the_answer_has_the_documented_fields(cloud: Cloud) -> None:
    answer = _ask(cloud).json()
    assert answer["token_type"] == "Bearer"
    assert answer["resource"] == "https://vault.azure.net"
    assert int(answer["expires_on"]) == _claims(answer["access_token"])["exp"]


@pytest.mark.documented(PROTOCOL)
@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"client_id": "00000000-0000-0000-0000-000000000000"}, 400),
        ({"client_id": None}, 400),
        ({"client_id": None, "principal_id": MANAGED_IDENTITY_OBJECT_ID}, 200),
        ({"api-version": "2017-09-01"}, 400),
        ({"resource": None}, 400),
        ({"resource": "https://nowhere.example"}, 400),
    ],
)
def test_what_is_asked_wrongly_is_refused(cloud: Cloud, query: dict[str, str | None], status: int) -> None:
    assert _ask(cloud, **query).status_code == status


@pytest.mark.parametrize("header", ["", "guess"])
def test_only_who_knows_the_header_gets_a_token(cloud: Cloud, header: str) -> None:
    assert _ask(cloud, header=header).status_code == 401


@pytest.mark.parametrize(
    "resource",
    [
        "https://analysis.windows.net/powerbi/api",
        "https://storage.azure.com",
        "https://management.azure.com",
        "https://vault.usgovcloudapi.net",
    ],
)
def test_azure_identity_gets_tokens_for_known_resources(cloud: Cloud, resource: str) -> None:
    credential = ManagedIdentityCredential(client_id=MANAGED_IDENTITY_CLIENT_ID)
    claims = _claims(credential.get_token(f"{resource}/.default").token)
    assert (claims["aud"], claims["oid"], claims["tid"]) == (resource, MANAGED_IDENTITY_OBJECT_ID, TENANT_ID)


def test_the_default_credential_finds_its_way_by_the_environment_alone(cloud: Cloud) -> None:
    assert _claims(DefaultAzureCredential().get_token("https://storage.azure.com/.default").token)["ver"] == "1.0"


@pytest.mark.observed("https://github.com/Azure/azure-workload-identity/issues/1200")
def test_a_token_for_the_exchange_names_entras_own_application(cloud: Cloud) -> None:
    claims = _claims(_ask(cloud, resource="api://AzureADTokenExchange").json()["access_token"])
    assert (claims["aud"], claims["sub"]) == (EXCHANGE_APP, MANAGED_IDENTITY_OBJECT_ID)
    assert claims["iss"] == f"https://login.microsoftonline.com/{TENANT_ID}/v2.0"


@pytest.mark.assumed("managed identity tokens are said to live for a day")
def test_its_tokens_live_for_a_day_unless_a_switch_says_otherwise(cloud: Cloud) -> None:
    assert int(_ask(cloud).json()["expires_on"]) - time.time() > 23 * 3600
    cloud.change(switches={"managedIdentityTokenLifetime": "PT1M"})
    assert int(_ask(cloud).json()["expires_on"]) - time.time() <= 60


def test_faults_strike_here_as_well(cloud: Cloud) -> None:
    cloud.fault(".*", "/msi/token", status=500)
    assert [_ask(cloud).status_code, _ask(cloud).status_code] == [500, 200]
