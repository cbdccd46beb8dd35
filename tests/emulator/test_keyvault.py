"""The emulated Key Vault, as the SDK and plain clients meet it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import requests
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import ClientSecretCredential, ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient

from emulator.seed import MANAGED_IDENTITY_OBJECT_ID, TENANT_ID
from tests.cloud import Cloud

SECRETS = "https://learn.microsoft.com/rest/api/keyvault/secrets"
NAME = "powerbi-embed-secret"


@pytest.fixture
def reader(cloud: Cloud) -> Iterator[SecretClient]:
    credential = ManagedIdentityCredential(client_id=cloud.settings["MANAGED_IDENTITY_CLIENT_ID"])
    with SecretClient(cloud.settings["KEY_VAULT_URL"], credential, retry_total=0) as client:
        yield client


def _as(cloud: Cloud, application: str) -> SecretClient:
    known = cloud.described["clients"][application]
    credential = ClientSecretCredential(TENANT_ID, known["clientId"], known["clientSecret"])
    return SecretClient(cloud.settings["KEY_VAULT_URL"], credential, retry_total=0)


def _get(cloud: Cloud, token: str = "", path: str = f"secrets/{NAME}", **query: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with cloud.session() as session:
        url = f"{cloud.settings['KEY_VAULT_URL']}{path}"
        return session.get(url, headers=headers, params={"api-version": "7.4", **query}, timeout=10)


def _token(cloud: Cloud, resource: str) -> str:
    credential = ManagedIdentityCredential(client_id=cloud.settings["MANAGED_IDENTITY_CLIENT_ID"])
    return str(credential.get_token(f"{resource}/.default").token)


@pytest.mark.documented(SECRETS)
def test_the_managed_identity_reads_the_applications_secret(cloud: Cloud, reader: SecretClient) -> None:
    secret = reader.get_secret(NAME)
    assert secret.value == cloud.described["clients"]["embed"]["clientSecret"]
    assert secret.properties.enabled
    assert secret.id is not None
    assert secret.id.startswith(f"{cloud.settings['KEY_VAULT_URL']}secrets/{NAME}/")


@pytest.mark.documented("https://learn.microsoft.com/azure/key-vault/general/authentication-requests-and-responses")
def test_who_sends_no_token_is_challenged(cloud: Cloud) -> None:
    answer = _get(cloud)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == (
        f'Bearer authorization="https://login.microsoftonline.com/{TENANT_ID}", resource="https://vault.azure.net"'
    )


def test_tokens_that_are_not_for_the_vault_are_refused(cloud: Cloud) -> None:
    right = _token(cloud, "https://vault.azure.net")
    cloud.change(switches={"managedIdentityTokenLifetime": "PT0.1S"})
    expired = requests.get(
        cloud.environment["IDENTITY_ENDPOINT"],
        params={
            "api-version": "2019-08-01",
            "resource": "https://vault.azure.net",
            "client_id": cloud.settings["MANAGED_IDENTITY_CLIENT_ID"],
        },
        headers={"X-IDENTITY-HEADER": cloud.environment["IDENTITY_HEADER"]},
        timeout=10,
    ).json()["access_token"]
    wrong_key = cloud.odd_token("wrongKey", claims={"aud": "https://vault.azure.net"})
    tokens = [_token(cloud, "https://storage.azure.com"), expired, wrong_key, "nonsense", right[:-8] + "AAAAAAAA"]
    assert [_get(cloud, token).status_code for token in tokens] == [401] * 5
    assert _get(cloud, right).status_code == 200


@pytest.mark.documented(SECRETS)
def test_a_secret_that_is_not_there_is_not_found(reader: SecretClient) -> None:
    with pytest.raises(ResourceNotFoundError, match="SecretNotFound"):
        reader.get_secret("no-such-secret")


@pytest.mark.documented(SECRETS)
def test_a_disabled_secret_is_forbidden_and_says_why(cloud: Cloud, reader: SecretClient) -> None:
    cloud.change(secrets={NAME: {"enabled": False}})
    with pytest.raises(HttpResponseError) as refused:
        reader.get_secret(NAME)
    assert refused.value.status_code == 403
    assert refused.value.response is not None
    assert refused.value.response.json()["error"]["innererror"] == {"code": "SecretDisabled"}  # type: ignore[attr-defined]


@pytest.mark.documented("https://learn.microsoft.com/azure/key-vault/general/rbac-guide")
def test_who_has_no_role_is_forbidden(cloud: Cloud, reader: SecretClient) -> None:
    with _as(cloud, "embed") as client, pytest.raises(HttpResponseError, match="ForbiddenByRbac"):
        client.get_secret(NAME)
    cloud.change(vaultRoles={MANAGED_IDENTITY_OBJECT_ID: None})
    with pytest.raises(HttpResponseError, match="ForbiddenByRbac"):
        reader.get_secret(NAME)


def test_a_reader_may_not_write(reader: SecretClient) -> None:
    with pytest.raises(HttpResponseError, match="ForbiddenByRbac"):
        reader.set_secret(NAME, "mine now")


@pytest.mark.documented(SECRETS)
def test_a_new_value_is_a_new_version_and_the_old_one_stays(cloud: Cloud, reader: SecretClient) -> None:
    before = reader.get_secret(NAME)
    with _as(cloud, "operator") as officer:
        after = officer.set_secret(NAME, "rotated", expires_on=datetime.now(UTC) + timedelta(days=90))
    assert reader.get_secret(NAME).value == "rotated"
    assert reader.get_secret(NAME, before.properties.version).value == before.value
    versions = {found.version for found in reader.list_properties_of_secret_versions(NAME)}
    assert versions == {before.properties.version, after.properties.version}
    assert NAME in {found.name for found in reader.list_properties_of_secrets()}


@pytest.mark.documented("https://learn.microsoft.com/azure/key-vault/secrets/about-secrets#secret-attributes")
def test_a_secret_out_of_its_dates_can_still_be_read(cloud: Cloud, reader: SecretClient) -> None:
    with _as(cloud, "operator") as officer:
        officer.update_secret_properties(NAME, expires_on=datetime(2020, 1, 1, tzinfo=UTC))
    found = reader.get_secret(NAME)
    assert found.value
    assert found.properties.expires_on == datetime(2020, 1, 1, tzinfo=UTC)


def test_a_value_that_is_stored_is_not_shown_in_the_list_of_requests(cloud: Cloud) -> None:
    with _as(cloud, "operator") as officer:
        officer.set_secret(NAME, "do-not-show-me")
    [call] = cloud.calls(host=".vault.azure.net", method="PUT")
    assert call["body"]["value"] == "[redacted]"
    assert call["clientId"] == cloud.described["clients"]["operator"]["clientId"]
    assert "do-not-show-me" not in str(cloud.control("GET", "requests"))


def test_reset_brings_the_first_values_back(cloud: Cloud, reader: SecretClient) -> None:
    cloud.change(secrets={NAME: {"value": "broken"}})
    assert reader.get_secret(NAME).value == "broken"
    cloud.reset()
    assert reader.get_secret(NAME).value == cloud.described["clients"]["embed"]["clientSecret"]


def test_a_rotation_reaches_the_vault_unless_it_is_told_not_to(cloud: Cloud, reader: SecretClient) -> None:
    first = reader.get_secret(NAME).value
    cloud.control("POST", "secrets/embed/rotate", {"vault": False})
    assert reader.get_secret(NAME).value == first
    cloud.control("POST", "secrets/embed/rotate")
    assert reader.get_secret(NAME).value != first
