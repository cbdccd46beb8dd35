"""`managedIdentity`: the identity at Power BI is a managed identity, and needs no registration and no proof."""

from __future__ import annotations

from azure.core.credentials import AccessToken, TokenCredential

from shared.auth.issuer import Issued
from shared.auth.managed_identity import token_for
from shared.settings import IdentitySettings, identity_setting
from shared.times import Now


class ManagedIdentityTokens:
    """Tokens of the managed identity that `identity` is, for Power BI.

    Azure keeps them for up to a day, so a new one may be the old one; that is why embed tokens are not made with them.
    """

    def __init__(self, identity: IdentitySettings, credential: TokenCredential, resource: str, now: Now) -> None:
        self._client_id = identity.client_id
        self._setting = identity_setting(identity.name, "CLIENT_ID")
        self._credential = credential
        self._resource = resource
        self._now = now

    def issue(self, deadline: float) -> Issued:  # noqa: ARG002 - the endpoint's own time-outs are as short
        """What the platform gives, be it from its cache."""
        token = self._token()
        return Issued(token.token, int(token.expires_on - self._now().timestamp()))

    def evidence(self) -> str:
        """That there is such an identity."""
        self._token()
        return f"the managed identity {self._client_id} itself; nothing is stored"

    def _token(self) -> AccessToken:
        return token_for(self._credential, self._resource, f"act as {self._client_id} at Power BI", self._setting)
