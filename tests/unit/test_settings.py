"""Settings are checked all at once, each by name, and a value that may be secret is never repeated."""

from __future__ import annotations

import secrets
from dataclasses import fields

import pytest

from shared.errors import SettingsInvalid
from shared.settings import CLOUDS, CallerSettings, CredentialSettings, Settings

TENANT = "1f000000-0000-4000-8000-000000000001"
CLIENT = "2F000000-0000-4000-8000-00000000000A"
KEY = "not-a-key" * 5


def good(**changes: str | None) -> dict[str, str]:
    """A complete environment; None takes a setting away."""
    env: dict[str, str | None] = {
        "POWERBI_TENANT_ID": TENANT,
        "POWERBI_EMBED_CLIENT_ID": CLIENT,
        "POWERBI_EMBED_CREDENTIAL": "secret:embed-client-secret",
        "POWERBI_OPERATIONS_CLIENT_ID": CLIENT,
        "POWERBI_OPERATIONS_CREDENTIAL": "secret:operations-client-secret",
        "MANAGED_IDENTITY_CLIENT_ID": CLIENT,
        "KEY_VAULT_URL": "https://contoso-bi.vault.azure.net/",
        "API_AUDIENCE": f"api://powerbi-automation, {CLIENT}",
        "API_TENANT_ID": TENANT,
        "AzureWebJobsStorage": f"AccountName=app;AccountKey={KEY};EndpointSuffix=core.windows.net",
        "LANDING_STORAGE__blobServiceUri": "https://landing.blob.core.windows.net",
        **changes,
    }
    return {name: value for name, value in env.items() if value is not None}


def faults(**changes: str | None) -> dict[str, str]:
    with pytest.raises(SettingsInvalid) as caught:
        Settings.from_env(good(**changes))
    return {fault.path: fault.message for fault in caught.value.faults}


def test_good_settings_are_typed_and_normalised() -> None:
    settings = Settings.from_env(good())
    assert settings.cloud is CLOUDS["public"]
    assert set(settings.identities) == {"embed", "operations"}
    assert settings.identities["embed"].client_id == CLIENT.lower()
    assert settings.identities["embed"].credential == CredentialSettings("secret", "embed-client-secret")
    assert settings.key_vault_url == "https://contoso-bi.vault.azure.net"
    assert settings.callers.audiences == {"api://powerbi-automation", CLIENT.lower()}
    assert settings.callers.tenants == {TENANT}
    assert settings.app_storage.connection_string.endswith("core.windows.net")
    assert settings.landing_storage.blob_url == "https://landing.blob.core.windows.net"
    assert settings.events_topic_endpoint == ""


def test_nothing_set_names_everything_that_is_missing() -> None:
    with pytest.raises(SettingsInvalid) as caught:
        Settings.from_env({})
    assert {fault.path for fault in caught.value.faults} == {
        "POWERBI_TENANT_ID",
        "POWERBI_EMBED_CLIENT_ID",
        "POWERBI_EMBED_CREDENTIAL",
        "POWERBI_OPERATIONS_CLIENT_ID",
        "POWERBI_OPERATIONS_CREDENTIAL",
        "MANAGED_IDENTITY_CLIENT_ID",
        "API_AUDIENCE",
        "API_TENANT_ID",
        "AzureWebJobsStorage",
        "LANDING_STORAGE",
    }
    assert "POWERBI_EMBED_CREDENTIAL" in caught.value.detail


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("POWERBI_CLOUD", "germany", "Must be one of: public, usgov, usgovhigh, usgovmil, china."),
        ("POWERBI_TENANT_ID", "contoso.onmicrosoft.com", "Must be a GUID."),
        ("POWERBI_TENANT_ID", "   ", "Missing: set it."),
        ("MANAGED_IDENTITY_CLIENT_ID", "{" + CLIENT + "}", "Must be a GUID."),
        (
            "POWERBI_EMBED_CREDENTIAL",
            "managedIdentity",
            "managedIdentity is refused for this identity: Azure hands out",
        ),
        (
            "POWERBI_EMBED_CREDENTIAL",
            "ManagedIdentity",
            "managedIdentity is refused for this identity: Azure hands out",
        ),
        ("POWERBI_OPERATIONS_CREDENTIAL", "masterUser:svc", "masterUser is not supported: a person's password"),
        ("POWERBI_OPERATIONS_CREDENTIAL", "secret", "Must be secret:NAME, where NAME is the name of a secret in Key"),
        ("POWERBI_OPERATIONS_CREDENTIAL", "secret:", "Must be secret:NAME"),
        ("POWERBI_OPERATIONS_CREDENTIAL", "secret:a/b", "Must be secret:NAME"),
        ("POWERBI_OPERATIONS_CREDENTIAL", "certificate:", "Must be certificate:NAME, where NAME is the name of a cert"),
        ("POWERBI_OPERATIONS_CREDENTIAL", "federated:name", "Must be federated, certificate:NAME, secret:NAME or man"),
        (
            "POWERBI_OPERATIONS_CREDENTIAL",
            "managedIdentity:name",
            "Must be federated, certificate:NAME, secret:NAME or",
        ),
        ("POWERBI_OPERATIONS_CREDENTIAL", "a-secret-itself", "Must be federated, certificate:NAME, secret:NAME or man"),
        (
            "POWERBI_OPERATIONS_CREDENTIAL",
            "@Microsoft.KeyVault(SecretUri=https://x)",
            "The Key Vault reference was not",
        ),
        ("KEY_VAULT_URL", "http://contoso.vault.azure.net", "Must be a URL that begins with https://."),
        ("KEY_VAULT_URL", "https://contoso.vault.azure.net.evil.example", "Must be https://NAME.vault.azure.net in"),
        ("KEY_VAULT_URL", "https://vault.azure.net", "Must be https://NAME.vault.azure.net in"),
        ("KEY_VAULT_URL", "https://evil.example/contoso.vault.azure.net", "Must be the bare address"),
        ("KEY_VAULT_URL", "https://contoso.other.vault.azure.net", "Must be https://NAME.vault.azure.net in"),
        ("KEY_VAULT_URL", "https://contoso.evilvault.azure.net", "Must be https://NAME.vault.azure.net in"),
        ("KEY_VAULT_URL", "https://contoso.vault.azure.net@evil.example", "Must be the bare address"),
        ("KEY_VAULT_URL", "https://contoso.vault.azure.net:8443", "Must be https://NAME.vault.azure.net in"),
        ("KEY_VAULT_URL", "https://contoso.vault.azure.cn", "Must be https://NAME.vault.azure.net in"),
        ("KEY_VAULT_URL", "https://contoso.vault.azure.net:port", "Must be a URL that begins with https://."),
        ("KEY_VAULT_URL", "https://[contoso", "Must be a URL that begins with https://."),
        ("API_AUDIENCE", " , ", "Must name at least one, separated by commas."),
        ("API_TENANT_ID", f"{TENANT},contoso.com", "Must be GUIDs, separated by commas."),
        ("AzureWebJobsStorage", "UseDevelopmentStorage=true", "Must be a connection string with AccountName"),
        ("AzureWebJobsStorage", f"DefaultEndpointsProtocol=http;AccountName=a;AccountKey={KEY}", "Must use https"),
        ("AzureWebJobsStorage", f"AccountName=a;AccountKey={KEY};BlobEndpoint=http://10.0.0.1/a", "Must use https"),
        ("LANDING_STORAGE", "@Microsoft.KeyVault(VaultName=v;SecretName=s)", "The Key Vault reference was not"),
        ("LANDING_STORAGE__blobServiceUri", "http://landing.blob.core.windows.net", "Must be a URL that begins with"),
        ("LANDING_STORAGE__blobServiceUri", f"https://landing.blob.core.windows.net?sig={KEY}", "Must be the bare"),
        ("EVENTS_TOPIC_ENDPOINT", "topic.eventgrid.azure.net", "Must be a URL that begins with https://."),
    ],
)
def test_a_fault_names_the_setting_and_the_fix(name: str, value: str, message: str) -> None:
    found = faults(**{name: value})
    assert list(found) == [name]
    assert found[name].startswith(message)


def test_all_faults_are_told_at_once() -> None:
    assert set(faults(POWERBI_TENANT_ID="x", API_AUDIENCE=None, KEY_VAULT_URL="x")) == {
        "POWERBI_TENANT_ID",
        "API_AUDIENCE",
        "KEY_VAULT_URL",
    }


def test_values_are_never_repeated() -> None:
    secret = secrets.token_urlsafe(20)
    names = [*good(), "LANDING_STORAGE", "LANDING_STORAGE__accountName", "EVENTS_TOPIC_ENDPOINT", "POWERBI_CLOUD"]
    for value in (secret, f"http://user:{secret}@host/?sig={secret}", f"AccountKey={secret}", f"secret:{secret}/"):
        with pytest.raises(SettingsInvalid) as caught:
            Settings.from_env({name: value for name in names if name != "API_AUDIENCE"})
        assert secret not in f"{caught.value} {caught.value.faults} {caught.value!r}"


def test_the_account_key_is_not_printed_with_the_settings() -> None:
    assert KEY not in repr(Settings.from_env(good()))


def test_the_admin_identity_is_optional_but_not_half_set() -> None:
    assert list(faults(POWERBI_ADMIN_CLIENT_ID=CLIENT)) == ["POWERBI_ADMIN_CREDENTIAL"]
    assert list(faults(POWERBI_ADMIN_CREDENTIAL="secret:admin")) == ["POWERBI_ADMIN_CLIENT_ID"]
    settings = Settings.from_env(good(POWERBI_ADMIN_CLIENT_ID=CLIENT, POWERBI_ADMIN_CREDENTIAL="secret:admin"))
    assert settings.identities["admin"].credential.vault_name == "admin"


@pytest.mark.parametrize(
    ("value", "credential"),
    [
        ("federated", CredentialSettings("federated")),
        (" Federated ", CredentialSettings("federated")),
        ("certificate:powerbi-certificate", CredentialSettings("certificate", "powerbi-certificate")),
        ("Secret: powerbi-secret", CredentialSettings("secret", "powerbi-secret")),
        ("managedIdentity", CredentialSettings("managedIdentity")),
    ],
)
def test_an_identity_says_how_it_proves_itself(value: str, credential: CredentialSettings) -> None:
    settings = Settings.from_env(good(POWERBI_OPERATIONS_CREDENTIAL=value))
    assert settings.identities["operations"].credential == credential


def test_a_vault_is_needed_only_where_an_identity_names_what_lies_in_it() -> None:
    nothing_stored = good(
        KEY_VAULT_URL=None, POWERBI_EMBED_CREDENTIAL="federated", POWERBI_OPERATIONS_CREDENTIAL="managedIdentity"
    )
    assert Settings.from_env(nothing_stored).key_vault_url == ""
    assert faults(KEY_VAULT_URL=None, POWERBI_EMBED_CREDENTIAL="federated") == {
        "KEY_VAULT_URL": "Missing: set it. What POWERBI_OPERATIONS_CREDENTIAL means lies in that vault."
    }
    assert "POWERBI_EMBED_CREDENTIAL and POWERBI_OPERATIONS_CREDENTIAL" in faults(KEY_VAULT_URL=" ")["KEY_VAULT_URL"]


def test_a_vault_that_is_not_needed_has_to_be_one_all_the_same() -> None:
    federated = {f"POWERBI_{name}_CREDENTIAL": "federated" for name in ("EMBED", "OPERATIONS")}
    assert list(faults(KEY_VAULT_URL="https://evil.example", **federated)) == ["KEY_VAULT_URL"]


def test_storage_by_account_name_gets_the_addresses_of_the_cloud() -> None:
    env = good(AzureWebJobsStorage=None, AzureWebJobsStorage__accountName="contosoapp", POWERBI_CLOUD="china")
    storage = Settings.from_env({**env, "KEY_VAULT_URL": "https://contoso.vault.azure.cn"}).app_storage
    assert storage.connection_string == ""
    assert storage.blob_url == "https://contosoapp.blob.core.chinacloudapi.cn"
    assert storage.queue_url == "https://contosoapp.queue.core.chinacloudapi.cn"
    assert storage.table_url == "https://contosoapp.table.core.chinacloudapi.cn"


def test_storage_by_addresses_needs_all_three_services() -> None:
    found = faults(AzureWebJobsStorage=None, AzureWebJobsStorage__blobServiceUri="https://a.blob.core.windows.net")
    assert set(found) == {"AzureWebJobsStorage__queueServiceUri", "AzureWebJobsStorage__tableServiceUri"}


def test_an_address_wins_over_the_account_name_and_a_connection_string_over_both() -> None:
    names = {
        "AzureWebJobsStorage__accountName": "contosoapp",
        "AzureWebJobsStorage__tableServiceUri": "https://private.example/",
    }
    storage = Settings.from_env(good(AzureWebJobsStorage=None, **names)).app_storage
    assert storage.table_url == "https://private.example"
    assert storage.blob_url == "https://contosoapp.blob.core.windows.net"
    assert Settings.from_env(good(**names)).app_storage.blob_url == ""


def test_an_account_name_that_is_none_is_named() -> None:
    assert "AzureWebJobsStorage__accountName" in faults(
        AzureWebJobsStorage=None, AzureWebJobsStorage__accountName="Not.A-Name"
    )


def test_a_connection_string_may_be_unencrypted_within_this_machine_only() -> None:
    text = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=k;" + "".join(
        f"{kind}Endpoint=http://127.0.0.1:{port}/a;"
        for port, kind in enumerate(("Blob", "Queue", "Table"), start=10000)
    )
    assert Settings.from_env(good(AzureWebJobsStorage=text)).app_storage.connection_string == text
    assert "AzureWebJobsStorage" in faults(AzureWebJobsStorage=text.replace("127.0.0.1:10001", "example.com"))


def test_caller_settings_can_be_read_while_others_are_faulty() -> None:
    callers = CallerSettings.from_env({"API_AUDIENCE": "api://x", "API_TENANT_ID": TENANT.upper()})
    assert callers.tenants == {TENANT}
    with pytest.raises(SettingsInvalid) as caught:
        CallerSettings.from_env({"POWERBI_CLOUD": "moon"})
    assert {fault.path for fault in caught.value.faults} == {"POWERBI_CLOUD", "API_AUDIENCE", "API_TENANT_ID"}


def test_government_community_cloud_uses_the_commercial_entra() -> None:
    gcc, high = CLOUDS["usgov"], CLOUDS["usgovhigh"]
    assert gcc.login_host == "login.microsoftonline.com"
    assert gcc.powerbi_api == "https://api.powerbigov.us"
    assert gcc.exchange_audience == "api://AzureADTokenExchange"
    assert high.login_host == "login.microsoftonline.us"
    assert high.exchange_audience == "api://AzureADTokenExchangeUSGov"


def test_both_versions_of_tokens_are_known_in_every_cloud() -> None:
    assert CLOUDS["public"].token_issuers(TENANT) == {
        f"https://sts.windows.net/{TENANT}/",
        f"https://login.microsoftonline.com/{TENANT}/v2.0",
    }
    for cloud in CLOUDS.values():
        issuers = cloud.token_issuers(TENANT)
        assert any(issuer.startswith("https://sts.") and issuer.endswith(f"/{TENANT}/") for issuer in issuers)
        assert f"https://{cloud.login_host}/{TENANT}/v2.0" in issuers


def test_every_fact_about_every_cloud_is_filled_in() -> None:
    assert list(CLOUDS) == ["public", "usgov", "usgovhigh", "usgovmil", "china"]
    assert all(getattr(cloud, fact.name) for cloud in CLOUDS.values() for fact in fields(cloud))
    assert all(name == cloud.name for name, cloud in CLOUDS.items())
