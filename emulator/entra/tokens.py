"""The tenant's signing keys: issues access tokens, verifies them, and publishes the keys."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from emulator.http import Json

Reason = Literal["missing", "malformed", "signature", "audience", "expired"]
Sign = Literal["right", "wrongKey", "none", "hs256"]


class TokenRefused(Exception):
    """A token that is not to be trusted, and why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


def encode_part(raw: bytes) -> str:
    """base64url without padding, as JOSE writes it."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode_part(text: str) -> bytes:
    """The reverse; raises ValueError."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def read_unverified(token: str) -> tuple[Json, Json, bytes, bytes]:
    """Header, claims, what was signed, and the signature; raises TokenRefused where it is no JWT."""
    try:
        header, claims, signature = token.split(".")
        parsed = json.loads(decode_part(header)), json.loads(decode_part(claims))
        decoded = decode_part(signature)
    except ValueError:
        raise TokenRefused("malformed") from None
    if not all(isinstance(part, dict) for part in parsed):
        raise TokenRefused("malformed")
    return *parsed, f"{header}.{claims}".encode(), decoded


@dataclass(frozen=True)
class SigningKey:
    """An RSA key with the self-signed certificate that Entra publishes for it."""

    private: rsa.RSAPrivateKey
    certificate: bytes
    """DER."""

    @classmethod
    def make(cls) -> SigningKey:
        """A new one."""
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "accounts.accesscontrol.windows.net")])
        now = datetime.now(UTC)
        built = x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
        built = built.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1825))
        certificate = built.sign(private, hashes.SHA256())
        return cls(private, certificate.public_bytes(serialization.Encoding.DER))

    @property
    def kid(self) -> str:
        """The key's name: the thumbprint of its certificate."""
        return encode_part(hashlib.sha1(self.certificate, usedforsecurity=False).digest())

    def jwk(self, issuer: str) -> Json:
        """The public half, as JWKS documents of Entra give it."""
        numbers = self.private.public_key().public_numbers()
        return {
            "kty": "RSA",
            "use": "sig",
            "kid": self.kid,
            "x5t": self.kid,
            "n": encode_part(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")),
            "e": encode_part(numbers.e.to_bytes(3, "big")),
            "x5c": [base64.b64encode(self.certificate).decode()],
            "cloud_instance_name": "microsoftonline.com",
            "issuer": issuer,
        }

    def verifies(self, signed: bytes, signature: bytes) -> bool:
        """Was this signed with our private half?"""
        try:
            self.private.public_key().verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True

    def public_pem(self) -> bytes:
        """The public half as PEM."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.private.public_key().public_bytes(serialization.Encoding.PEM, form)


class TokenAuthority:
    """Issues and verifies the tenant's tokens. All emulated services trust this one."""

    def __init__(self) -> None:
        self._at_start = [SigningKey.make(), SigningKey.make()]
        self._keys = list(self._at_start)
        self._stranger: SigningKey | None = None

    def issue(self, claims: Json, *, sign: Sign = "right", header: Mapping[str, Any] | None = None) -> str:
        """A JWT with these claims.

        `sign` other than `right` makes what an attacker would send: `wrongKey` names our key but is signed with
        another, `none` is not signed, `hs256` is signed with our public key as if it were a shared secret.
        `header` is merged into the header, null removes.
        """
        key = self._keys[0]
        algorithm = {"right": "RS256", "wrongKey": "RS256", "none": "none", "hs256": "HS256"}[sign]
        full: Json = {"typ": "JWT", "alg": algorithm, "x5t": key.kid, "kid": key.kid}
        if claims.get("ver") == "2.0":
            del full["x5t"]
        full = {name: value for name, value in {**full, **(header or {})}.items() if value is not None}
        signed = f"{encode_part(_compact(full))}.{encode_part(_compact(claims))}"
        return f"{signed}.{encode_part(self._signature(signed.encode(), sign))}"

    def verify(self, token: str, audiences: Collection[str]) -> Json:
        """The claims of a token for one of `audiences` (a slash at the end is ignored); raises TokenRefused."""
        if not token:
            raise TokenRefused("missing")
        claims = self.verify_signature(token)
        accepted = {audience.rstrip("/") for audience in audiences}
        if str(claims.get("aud", "")).rstrip("/") not in accepted:
            raise TokenRefused("audience")
        now = time.time()
        if not isinstance(claims.get("exp"), int | float) or claims["exp"] <= now or claims.get("nbf", 0) > now:
            raise TokenRefused("expired")
        return claims

    def verify_signature(self, token: str) -> Json:
        """The claims of any token of this tenant, whatever its audience and times; raises TokenRefused."""
        header, claims, signed, signature = read_unverified(token)
        key = next((key for key in self._keys if key.kid == header.get("kid")), None)
        if header.get("alg") != "RS256" or key is None or not key.verifies(signed, signature):
            raise TokenRefused("signature")
        return claims

    def published(self, issuer: str) -> Json:
        """The JWKS document."""
        return {"keys": [key.jwk(issuer) for key in self._keys]}

    def rotate(self, *, keep_old: bool = True) -> None:
        """Sign with a new key from now on; without `keep_old`, tokens of the old ones are no longer good."""
        self._keys = [SigningKey.make(), *(self._keys if keep_old else [])]

    def reset(self) -> None:
        """Back to the keys of the start."""
        self._keys = list(self._at_start)

    def _signature(self, signed: bytes, sign: Sign) -> bytes:
        if sign == "none":
            return b""
        if sign == "hs256":
            return hmac.digest(self._keys[0].public_pem(), signed, "sha256")
        return self._signer(sign).private.sign(signed, padding.PKCS1v15(), hashes.SHA256())

    def _signer(self, sign: Sign) -> SigningKey:
        if sign == "right":
            return self._keys[0]
        self._stranger = self._stranger or SigningKey.make()
        return self._stranger


def _compact(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def token_mark() -> str:
    """A random value such as tokens carry in `uti`."""
    return encode_part(uuid.uuid4().bytes)
