"""The claims of access tokens, as Entra writes them: version 1 and 2, applications and people.

https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from emulator.clouds import EmulatedCloud
from emulator.entra.tokens import encode_part, token_mark
from emulator.http import Json
from emulator.seed import TENANT_ID

_EARLIER = 300
"""Entra dates tokens back by five minutes, so that clocks which are a little behind accept them."""


@dataclass(frozen=True)
class Grant:
    """What a token is to say. `proof`: 0 public client, 1 client secret, 2 certificate or assertion."""

    cloud: EmulatedCloud
    version: int
    audience: str
    client_id: str
    proof: str
    lifetime: timedelta
    idtyp: bool = False
    roles: tuple[str, ...] = ()


def application_claims(grant: Grant, object_id: str) -> Json:
    """An app-only token of the service principal with that object id."""
    claims = {**_common(grant), "oid": object_id, "sub": object_id}
    if grant.version == 1:
        claims["idp"] = claims["iss"]
    return claims | ({"idtyp": "app"} if grant.idtyp else {})


def user_claims(grant: Grant, user: Json, scopes: str) -> Json:
    """A delegated token of that person; `scopes` separated by spaces."""
    claims = {
        **_common(grant),
        "oid": user["objectId"],
        "sub": _pairwise(user["objectId"], grant.audience),
        "scp": scopes,
        "name": user["displayName"],
    }
    if grant.version == 1:
        claims |= {"amr": ["pwd"], "upn": user["upn"], "unique_name": user["upn"], "ipaddr": "127.0.0.1"}
    else:
        claims |= {"preferred_username": user["upn"]}
    return claims | ({"idtyp": "user"} if grant.idtyp else {})


def id_claims(grant: Grant, user: Json) -> Json:
    """The ID token that comes with a delegated one: for the client itself."""
    claims = _common(grant)
    for name in ("appid", "appidacr", "azp", "azpacr", "roles"):
        claims.pop(name, None)
    return claims | {
        "aud": grant.client_id,
        "oid": user["objectId"],
        "sub": _pairwise(user["objectId"], grant.client_id),
        "name": user["displayName"],
        "preferred_username": user["upn"],
    }


def _common(grant: Grant) -> Json:
    now = int(time.time())
    first, acr = ("appid", "appidacr") if grant.version == 1 else ("azp", "azpacr")
    claims: Json = {
        "aud": grant.audience,
        "iss": issuer(grant.cloud, grant.version),
        "iat": now - _EARLIER,
        "nbf": now - _EARLIER,
        "exp": now + int(grant.lifetime.total_seconds()),
        "aio": token_mark(),
        first: grant.client_id,
        acr: grant.proof,
        "rh": f"1.{token_mark()}.",
        "tid": TENANT_ID,
        "uti": token_mark(),
        "ver": f"{grant.version}.0",
    }
    return claims | ({"roles": list(grant.roles)} if grant.roles else {})


def issuer(cloud: EmulatedCloud, version: int) -> str:
    """The `iss` of this tenant's tokens."""
    return f"{cloud.v1_issuer}{TENANT_ID}/" if version == 1 else f"{cloud.v2_issuer}{TENANT_ID}/v2.0"


def _pairwise(object_id: str, audience: str) -> str:
    """The subject of a delegated token differs from application to application."""
    return encode_part(sha256(f"{object_id} {audience}".encode()).digest())
