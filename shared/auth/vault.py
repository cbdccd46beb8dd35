"""Secrets from Key Vault: each read once per process, and again only when somebody refused it.

Key Vault gives a certificate with its private key out as a secret too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError
from azure.keyvault.secrets import KeyVaultSecret, SecretClient

from shared import telemetry
from shared.auth import vault_errors
from shared.errors import Misconfigured
from shared.flight import FlightCache
from shared.times import to_text

READ_SECONDS = 10.0
"""A read ends within about this time, one retry of a lost connection included."""


@dataclass(frozen=True)
class Stored:
    """A secret as it lies in the vault; `version` is its beginning, which is enough to know it by."""

    value: str = field(repr=False)
    version: str
    expires_at: datetime | None


class Vault:
    """The Key Vault at `url`, read with the credential that `credential` gives (asked for at the first read).

    Every method raises `Misconfigured` with what to do (no such secret, disabled, no right, firewall), `Throttled` or
    `Unavailable`. Values are known to `telemetry.redact` from the moment they are read.
    """

    def __init__(self, url: str, credential: Callable[[], TokenCredential]) -> None:
        self._url = url.rstrip("/")
        self._credential = credential
        self._client: SecretClient | None = None
        self._making = threading.Lock()
        self._kept: FlightCache[str, str] = FlightCache("a secret from Key Vault", entries=64)

    def secret(self, name: str, *, timeout: float = READ_SECONDS) -> str:
        """The value, read once per process and kept."""
        return self._kept.get(name, lambda: self._value(name, timeout))

    def again(self, name: str, refused: str, *, timeout: float = READ_SECONDS) -> str:
        """The value after `refused` was refused: read anew, unless another thread has replaced it already."""
        return self._kept.get(name, lambda: self._value(name, timeout), fresh=lambda value: value != refused)

    def stored(self, name: str) -> Stored:
        """As it lies there now, whatever is kept."""
        secret = self._read(name, READ_SECONDS)
        return Stored(self._checked(secret), (secret.properties.version or "unknown")[:8], secret.properties.expires_on)

    def _value(self, name: str, timeout: float) -> str:
        return self._checked(self._read(name, timeout))

    def _checked(self, secret: KeyVaultSecret) -> str:
        """Its value. A line with white space around it is never meant; a certificate has several lines."""
        value = secret.value or ""
        if not value.strip() or (value != value.strip() and "\n" not in value.strip()):
            raise Misconfigured(
                f"Secret '{secret.name}' in {self._url} is empty, or begins or ends with white space, which is never "
                "meant (a file with a newline at its end, as a rule): store it again without."
            )
        return value

    def _read(self, name: str, timeout: float) -> KeyVaultSecret:
        with telemetry.timed(vault_errors.OPERATION, target=name) as line:
            secret = self._get(name, timeout)
            if secret.value:
                telemetry.keep_secret(secret.value)
            line["version"] = secret.properties.version
            line["expiresAt"] = secret.properties.expires_on
            if secret.properties.expires_on:  # an alert looks for those whose end is near
                line["expiresAt"] = to_text(secret.properties.expires_on)
            return secret

    def _get(self, name: str, timeout: float) -> KeyVaultSecret:
        try:
            return self._connected().get_secret(
                name,
                timeout=timeout,
                connection_timeout=min(2.0, timeout),
                read_timeout=min(4.0, timeout),
            )
        except AzureError as error:
            raise vault_errors.explain(error, name=name, vault=self._url) from error
        except ValueError as error:
            raise vault_errors.mismatch(error, vault=self._url) from error

    def _connected(self) -> SecretClient:
        with self._making:
            if self._client is None:
                self._client = SecretClient(
                    self._url,
                    self._credential(),
                    retry_total=1,
                    retry_connect=1,
                    retry_read=1,
                    retry_status=0,
                    retry_backoff_factor=0.2,
                )
            return self._client
