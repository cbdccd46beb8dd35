"""The token side of the app, through the real clients of Entra, Key Vault and managed identity; and what it asked."""

from __future__ import annotations

import os
from datetime import datetime, timedelta

import pytest

from shared.auth.tokens import CALL_FLOOR
from shared.errors import Retryable
from shared.settings import Settings
from shared.times import utc_now
from tests.cloud import Cloud
from tests.e2e.identities import Identities
from tests.seeded import ENTRA
from tests.waiting import eventually

VAULT = ".vault.azure.net"
TOKEN_PATH = "oauth2/v2.0/token"
SECRET = "powerbi-embed-secret"
MINTING = timedelta(minutes=50)
"""Least life of a token with which embed tokens are made."""


class TokenStage:
    """The identities of the app, with a clock that can be moved; `settings` replace those of the emulated cloud."""

    def __init__(self, cloud: Cloud, **settings: str) -> None:
        self.cloud = cloud
        self.later = timedelta(0)
        self.settings = Settings.from_env({**os.environ, **settings})
        self.identities = Identities(self.settings, self.now)
        self.vault, self.tokens = self.identities.vault, self.identities.tokens

    def now(self) -> datetime:
        """The real time, and as much later as the test says."""
        return utc_now() + self.later

    def refusal(self, identity: str = "embed", floor: timedelta = CALL_FLOOR) -> Retryable:
        """Why there is no token."""
        with pytest.raises(Retryable) as refused:
            self.tokens.token(identity, floor=floor)
        return refused.value

    def client_id(self, identity: str) -> str:
        """The registration's."""
        return self.settings.identities[identity].client_id

    def token_requests(self) -> int:
        """How often Entra was asked."""
        return len(self.cloud.calls(host=ENTRA, path=TOKEN_PATH, method="POST"))

    def await_token_requests(self, number: int) -> None:
        """Until another thread has asked so often."""
        eventually(lambda: self.token_requests() >= number, patience=10)

    def vault_reads(self, name: str = SECRET) -> int:
        """How often the vault was asked, without the request that only brings its challenge."""
        return len([call for call in self.cloud.calls(host=VAULT, path=name) if call["status"] != 401])
