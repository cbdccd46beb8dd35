"""Who gets the tokens of each identity: the one place that knows which kinds of credentials there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from shared.auth.client_credentials import ClientCredentials, Credential
from shared.auth.credentials.certificate import ClientCertificate
from shared.auth.credentials.federated import FederatedAssertion
from shared.auth.credentials.managed_identity_tokens import ManagedIdentityTokens
from shared.auth.credentials.secret import ClientSecret
from shared.auth.issuer import Issuer
from shared.auth.managed_identity import managed_identity
from shared.settings import IdentitySettings, Settings
from shared.times import Now

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from shared.auth.vault import Vault


class Issuers:
    """Makes the issuer of each identity of `settings`. Vault and managed identity are asked for where one needs them.

    `own` is the managed identity of the app (`MANAGED_IDENTITY_CLIENT_ID`).
    """

    def __init__(
        self, settings: Settings, vault: Callable[[], Vault], own: Callable[[], TokenCredential], now: Now
    ) -> None:
        self._settings = settings
        self._vault = vault
        self._own = own
        self._now = now

    def by_name(self) -> dict[str, Issuer]:
        """The issuers by the names of their identities."""
        return {name: self._issuer(identity) for name, identity in self._settings.identities.items()}

    def _issuer(self, identity: IdentitySettings) -> Issuer:
        if identity.credential.kind == "managedIdentity":
            resource = self._settings.cloud.powerbi_resource
            credential = managed_identity(identity.client_id)
            return ManagedIdentityTokens(identity, credential, resource, self._now)
        return ClientCredentials(self._settings, identity, self._credential(identity), self._now)

    def _credential(self, identity: IdentitySettings) -> Credential:
        name = identity.credential.vault_name
        match identity.credential.kind:
            case "secret":
                return ClientSecret(name, self._vault())
            case "certificate":
                return ClientCertificate(name, self._vault(), self._now)
            case _:
                return FederatedAssertion(self._own(), self._settings.cloud.exchange_audience, identity.client_id)
