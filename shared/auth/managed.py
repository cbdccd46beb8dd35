"""The managed identity under which the app reads Key Vault and storage."""

from __future__ import annotations

from azure.core.credentials import TokenCredential
from azure.identity import ManagedIdentityCredential


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
