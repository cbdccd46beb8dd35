"""The app's managed identity: what this app is in Azure, without any secret of its own."""

from __future__ import annotations

import re

from azure.core.credentials import AccessToken, TokenCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.identity import ManagedIdentityCredential

from shared import telemetry
from shared.errors import Evidence, Misconfigured, Retryable, Unavailable

OPERATION = "managedIdentity.token"
SETTING = "MANAGED_IDENTITY_CLIENT_ID"
"""Where the client id of the app's own managed identity stands."""
_PASSING = re.compile(r"\(\w+\) (?:429|5\d\d),")
_LONGEST_MESSAGE = 500


def managed_identity(client_id: str) -> TokenCredential:
    """The user-assigned identity with this client id; one per process, for it keeps its tokens.

    The platform's endpoint is on the same machine and answers within milliseconds, so that waiting long for it makes
    nothing better. Statuses are not retried here: a `Retry-After` would put the thread to sleep.
    """
    return ManagedIdentityCredential(
        client_id=client_id,
        retry_total=1,
        retry_connect=1,
        retry_read=1,
        retry_status=0,
        connection_timeout=2,
        read_timeout=4,
    )


def token_for(credential: TokenCredential, resource: str, purpose: str, setting: str = SETTING) -> AccessToken:
    """The managed identity's token for `resource`, from its cache or new; within eight seconds or so.

    Raises `Misconfigured` or `Unavailable`; `purpose` says what for, as in "no managed identity to …", and `setting`
    where its client id stands.
    """
    with telemetry.timed(OPERATION, target=resource) as line:
        try:
            token = credential.get_token(f"{resource}/.default")
        except AzureError as error:
            raise explain(error, purpose, setting) from error
        line["expiresOn"] = token.expires_on
        return token


def explain(error: AzureError, purpose: str, setting: str = SETTING) -> Retryable:
    """The error of ours for one of the credential's.

    The platform's endpoint tells a refusal by the status that it writes into its answer, which the credential repeats
    in its message: 429 and 5xx pass; everything else means that there is no such identity here.
    """
    evidence = Evidence(OPERATION, code=type(error).__name__, message=telemetry.redact(str(error)[:_LONGEST_MESSAGE]))
    if isinstance(error, ClientAuthenticationError) and not _PASSING.search(str(error)):
        detail = (
            f"There is no managed identity to {purpose}: assign the identity whose client id {setting} holds to this "
            "app. (Right after it was assigned this passes by itself.)"
        )
        return Misconfigured(detail, retry_after=30.0, evidence=evidence)
    detail = f"The managed identity's endpoint did not give a token to {purpose}. It is tried again by itself."
    return Unavailable(detail, evidence=evidence)
