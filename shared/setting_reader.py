"""Reads settings one by one and collects what is wrong with each, so that an operator mends them in one go."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from urllib.parse import SplitResult, urlsplit

from shared.errors import Fault, SettingsInvalid

_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_VAULT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]")
_ACCOUNT_NAME = re.compile(r"[a-z0-9]{3,24}")
_UNRESOLVED = "@microsoft.keyvault("


class SettingReader:
    """Each method returns the checked value, or an empty one after noting the fault; `finish` raises them all."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._faults: dict[str, Fault] = {}

    def finish(self) -> None:
        """Raises SettingsInvalid if any setting was faulty."""
        if self._faults:
            names = ", ".join(self._faults)
            raise SettingsInvalid(f"Settings are missing or wrong: {names}.", faults=tuple(self._faults.values()))

    def has(self, name: str) -> bool:
        """Whether the setting is there and not blank."""
        return bool(self._env.get(name, "").strip())

    def text(self, name: str, *, required: bool = True) -> str:
        """The value without surrounding blanks."""
        value = self._env.get(name, "").strip()
        if value.lower().startswith(_UNRESOLVED):
            return self.fault(
                name,
                "The Key Vault reference was not resolved. Check that the secret exists and that the app's identity "
                "(keyVaultReferenceIdentity) has the role Key Vault Secrets User.",
            )
        if not value and required:
            return self.fault(name, "Missing: set it.")
        return value

    def one_of(self, name: str, allowed: tuple[str, ...], default: str) -> str:
        value = self.text(name, required=False).lower() or default
        if value in allowed:
            return value
        self.fault(name, f"Must be one of: {', '.join(allowed)}.")
        return default

    def guid(self, name: str) -> str:
        value = self.text(name).lower()
        if value and not _GUID.fullmatch(value):
            return self.fault(name, "Must be a GUID.")
        return value

    def listed(self, name: str) -> tuple[str, ...]:
        """Comma-separated values, at least one; GUIDs among them in lower case."""
        value = self.text(name)
        parts = tuple(part.strip() for part in value.split(",") if part.strip())
        if value and not parts:
            self.fault(name, "Must name at least one, separated by commas.")
        return tuple(part.lower() if _GUID.fullmatch(part.lower()) else part for part in parts)

    def guids(self, name: str) -> tuple[str, ...]:
        parts = self.listed(name)
        if all(_GUID.fullmatch(part) for part in parts):
            return parts
        self.fault(name, "Must be GUIDs, separated by commas.")
        return ()

    def https(self, name: str, *, required: bool = True, path_allowed: bool = False) -> str:
        """A URL without user, query or fragment (they may hold keys), and without a trailing slash."""
        value = self.text(name, required=required)
        if not value:
            return ""
        parts = _split(value)
        if parts is None or parts.scheme.lower() != "https" or not parts.hostname:
            return self.fault(name, "Must be a URL that begins with https://.")
        if parts.username or parts.query or parts.fragment or not (path_allowed or parts.path in ("", "/")):
            return self.fault(name, "Must be the bare address: https://host, without path, query, user or key.")
        return value.rstrip("/")

    def vault(self, name: str, suffix: str, needed_by: Sequence[str]) -> str:
        """The vault's URL; it may be missing unless settings name what lies in it (`needed_by`).

        A vault elsewhere would be handed our token: its host has to be one of the cloud.
        """
        if needed_by and not self.has(name):
            return self.fault(name, f"Missing: set it. What {' and '.join(needed_by)} means lies in that vault.")
        value = self.https(name, required=False)
        if not value:
            return ""
        parts = urlsplit(value)
        label, _, domain = (parts.hostname or "").partition(".")
        if domain != suffix or not _VAULT_NAME.fullmatch(label) or parts.port not in (None, 443):
            return self.fault(name, f"Must be https://NAME.{suffix} in this cloud (POWERBI_CLOUD).")
        return f"https://{label}.{suffix}"

    def connection_string(self, name: str) -> str:
        """A storage account's connection string; keys may travel unencrypted only within this machine."""
        value = self.text(name)
        parts = _connection_parts(value)
        if not value:
            return ""
        if "accountname" not in parts and "blobendpoint" not in parts:
            return self.fault(
                name,
                "Must be a connection string with AccountName and AccountKey. Or remove it, and set "
                f"{name}__blobServiceUri and so on to reach the account by identity.",
            )
        if any(_travels_open(address) for address in _addresses(parts)):
            return self.fault(name, "Must use https (DefaultEndpointsProtocol and every …Endpoint).")
        return value

    def storage_addresses(self, name: str, suffix: str, needed: tuple[str, ...]) -> dict[str, str]:
        """`NAME__blobServiceUri`, `…queue…`, `…table…`; what is not given follows from `NAME__accountName`."""
        account = self._account(f"{name}__accountName")
        if not account and not any(self.has(f"{name}__{service}ServiceUri") for service in needed):
            self.fault(
                name,
                "Missing: set a connection string, or "
                + ", ".join(f"{name}__{service}ServiceUri" for service in needed)
                + f", or {name}__accountName.",
            )
            return dict.fromkeys(("blob", "queue", "table"), "")
        return {
            service: self._address(f"{name}__{service}ServiceUri", account, f"{service}.{suffix}", service in needed)
            for service in ("blob", "queue", "table")
        }

    def _account(self, name: str) -> str:
        value = self.text(name, required=False)
        if value and not _ACCOUNT_NAME.fullmatch(value):
            return self.fault(name, "Must be a storage account's name: 3 to 24 lower-case letters and digits.")
        return value

    def _address(self, name: str, account: str, host: str, required: bool) -> str:
        if account and not self.has(name):
            return f"https://{account}.{host}"
        return self.https(name, required=required)

    def fault(self, name: str, message: str) -> str:
        """Note what is wrong with a setting, unless a fault of it is noted already; the value to go on with."""
        self._faults.setdefault(name, Fault(name, message))
        return ""


def _split(value: str) -> SplitResult | None:
    try:
        parts = urlsplit(value)
        _ = parts.port  # raises where it is no number
    except ValueError:
        return None
    return parts


def _connection_parts(value: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in value.split(";"))
    return {name.strip().lower(): text.strip() for name, _, text in pairs if name.strip()}


def _addresses(parts: Mapping[str, str]) -> list[str]:
    """Where the account's services are, by its connection string; the default protocol is https."""
    explicit = [
        text for name, text in parts.items() if name.endswith("endpoint") and name != "defaultendpointsprotocol"
    ]
    protocol = parts.get("defaultendpointsprotocol", "https")
    implicit = (
        []
        if all(f"{service}endpoint" in parts for service in ("blob", "queue", "table"))
        else [f"{protocol}://account"]
    )
    return explicit + implicit


def _travels_open(address: str) -> bool:
    parts = _split(address)
    return parts is None or (parts.scheme.lower() != "https" and not _is_this_machine(parts.hostname or ""))


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
