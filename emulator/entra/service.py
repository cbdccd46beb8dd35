"""Microsoft Entra ID: token endpoints of both versions, discovery, and the tenant's keys."""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import time
from binascii import Error as NotBase64
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import unquote

from emulator.clouds import CLOUDS, EXCHANGE_APP_ID, EmulatedCloud, cloud_of_login
from emulator.entra.assertions import ASSERTION_TYPE, check_assertion
from emulator.entra.claims import Grant, application_claims, id_claims, issuer, user_claims
from emulator.entra.directory import Directory
from emulator.entra.discovery import DISCOVERY_ROUTES, Discovery
from emulator.entra.errors import EntraRefused
from emulator.entra.resources import Wanted, from_resource, from_scope
from emulator.entra.tokens import TokenAuthority, encode_part
from emulator.http import Answer, Call, Json, Service
from emulator.seed import MANAGED_IDENTITY_CLIENT_ID, MANAGED_IDENTITY_OBJECT_ID, TENANT_DOMAIN, TENANT_ID

TENANT_NAMES = frozenset({TENANT_ID, TENANT_DOMAIN, "contoso.onmicrosoft.com"})
_TENANTLESS = frozenset({"common", "organizations", "consumers"})
_MOST_REFRESH_TOKENS = 1000


class Entra(Service):
    """Answers for the login hosts of all clouds; the one tenant exists in each of them."""

    hosts = tuple(host for cloud in CLOUDS for host in cloud.login_hosts)

    def __init__(self, authority: TokenAuthority, directory: Directory) -> None:
        super().__init__()
        self.authority = authority
        self.directory = directory
        self._refresh_tokens: dict[str, tuple[str, str]] = {}
        discovery = Discovery(authority, TENANT_NAMES | _TENANTLESS)
        for version, path in ((1, "/{tenant}/oauth2/token"), (2, "/{tenant}/oauth2/v2.0/token")):
            for slash in ("", "/"):
                self.router.add("POST", path + slash, self._token_handler(version))
        for path, handler in DISCOVERY_ROUTES:
            self.router.add("GET", path, self._discovery_handler(discovery, handler))

    def finish(self, call: Call, answer: Answer) -> Answer:
        """Nothing that Entra says about tokens may be kept."""
        answer.headers.setdefault("x-ms-request-id", call.request_id)
        if call.method == "POST":
            answer.headers |= {"Cache-Control": "no-store, no-cache", "Pragma": "no-cache", "Expires": "-1"}
        if call.headers.get("return-client-request-id", "").lower() == "true" and "client-request-id" in call.headers:
            answer.headers["client-request-id"] = call.headers["client-request-id"]
        return answer

    def reset(self) -> None:
        """Directory, keys and refresh tokens back to the start."""
        self.directory.reset()
        self.authority.reset()
        self._refresh_tokens.clear()

    def managed_identity_token(self, resource: str, cloud: EmulatedCloud) -> tuple[str, Json]:
        """A token of the managed identity, and its claims; raises EntraRefused for a resource that is not known."""
        version, audience = 1, resource
        if resource.rstrip("/") in (cloud.exchange_audience, EXCHANGE_APP_ID):
            version, audience = 2, EXCHANGE_APP_ID
        elif (wanted := from_resource(resource, cloud)).is_our_api:
            version, audience = self._api_version, wanted.audience(self._api_version)
        lifetime, idtyp = self.directory.managed_identity_lifetime(), bool(self.directory.switches["idtyp"])
        grant = Grant(cloud, version, audience, MANAGED_IDENTITY_CLIENT_ID, "2", lifetime, idtyp)
        claims = application_claims(grant, MANAGED_IDENTITY_OBJECT_ID)
        return self.authority.issue(claims), claims

    @property
    def _api_version(self) -> int:
        return int(self.directory.switches["accessTokenAcceptedVersion"])

    def _token_handler(self, version: int) -> Callable[[Call], Answer]:
        def handle(call: Call) -> Answer:
            try:
                return self._token(call, version)
            except EntraRefused as refused:
                raise refused.refusal(call, self.directory.switches["entraErrorStatus"]) from None

        return handle

    def _discovery_handler(
        self, discovery: Discovery, handler: Callable[[Discovery, Call], Answer]
    ) -> Callable[[Call], Answer]:
        def handle(call: Call) -> Answer:
            try:
                return handler(discovery, call)
            except EntraRefused as refused:
                raise refused.refusal(call, self.directory.switches["entraErrorStatus"]) from None

        return handle

    def _token(self, call: Call, version: int) -> Answer:
        cloud, form = cloud_of_login(call.host), _form(call)
        kind = _needed(form, "grant_type")
        tenant = call.parameters["tenant"].lower()
        if tenant not in TENANT_NAMES | _TENANTLESS:
            raise EntraRefused(90002, tenant)
        if tenant in _TENANTLESS and kind == "client_credentials":
            raise EntraRefused(50059)
        if kind not in ("client_credentials", "password", "refresh_token"):
            raise EntraRefused(70003, kind)
        call.client_id = _needed(form, "client_id")
        application = self._application(call.client_id)
        proof = self._authenticate(call, form, application, cloud, confidential=kind == "client_credentials")
        delegated = kind != "client_credentials"
        wanted = (
            from_resource(_needed(form, "resource"), cloud, delegated=delegated)
            if version == 1
            else from_scope(_needed(form, "scope"), cloud, delegated=delegated)
        )
        if delegated:
            user = self._refreshed(form, application) if kind == "refresh_token" else self._signed_in(form, wanted)
            body = self._for_user(application, user, self._grant(cloud, wanted, application, proof), wanted)
            body |= _client_info(user) if form.get("client_info") == "1" else {}
        else:
            body = self._for_application(application, self._grant(cloud, wanted, application, proof), wanted)
        return Answer(200, body if version == 2 else _as_version_1(body, wanted))

    def _grant(self, cloud: EmulatedCloud, wanted: Wanted, application: Json, proof: str) -> Grant:
        version = self._api_version if wanted.is_our_api else 1
        return Grant(
            cloud,
            version,
            wanted.audience(version),
            application["clientId"],
            proof,
            self.directory.lifetime(),
            idtyp=bool(self.directory.switches["idtyp"]),
        )

    def _application(self, client_id: str) -> Json:
        application = self.directory.application(client_id)
        if application is None:
            raise EntraRefused(700016, client_id)
        if not application["servicePrincipal"]:
            raise EntraRefused(7000229, client_id, TENANT_ID)
        return application

    def _authenticate(
        self, call: Call, form: dict[str, str], application: Json, cloud: EmulatedCloud, *, confidential: bool
    ) -> str:
        """How the client proved who it is, as the `appidacr` claim says it."""
        if application["public"] and ("client_secret" in form or "client_assertion" in form):
            raise EntraRefused(700025)
        if "client_assertion" in form:
            if form.get("client_assertion_type") != ASSERTION_TYPE:
                raise EntraRefused(900144, "client_assertion_type")
            endpoint = f"https://{call.host}{unquote(call.path)}".rstrip("/")
            audiences = {endpoint, *(issuer(cloud, version) for version in (1, 2)), *self._endpoints(call)}
            check_assertion(application, form["client_assertion"], self.authority, cloud, audiences)
            return "2"
        if "client_secret" in form:
            _check_secret(application, form["client_secret"])
            return "1"
        if confidential:
            raise EntraRefused(7000216)
        if not (application["public"] or application["publicFlows"]):
            raise EntraRefused(7000218)
        return "0"

    @staticmethod
    def _endpoints(call: Call) -> set[str]:
        names = {call.parameters["tenant"], TENANT_ID}
        return {f"https://{call.host}/{name}/oauth2{v2}/token" for name in names for v2 in ("", "/v2.0")}

    def _signed_in(self, form: dict[str, str], wanted: Wanted) -> Json:
        username, password = _needed(form, "username"), _needed(form, "password")
        user = self.directory.user(username)
        if user is None:
            raise EntraRefused(50034, username)
        if user["locked"]:
            raise EntraRefused(50053)
        if not hmac.compare_digest(user["password"].encode(), password.encode()):
            raise EntraRefused(50126)
        if not user["enabled"]:
            raise EntraRefused(50057)
        if user["mfaRequired"]:
            raise EntraRefused(50076, wanted.resource)
        return user

    def _refreshed(self, form: dict[str, str], application: Json) -> Json:
        upn, client_id = self._refresh_tokens.get(_needed(form, "refresh_token"), ("", ""))
        user = self.directory.user(upn) if client_id == application["clientId"] else None
        if user is None or not user["enabled"]:
            raise EntraRefused(70008)
        return user

    def _for_application(self, application: Json, grant: Grant, wanted: Wanted) -> Json:
        if wanted.is_our_api:
            grant = replace(grant, roles=tuple(application["roles"]))
        return self._answer(grant, application_claims(grant, application["objectId"]))

    def _for_user(self, application: Json, user: Json, grant: Grant, wanted: Wanted) -> Json:
        if wanted.is_our_api:
            grant = replace(grant, roles=tuple(user["roles"]))
        scopes = wanted.delegated()
        body = self._answer(grant, user_claims(grant, user, scopes))
        body["scope"] = " ".join(f"{wanted.resource}/{name}" for name in scopes.split())
        if "offline_access" in wanted.openid:
            body["refresh_token"] = self._new_refresh_token(user["upn"], application["clientId"])
        if "openid" in wanted.openid:
            body["id_token"] = self.authority.issue(id_claims(grant, user))
        return body

    def _answer(self, grant: Grant, claims: Json) -> Json:
        lasts = max(1, int(grant.lifetime.total_seconds()) - 1)
        return {
            "token_type": "Bearer",
            "expires_in": lasts,
            "ext_expires_in": lasts,
            "access_token": self.authority.issue(claims),
        }

    def _new_refresh_token(self, upn: str, client_id: str) -> str:
        while len(self._refresh_tokens) >= _MOST_REFRESH_TOKENS:
            del self._refresh_tokens[next(iter(self._refresh_tokens))]
        token = f"1.{secrets.token_urlsafe(64)}"
        self._refresh_tokens[token] = (upn, client_id)
        return token


def _as_version_1(body: Json, wanted: Wanted) -> Json:
    """The version 1 endpoint writes its numbers as texts, and repeats the resource."""
    now = int(time.time())
    times = {"expires_on": str(now + body["expires_in"] + 1), "not_before": str(now - 300)}
    texts = {name: str(body[name]) for name in ("expires_in", "ext_expires_in")}
    return {**body, **texts, **times, "resource": wanted.resource}


def _client_info(user: Json) -> Json:
    """What MSAL asks for, to tell accounts apart."""
    return {"client_info": encode_part(json.dumps({"uid": user["objectId"], "utid": TENANT_ID}).encode())}


def _needed(form: dict[str, str], name: str) -> str:
    if not form.get(name):
        raise EntraRefused(900144, name)
    return form[name]


def _form(call: Call) -> dict[str, str]:
    """The posted form; client id and secret may stand in the Authorization header instead (RFC 6749, 2.3.1)."""
    try:
        form = call.form()
    except ValueError:
        raise EntraRefused(900144, "grant_type") from None
    scheme, _, value = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            client_id, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
        except (NotBase64, ValueError):
            raise EntraRefused(7000218) from None
        form = {"client_id": unquote(client_id), "client_secret": unquote(secret), **form}
    return form


def _check_secret(application: Json, presented: str) -> None:
    """Any of the secrets will do; one that is right but expired is told apart from one that is wrong."""
    for secret in application["secrets"].values():
        if hmac.compare_digest(secret["value"].encode(), presented.encode()):
            expires = secret.get("expires")
            if expires and datetime.fromisoformat(expires) <= datetime.now(UTC):
                raise EntraRefused(7000222, application["clientId"])
            return
    raise EntraRefused(7000215, application["clientId"])
