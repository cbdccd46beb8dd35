"""Who calls us: access tokens that Entra ID issued for this API, verified here and nowhere else."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Literal, Protocol

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWS
from jwt.exceptions import PyJWTError

from shared.auth.bearer import ALGORITHM, Claims, Token, parse
from shared.errors import NotAllowed, Unauthenticated
from shared.settings import CallerSettings
from shared.times import Now

LEEWAY = timedelta(minutes=2)

Kind = Literal["application", "delegated"]


@dataclass(frozen=True)
class Caller:
    """A verified caller: an application for itself, or for a user (`delegated`).

    Ids are in lower case; `client_id` is the calling application's and `object_id` the user's or, for an application,
    its service principal's. `roles` are roles of our API assigned to the user or the application.
    """

    kind: Kind
    client_id: str
    tenant_id: str
    object_id: str
    roles: frozenset[str]
    scopes: frozenset[str]
    claims: Mapping[str, object] = field(repr=False)


class Keys(Protocol):
    """Where the signing keys come from: `SigningKeys`."""

    def key(self, tenant: str, key_id: str) -> RSAPublicKey | None: ...


class Callers:
    """Verifies the bearer tokens of our callers against the accepted audiences and tenants."""

    def __init__(self, settings: CallerSettings, keys: Keys, now: Now) -> None:
        self._tenants = frozenset(tenant.lower() for tenant in settings.tenants)
        self._audiences = frozenset(_audience(text) for text in settings.audiences)
        self._issuers = settings.cloud.token_issuers
        self._keys = keys
        self._now = now
        self._signatures = PyJWS(algorithms=[ALGORITHM])

    def verify(self, authorization: str | None, role: str) -> Caller:
        """The caller behind an `Authorization` header, if it has the app role `role`.

        Raises `Unauthenticated` (what is wrong with the token), `NotAllowed` (which role or scope is missing), or
        `Unavailable` where Entra's keys can't be had.
        """
        token = parse(authorization)
        tenant = self._issuing_tenant(token.claims)
        self._check_signature(token, tenant)
        self._check_audience(token.claims)
        self._check_times(token.claims)
        caller = _caller(token.claims, tenant)
        _check_role(caller, role)
        return caller

    def _issuing_tenant(self, claims: Claims) -> str:
        """The tenant that the token claims to come from: it decides whose keys must have signed it."""
        tenant = claims.text("tid").lower()
        if tenant not in self._tenants:
            raise Unauthenticated("The token was issued by a tenant whose tokens are not accepted here.")
        version = _version(claims)
        if claims.text("iss") not in self._issuers(tenant) or claims.text("iss").endswith("/v2.0") != (version == 2):
            raise Unauthenticated("The token's issuer is not the one of its tenant and version.")
        return tenant

    def _check_signature(self, token: Token, tenant: str) -> None:
        key = self._keys.key(tenant, token.key_id)
        if key is None:
            raise Unauthenticated("The token is signed with a key that its tenant does not publish.")
        try:
            self._signatures.decode(token.text, key, algorithms=[ALGORITHM])
        except PyJWTError:
            raise Unauthenticated("The token's signature does not verify.") from None

    def _check_audience(self, claims: Claims) -> None:
        if _audience(claims.text("aud")) not in self._audiences:
            wanted = " or ".join(sorted(self._audiences))
            raise Unauthenticated(f"The token is for another audience; ask for one for {wanted} (scope …/.default).")

    def _check_times(self, claims: Claims) -> None:
        now = self._now().timestamp()
        leeway = LEEWAY.total_seconds()
        if claims.time("exp") + leeway <= now:
            raise Unauthenticated("The token has expired; get a new one.")
        if claims.time("nbf") - leeway > now or claims.time("iat") - leeway > now:
            raise Unauthenticated("The token is not valid yet; set the clock right.")


def _audience(text: str) -> str:
    """Comparable form: a GUID in lower case (v2 tokens carry the client id), an App ID URI as it is."""
    return text if ":" in text else text.lower()


def _version(claims: Claims) -> int:
    version = claims.text("ver")
    if version not in {"1.0", "2.0"}:
        raise Unauthenticated("The token is not an Entra ID access token of version 1.0 or 2.0.")
    return int(version[0])


def _caller(claims: Claims, tenant: str) -> Caller:
    return Caller(
        kind=_kind(claims),
        client_id=claims.text("azp" if _version(claims) == 2 else "appid").lower(),
        tenant_id=tenant,
        object_id=claims.text("oid").lower(),
        roles=claims.texts("roles"),
        scopes=frozenset(claims.text("scp", "").split(" ")) - {""},
        claims=MappingProxyType(dict(claims.all)),
    )


def _kind(claims: Claims) -> Kind:
    """An application's own token is marked as such or, where that optional claim is not configured, has the service
    principal as its subject. So a user's token without scopes, or an id token, is never taken for an application's.
    """
    mark = claims.text("idtyp", "")
    if "scp" in claims.all:
        if mark == "app":
            raise Unauthenticated("The token says that it is an application's own, and carries a user's scopes.")
        return "delegated"
    if mark == "app" or (not mark and claims.text("sub") == claims.text("oid")):
        return "application"
    raise Unauthenticated("The token is neither an application's own nor one with scopes of this API.")


def _check_role(caller: Caller, role: str) -> None:
    missing = _missing(caller, role)
    if missing:
        raise NotAllowed(f"This needs {' and '.join(missing)}.")


def _missing(caller: Caller, role: str) -> Collection[str]:
    if caller.kind == "application":
        return [] if role in caller.roles else [f"the app role '{role}' assigned to application {caller.client_id}"]
    scope = [] if role in caller.scopes else [f"the scope '{role}' in the token of application {caller.client_id}"]
    return scope + ([] if role in caller.roles else [f"the app role '{role}' assigned to the user"])
