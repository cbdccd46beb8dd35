"""Certificates with their keys, made when a test asks for one."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Made:
    """A self-signed certificate."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate

    @cached_property
    def private_pem(self) -> str:
        """Its key."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    @cached_property
    def public_pem(self) -> str:
        """The certificate alone, as it is uploaded to a registration."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def pem(self) -> str:
        """Both, as Key Vault gives them out."""
        return self.private_pem + self.public_pem

    def pfx(self, password: bytes = b"") -> str:
        """Both, in Key Vault's other form: PKCS#12 in base64."""
        locked: KeySerializationEncryption = BestAvailableEncryption(password) if password else NoEncryption()
        return base64.b64encode(
            pkcs12.serialize_key_and_certificates(b"automation", self.key, self.certificate, None, locked)
        ).decode()

    @property
    def thumbprint(self) -> str:
        """As the portal shows it."""
        return self.certificate.fingerprint(hashes.SHA1()).hex().upper()


def make_certificate(begins_days: int = -60, ends_days: int = 30) -> Made:
    """One whose time begins and ends so many days from now."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "automation")])
    now = datetime.now(UTC)
    built = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    built = built.not_valid_before(now + timedelta(days=begins_days)).not_valid_after(now + timedelta(days=ends_days))
    return Made(key, built.sign(key, hashes.SHA256()))
