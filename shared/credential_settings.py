"""The settings `POWERBI_…_CREDENTIAL`: how each of the app's identities proves to Entra ID who it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from shared.setting_reader import SettingReader

Kind = Literal["federated", "certificate", "secret", "managedIdentity"]

_STORED: tuple[Kind, ...] = ("certificate", "secret")
_VAULT_NAME = re.compile(r"[A-Za-z0-9-]{1,127}")
_KINDS: Mapping[str, Kind] = MappingProxyType(
    {"federated": "federated", "certificate": "certificate", "secret": "secret", "managedidentity": "managedIdentity"}
)
_CHOICES = "Must be federated, certificate:NAME, secret:NAME or managedIdentity; NAME is a name in Key Vault."
_NOT_FOR_EMBED = (
    "managedIdentity is refused for this identity: Azure hands out a managed identity's tokens from a cache, with "
    "whatever life is left, and an embed token dies with the token it was made with. Use federated."
)
_NO_PASSWORDS = (
    "masterUser is not supported: a person's password can't satisfy multi-factor authentication, and whoever signs in "
    "as a person may see what row-level security should hide. Use federated."
)


@dataclass(frozen=True)
class CredentialSettings:
    """How one identity proves itself.

    `federated`: the app's managed identity vouches for the registration, nothing is stored. `certificate`, `secret`:
    what Key Vault holds under `vault_name`. `managedIdentity`: the identity is a managed identity itself.
    """

    kind: Kind
    vault_name: str = ""
    """The secret, or the certificate with its key, in Key Vault; empty for the kinds that store nothing."""


def read_credential(reader: SettingReader, name: str, *, mints_tokens: bool) -> CredentialSettings:
    """The setting `name`, or one that stores nothing after noting the fault. `mints_tokens`: for embed tokens."""
    value = reader.text(name)
    word, _, rest = (part.strip() for part in value.partition(":"))
    kind = _KINDS.get(word.lower(), "federated")
    fault = _fault(word.lower(), rest, mints_tokens=mints_tokens) if value else ""
    if fault:
        reader.fault(name, fault)
    return CredentialSettings(kind, rest) if value and not fault else CredentialSettings("federated")


def _fault(word: str, rest: str, *, mints_tokens: bool) -> str:
    kind = _KINDS.get(word)
    if kind in _STORED and not _VAULT_NAME.fullmatch(rest):
        return f"Must be {kind}:NAME, where NAME is the name of a {kind} in Key Vault (not its value)."
    if kind == "managedIdentity" and mints_tokens:
        return _NOT_FOR_EMBED
    if word == "masteruser":
        return _NO_PASSWORDS
    return "" if kind in _STORED or (kind is not None and not rest) else _CHOICES
