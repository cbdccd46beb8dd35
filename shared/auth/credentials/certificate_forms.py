"""A certificate with its private key, in the forms in which Key Vault hands it out. Pure."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    pkcs12,
)


class Unusable(ValueError):
    """Why this is no certificate with which one could sign; in words that end a sentence."""


@dataclass(frozen=True)
class Certificate:
    """A certificate and its RSA key."""

    private_key: str = field(repr=False)
    """PEM, not encrypted."""
    chain: str = field(repr=False)
    """PEM: the certificate of the key, then those that came with it."""
    thumbprint: str
    """SHA-1 in upper-case hexadecimal, as the portal shows it."""
    begins_at: datetime
    ends_at: datetime

    def valid(self, now: datetime) -> bool:
        """Whether its time has begun and is not over."""
        return self.begins_at <= now < self.ends_at


def read_certificate(text: str) -> Certificate:
    """Of a PEM text, or of PKCS#12 in base64: what Key Vault gives out as the secret of a certificate.

    Raises `Unusable`: not of these forms, protected by a password, no key, or a key that is not RSA.
    """
    key, certificates = _from_pem(text) if "-----BEGIN " in text else _from_pkcs12(text)
    if not isinstance(key, RSAPrivateKey):
        raise Unusable("has a key that is not RSA, which Entra ID does not take")
    own = next((each for each in certificates if _public(each) == _public(key)), None)
    if own is None:
        raise Unusable("holds no certificate of its private key")
    chain = [own, *(each for each in certificates if each is not own)]
    return Certificate(
        private_key=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        chain="".join(each.public_bytes(Encoding.PEM).decode() for each in chain),
        thumbprint=own.fingerprint(hashes.SHA1()).hex().upper(),  # noqa: S303 - a name, not a proof
        begins_at=own.not_valid_before_utc,
        ends_at=own.not_valid_after_utc,
    )


def _from_pem(text: str) -> tuple[object, list[x509.Certificate]]:
    raw = text.encode()
    try:
        return load_pem_private_key(raw, None), x509.load_pem_x509_certificates(raw)
    except TypeError:
        raise Unusable("is protected by a password") from None
    except ValueError:
        raise Unusable("holds no private key and certificate in PEM that could be read") from None


def _from_pkcs12(text: str) -> tuple[object, list[x509.Certificate]]:
    try:
        key, own, others = pkcs12.load_key_and_certificates(base64.b64decode(text), None)
    except ValueError:
        raise Unusable("is neither PEM nor PKCS#12 in base64 without a password") from None
    return key, [*([own] if own else []), *others]


def _public(holder: x509.Certificate | RSAPrivateKey) -> bytes:
    return holder.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
