"""Access tokens as callers send them, right and wrong, and the door at which they are verified."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from shared.auth.callers import Caller, Callers
from shared.errors import Unauthenticated
from shared.settings import CLOUDS, CallerSettings

TENANT = "0b7c3f1e-5f5b-4d6f-8a53-31a8a4d3c001"
SECOND_TENANT = "0b7c3f1e-5f5b-4d6f-8a53-31a8a4d3c002"
STRANGE_TENANT = "0b7c3f1e-5f5b-4d6f-8a53-31a8a4d3c003"
API = "5d1f0a52-52a1-4d2c-9c6e-9b6a4a1be001"
API_URI = "api://powerbi-automation"
CLIENT = "5d1f0a52-52a1-4d2c-9c6e-9b6a4a1be002"
PRINCIPAL = "5d1f0a52-52a1-4d2c-9c6e-9b6a4a1be003"
USER = "5d1f0a52-52a1-4d2c-9c6e-9b6a4a1be004"
NOW = datetime(2026, 11, 3, 9, 30, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
ROLE = "Embed.Issue"

Json = dict[str, Any]

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
STRANGE_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class OneKey:
    """The tenants publish one key; it counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def key(self, tenant: str, key_id: str) -> rsa.RSAPublicKey | None:
        self.asked += 1
        return KEY.public_key() if tenant in {TENANT, SECOND_TENANT} and key_id == "key-1" else None


def encoded(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def rs256(signed: bytes) -> bytes:
    return KEY.sign(signed, padding.PKCS1v15(), hashes.SHA256())


def token(claims: Json, header: Json | None = None, sign: Callable[[bytes], bytes] = rs256) -> str:
    full = {"typ": "JWT", "alg": "RS256", "kid": "key-1", **(header or {})}
    signed = f"{encoded({name: value for name, value in full.items() if value is not None})}.{encoded(claims)}"
    return f"{signed}.{encoded(sign(signed.encode()))}"


def of_application(**changes: object) -> Json:
    """The claims of an app-only v2 token; None takes a claim away."""
    claims = {
        "aud": API,
        "iss": f"https://login.microsoftonline.com/{TENANT}/v2.0",
        "iat": SECONDS - 300,
        "nbf": SECONDS - 300,
        "exp": SECONDS + 3600,
        "azp": CLIENT,
        "azpacr": "1",
        "oid": PRINCIPAL,
        "sub": PRINCIPAL,
        "tid": TENANT,
        "ver": "2.0",
        "roles": [ROLE],
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not None}


def of_application_v1(**changes: object) -> Json:
    first = {"aud": API_URI, "iss": f"https://sts.windows.net/{TENANT}/", "appid": CLIENT, "azp": None, "ver": "1.0"}
    return of_application(**{**first, **changes})


def of_user(**changes: object) -> Json:
    return of_application(**{"oid": USER, "sub": "pairwise", "scp": f"openid {ROLE}", **changes})


def door(keys: OneKey | None = None, now: datetime = NOW) -> Callers:
    """It lets callers of two tenants in."""
    settings = CallerSettings(frozenset({API_URI, API}), frozenset({TENANT, SECOND_TENANT}), CLOUDS["public"])
    return Callers(settings, keys or OneKey(), lambda: now)


def verify(sent: str, role: str = ROLE, now: datetime = NOW, keys: OneKey | None = None) -> Caller:
    """The caller who sent this token."""
    return door(keys, now).verify(f"Bearer {sent}", role)


def accepted(sent: str, now: datetime = NOW) -> bool:
    """Whether its sender is let in."""
    try:
        verify(sent, now=now)
    except Unauthenticated:
        return False
    return True
