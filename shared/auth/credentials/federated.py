"""`federated`: the app's managed identity vouches for a registration, so that there is nothing to store or to rotate.

https://learn.microsoft.com/entra/workload-id/workload-identity-federation-config-app-trust-managed-identity
"""

from __future__ import annotations

from collections.abc import Mapping

from azure.core.credentials import TokenCredential

from shared.auth.managed_identity import token_for
from shared.auth.own_identity import own_claims


class FederatedAssertion:
    """The managed identity's token for `audience`, as the client assertion of a registration.

    It lives for up to a day and is kept by the credential. MSAL asks for it at each token request, and is given the one
    that was got just before, outside of MSAL: so a failure of the managed identity is told as such.
    """

    refused_by: frozenset[int] = frozenset()  # what Entra refuses is its federated credential: no other token helps

    def __init__(self, credential: TokenCredential, audience: str, client_id: str) -> None:
        self._credential = credential
        self._audience = audience
        self._client_id = client_id
        self._assertion = ""
        self._for_msal = {"client_assertion": lambda: self._assertion}

    def current(self, deadline: float) -> Mapping[str, object]:  # noqa: ARG002 - the endpoint's own time-outs are short
        """The same at each call, and then with a token that is good."""
        self._assertion = self._token()
        return self._for_msal

    def renewed(self, deadline: float) -> Mapping[str, object]:
        """There is no other."""
        return self.current(deadline)

    def shown(self) -> str:
        """What a federated credential on the registration has to say."""
        return self._shown(self._assertion)

    def evidence(self) -> str:
        """The same, looked at now."""
        return f"federated: the managed identity vouches with {self._shown(self._token())}; nothing is stored"

    def _token(self) -> str:
        return token_for(self._credential, self._audience, f"vouch for application {self._client_id}").token

    def _shown(self, assertion: str) -> str:
        claims = own_claims(assertion)
        issuer, subject = (str(claims.get(name, "unknown")) for name in ("iss", "sub"))
        return f"issuer {issuer}, subject {subject} and audience {self._audience}"
