"""`secret:NAME`: a registration proves itself by a client secret that lies in Key Vault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.auth.issuer import seconds_left
from shared.times import to_text

if TYPE_CHECKING:
    from shared.auth.vault import Vault


class ClientSecret:
    """The secret `name`: read once per process, and again when Entra refuses it."""

    refused_by = frozenset({7000215, 7000222})  # it is wrong, or has expired

    def __init__(self, name: str, vault: Vault) -> None:
        self._name = name
        self._vault = vault
        self._value = ""

    def current(self, deadline: float) -> str:
        """As it was read first, or read anew since."""
        self._value = self._vault.secret(self._name, timeout=seconds_left(deadline))
        return self._value

    def renewed(self, deadline: float) -> str:
        """As it lies in the vault now."""
        self._value = self._vault.again(self._name, self._value, timeout=seconds_left(deadline))
        return self._value

    def shown(self) -> str:
        """Its name."""
        return f"secret '{self._name}' in Key Vault"

    def evidence(self) -> str:
        """Its version and its end as the vault knows it, which is not always as Entra does."""
        stored = self._vault.stored(self._name)
        ends = f"expires {to_text(stored.expires_at)}" if stored.expires_at else "no expiry date on it"
        return f"secret '{self._name}' version {stored.version}, {ends}"
