"""The app's settings: typed, all faults at once, each by name; values that may be secret are never repeated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.clouds import CLOUDS, Cloud
from shared.credential_settings import CredentialSettings, read_credential
from shared.setting_reader import SettingReader

__all__ = ["CLOUDS", "CallerSettings", "Cloud", "CredentialSettings", "IdentitySettings", "Settings", "StorageSettings"]


@dataclass(frozen=True)
class IdentitySettings:
    """One of the app's own identities at Power BI, and how it proves itself."""

    name: str
    """`embed`, `operations` or `admin`."""
    client_id: str
    """Of its app registration; for the credential `managedIdentity` that identity's own."""
    credential: CredentialSettings


def identity_setting(identity: str, part: str) -> str:
    """The name of a setting of that identity; `part` is `CLIENT_ID` or `CREDENTIAL`."""
    return f"POWERBI_{identity.upper()}_{part}"


@dataclass(frozen=True)
class StorageSettings:
    """A storage account: by a connection string, or by identity under its services' addresses (https, no path)."""

    connection_string: str = field(repr=False)
    """Empty when the account is reached by identity."""
    blob_url: str
    queue_url: str
    table_url: str

    @classmethod
    def from_env(cls, env: Mapping[str, str], name: str) -> StorageSettings:
        """One account alone, so that messages can be put back while other settings are faulty."""
        reader = SettingReader(env)
        settings = _storage(reader, name, _cloud(reader), ("blob", "queue", "table"))
        reader.finish()
        return settings


@dataclass(frozen=True)
class CallerSettings:
    """Whose tokens are accepted. Read apart as well: who may see what is wrong with the other settings?"""

    audiences: frozenset[str]
    """As in the token's `aud`; GUIDs in lower case."""
    tenants: frozenset[str]
    cloud: Cloud

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> CallerSettings:
        """Raises SettingsInvalid with every fault of these settings."""
        reader = SettingReader(env)
        callers = _callers(reader, _cloud(reader))
        reader.finish()
        return callers


@dataclass(frozen=True)
class Settings:
    """Everything that an operator can set, checked."""

    cloud: Cloud
    tenant_id: str
    identities: Mapping[str, IdentitySettings]
    """By name; `admin` only where governance is on."""
    managed_identity_client_id: str
    key_vault_url: str
    """Without a trailing slash; may be empty where no identity's credential lies in it."""
    callers: CallerSettings
    app_storage: StorageSettings
    landing_storage: StorageSettings
    events_topic_endpoint: str
    """Empty: events go to the queue `operations-events`."""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """Raises SettingsInvalid with every fault at once."""
        reader = SettingReader(env)
        cloud, identities = _cloud(reader), _identities(reader)
        stored = [identity_setting(name, "CREDENTIAL") for name, one in identities.items() if one.credential.vault_name]
        settings = cls(
            cloud=cloud,
            tenant_id=reader.guid("POWERBI_TENANT_ID"),
            identities=identities,
            managed_identity_client_id=reader.guid("MANAGED_IDENTITY_CLIENT_ID"),
            key_vault_url=reader.vault("KEY_VAULT_URL", cloud.vault_suffix, needed_by=stored),
            callers=_callers(reader, cloud),
            app_storage=_storage(reader, "AzureWebJobsStorage", cloud, ("blob", "queue", "table")),
            landing_storage=_storage(reader, "LANDING_STORAGE", cloud, ("blob",)),
            events_topic_endpoint=reader.https("EVENTS_TOPIC_ENDPOINT", required=False, path_allowed=True),
        )
        reader.finish()
        return settings


def _cloud(reader: SettingReader) -> Cloud:
    return CLOUDS[reader.one_of("POWERBI_CLOUD", tuple(CLOUDS), default="public")]


def _callers(reader: SettingReader, cloud: Cloud) -> CallerSettings:
    return CallerSettings(
        audiences=frozenset(reader.listed("API_AUDIENCE")),
        tenants=frozenset(reader.guids("API_TENANT_ID")),
        cloud=cloud,
    )


def _identities(reader: SettingReader) -> dict[str, IdentitySettings]:
    names = ["embed", "operations"]
    if any(reader.has(identity_setting("admin", part)) for part in ("CLIENT_ID", "CREDENTIAL")):
        names.append("admin")
    return {name: _identity(reader, name) for name in names}


def _identity(reader: SettingReader, name: str) -> IdentitySettings:
    client_id = reader.guid(identity_setting(name, "CLIENT_ID"))
    credential = read_credential(reader, identity_setting(name, "CREDENTIAL"), mints_tokens=name == "embed")
    return IdentitySettings(name, client_id, credential)


def _storage(reader: SettingReader, name: str, cloud: Cloud, needed: tuple[str, ...]) -> StorageSettings:
    """The setting of that exact name wins over the `__` family, as on the Functions host."""
    if reader.has(name):
        return StorageSettings(reader.connection_string(name), "", "", "")
    urls = reader.storage_addresses(name, cloud.storage_suffix, needed)
    return StorageSettings("", urls["blob"], urls["queue"], urls["table"])
