"""`certificate:NAME`: a registration proves itself by signing with a certificate's key that lies in Key Vault."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from shared import telemetry
from shared.auth.credentials.certificate_forms import Certificate, Unusable, read_certificate
from shared.auth.issuer import seconds_left
from shared.errors import Misconfigured
from shared.times import Now, to_text

if TYPE_CHECKING:
    from shared.auth.vault import Vault


class ClientCertificate:
    """The certificate `name`: read once per process, and again when it can't be used, or when Entra refuses it.

    Key Vault gives a certificate with its key out as the secret of the same name, so the right to read secrets is all
    that is needed.
    """

    # not registered or not verified, the assertion's time, the certificate's time (two codes), revoked (two codes)
    refused_by = frozenset({700027, 700024, 1000502, 7000274, 7000214, 7000277})

    def __init__(self, name: str, vault: Vault, now: Now) -> None:
        self._name = name
        self._vault = vault
        self._now = now
        self._text = ""
        self._read: Certificate | None = None

    def current(self, deadline: float) -> Mapping[str, str]:
        """As it was read first; one that can't be used is looked for anew before anybody is told."""
        self._text = self._vault.secret(self._name, timeout=seconds_left(deadline))
        try:
            return self._usable(self._text)
        except Misconfigured:
            return self.renewed(deadline)

    def renewed(self, deadline: float) -> Mapping[str, str]:
        """As it lies in the vault now. Raises `Misconfigured` where that can't be used either."""
        self._text = self._vault.again(self._name, self._text, timeout=seconds_left(deadline))
        return self._usable(self._text)

    def shown(self) -> str:
        """Its name and the thumbprint by which the portal lists it."""
        thumbprint = f" (thumbprint {self._read.thumbprint})" if self._read else ""
        return f"certificate '{self._name}' in Key Vault{thumbprint}"

    def evidence(self) -> str:
        """Its version, thumbprint and end."""
        stored = self._vault.stored(self._name)
        certificate = self._checked(stored.value)
        return (
            f"certificate '{self._name}' version {stored.version}, thumbprint {certificate.thumbprint}, "
            f"expires {to_text(certificate.ends_at)}"
        )

    def _usable(self, text: str) -> Mapping[str, str]:
        self._read = self._checked(text)
        return {"private_key": self._read.private_key, "public_certificate": self._read.chain}

    def _checked(self, text: str) -> Certificate:
        try:
            certificate = read_certificate(text)
        except Unusable as reason:
            detail = f"Certificate '{self._name}' in Key Vault {reason}: store it again, with its private key."
            raise Misconfigured(detail) from None
        telemetry.keep_secret(certificate.private_key)
        if not certificate.valid(self._now()):
            times = f"{to_text(certificate.begins_at)} to {to_text(certificate.ends_at)}"
            raise Misconfigured(
                f"Certificate '{self._name}' in Key Vault is valid from {times} only: renew it there, and upload the "
                "new one to the app registration. A restart is not needed."
            )
        return certificate
