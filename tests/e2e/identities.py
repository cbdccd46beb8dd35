"""The token side of the app as wiring builds it, with settings and a clock of the test's choosing."""

from __future__ import annotations

from shared.auth.credentials.kinds import Issuers
from shared.auth.managed_identity import managed_identity
from shared.auth.tokens import AppTokens
from shared.auth.vault import Vault
from shared.settings import Settings
from shared.times import Now, utc_now


class Identities:
    """Its managed identity, its vault and its tokens."""

    def __init__(self, settings: Settings, now: Now = utc_now) -> None:
        self.own = managed_identity(settings.managed_identity_client_id)
        self.vault = Vault(settings.key_vault_url, lambda: self.own)
        self.tokens = AppTokens(Issuers(settings, lambda: self.vault, lambda: self.own, now).by_name(), now)
