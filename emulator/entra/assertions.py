"""Client assertions: a JWT in place of a client secret, signed with a certificate or issued by a trusted identity.

https://learn.microsoft.com/entra/identity-platform/certificate-credentials
https://learn.microsoft.com/entra/workload-id/workload-identity-federation
"""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from emulator.clouds import EXCHANGE_APP_ID, EmulatedCloud
from emulator.entra.errors import EntraRefused
from emulator.entra.tokens import TokenAuthority, TokenRefused, encode_part, read_unverified
from emulator.http import Json

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_LEEWAY = 300
_PADDINGS = {
    "RS256": padding.PKCS1v15(),
    "PS256": padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.DIGEST_LENGTH),
}


def check_assertion(
    application: Json, assertion: str, authority: TokenAuthority, cloud: EmulatedCloud, audiences: Collection[str]
) -> None:
    """Raises EntraRefused unless the assertion proves that the caller is this application.

    `audiences`: what a certificate's assertion may be addressed to (the token endpoint, or the issuer).
    """
    try:
        _, claims, _, _ = read_unverified(assertion)
    except TokenRefused:
        raise EntraRefused(50027) from None
    if claims.get("iss") == application["clientId"] or claims.get("sub") == application["clientId"]:
        _check_certificate(application, assertion, audiences)
    else:
        _check_federated(application, assertion, claims, authority, cloud)


def _check_certificate(application: Json, assertion: str, audiences: Collection[str]) -> None:
    header, claims, signed, signature = read_unverified(assertion)
    certificate = _registered(application, header)
    if header.get("alg") not in _PADDINGS:
        raise EntraRefused(700027, f"The algorithm '{header.get('alg')}' is not supported.")
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise EntraRefused(700027, "The key is not an RSA key.")
    try:
        key.verify(signature, signed, _PADDINGS[header["alg"]], hashes.SHA256())
    except InvalidSignature:
        raise EntraRefused(700027, "The key was found, but use of the key to verify the signature failed.") from None
    if not certificate.not_valid_before_utc <= datetime.now(UTC) <= certificate.not_valid_after_utc:
        raise EntraRefused(700027, "The key used is expired.")
    if claims.get("iss") != claims.get("sub") or claims.get("sub") != application["clientId"]:
        raise EntraRefused(700021)
    if claims.get("aud") not in audiences:
        raise EntraRefused(700023)
    _check_times(claims)


def _registered(application: Json, header: Json) -> x509.Certificate:
    """The application's certificate that the header names by its thumbprint."""
    named = header.get("x5t#S256") or header.get("x5t") or ""
    for pem in application["certificates"].values():
        certificate = x509.load_pem_x509_certificate(pem.encode())
        thumbprints = (certificate.fingerprint(algorithm) for algorithm in (hashes.SHA1(), hashes.SHA256()))
        if str(named).rstrip("=") in {encode_part(thumbprint) for thumbprint in thumbprints}:
            return certificate
    raise EntraRefused(700027, f"The key was not found. Thumbprint of key used by client: '{named}'.")


def _check_times(claims: Json) -> None:
    now = time.time()
    begins, ends = claims.get("nbf", now), claims.get("exp")
    if isinstance(ends, int | float) and begins - _LEEWAY <= now < ends + _LEEWAY:
        return
    raise EntraRefused(
        700024,
        f"Current time: {_moment(now)}, assertion valid from {_moment(begins)}, expiry time of assertion "
        f"{_moment(ends)}.",
    )


def _check_federated(
    application: Json, assertion: str, claims: Json, authority: TokenAuthority, cloud: EmulatedCloud
) -> None:
    registered = list(application["federatedCredentials"].values())
    if not registered:
        raise EntraRefused(70025, application["clientId"])
    by_issuer = [one for one in registered if one["issuer"] == claims.get("iss")]
    if not by_issuer:
        raise EntraRefused(700211, claims.get("iss"))
    try:
        authority.verify_signature(assertion)
    except TokenRefused:
        raise EntraRefused(700027, "The key was found, but use of the key to verify the signature failed.") from None
    by_subject = [one for one in by_issuer if one["subject"] == claims.get("sub")]
    if not by_subject:
        raise EntraRefused(700213, claims.get("sub"))
    if not any(_addressed(claims, one["audience"], cloud) for one in by_subject):
        raise EntraRefused(700212, claims.get("aud"))
    if "scp" in claims:
        raise EntraRefused(700229)
    _check_times(claims)


def _addressed(claims: Json, audience: str, cloud: EmulatedCloud) -> bool:
    """A token asked for the exchange audience names the application behind it, in place of the audience's URI."""
    same = EXCHANGE_APP_ID if audience == cloud.exchange_audience else audience
    return claims.get("aud") in (audience, same)


def _moment(seconds: object) -> str:
    if not isinstance(seconds, int | float):
        return "unknown"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "Z"
