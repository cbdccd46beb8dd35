"""Key Vault: secrets with their versions, the challenge, and who may read.

https://learn.microsoft.com/rest/api/keyvault/secrets
"""

from __future__ import annotations

import time

from emulator import seed
from emulator.clouds import CLOUDS, EmulatedCloud
from emulator.entra.tokens import TokenAuthority, TokenRefused
from emulator.http import Answer, Call, Json, Refusal, Service
from emulator.keyvault.store import Secret, SecretStore

_BAD_TOKENS = {
    "missing": "AKV10000: Request is missing a Bearer or PoP token.",
    "malformed": "AKV10001: Jwt token failed validation.",
    "signature": "AKV10032: Invalid issuer or signature of the token.",
    "audience": "AKV10022: Invalid audience. Expected {resource}, found another.",
    "expired": "AKV10002: The token is expired or not yet valid.",
}
_ACTIONS = {"GET": "getSecret", "PUT": "setSecret", "PATCH": "updateSecret"}


class KeyVault(Service):
    """The one vault, under its name in each cloud."""

    hosts = tuple(cloud.vault_host for cloud in CLOUDS)

    def __init__(self, authority: TokenAuthority, store: SecretStore) -> None:
        super().__init__()
        self._authority = authority
        self._store = store
        for slash in ("", "/"):
            self.router.add("GET", "/secrets" + slash, self._list)
            self.router.add("GET", "/secrets/{name}" + slash, self._get)
            self.router.add("GET", "/secrets/{name}/versions" + slash, self._versions)
            self.router.add("GET", "/secrets/{name}/{version}" + slash, self._get)
            self.router.add("PUT", "/secrets/{name}" + slash, self._set)
            self.router.add("PATCH", "/secrets/{name}" + slash, self._update)
            self.router.add("PATCH", "/secrets/{name}/{version}" + slash, self._update)

    def handle(self, call: Call) -> Answer:
        """The challenge comes before anything else, the role before the secret is looked for."""
        try:
            self._authorize(call)
        except Refusal as refusal:
            return self.finish(call, refusal.answer)
        return super().handle(call)

    def finish(self, call: Call, answer: Answer) -> Answer:
        """Headers of every answer of a vault."""
        answer.headers |= {"Cache-Control": "no-cache", "x-ms-request-id": call.request_id}
        answer.headers |= {"x-ms-keyvault-region": "westeurope", "x-ms-keyvault-service-version": "1.9.2000.1"}
        return answer

    def _authorize(self, call: Call) -> None:
        cloud = next(one for one in CLOUDS if one.vault_host == call.host)
        try:
            claims = self._authority.verify(call.bearer, {cloud.vault_resource})
        except TokenRefused as refused:
            raise Refusal(_challenge(cloud, refused.reason)) from None
        call.client_id = str(claims.get("appid", ""))
        if "api-version" not in call.query:
            raise Refusal(_error(400, "BadParameter", "api-version must be specified"))
        role = self._store.roles.get(str(claims.get("oid", "")))
        if role is None or (role == "reader" and call.method != "GET"):
            raise Refusal(_forbidden_by_role(call, claims))

    def _get(self, call: Call) -> Answer:
        secret = self._find(call)
        if not secret.enabled:
            inner = {"innererror": {"code": "SecretDisabled"}}
            return _error(403, "Forbidden", "Operation get is not allowed on a disabled secret.", inner)
        return Answer(200, {"value": secret.value, **_bundle(call, secret)})

    def _list(self, call: Call) -> Answer:
        newest = (versions[-1] for versions in self._store.secrets.values())
        return Answer(200, {"value": [_item(call, secret, with_version=False) for secret in newest], "nextLink": None})

    def _versions(self, call: Call) -> Answer:
        versions = self._store.secrets.get(call.parameters["name"].lower(), [])
        return Answer(200, {"value": [_item(call, secret) for secret in versions], "nextLink": None})

    def _set(self, call: Call) -> Answer:
        body = _body(call)
        if not isinstance(body.get("value"), str):
            return _error(400, "BadParameter", "The parameter value is missing")
        secret = self._store.put(call.parameters["name"], body["value"])
        _apply(secret, body)
        return Answer(200, {"value": secret.value, **_bundle(call, secret)})

    def _update(self, call: Call) -> Answer:
        secret = self._find(call)
        _apply(secret, _body(call))
        return Answer(200, _bundle(call, secret))

    def _find(self, call: Call) -> Secret:
        secret = self._store.find(call.parameters["name"], call.parameters.get("version", ""))
        if secret is not None:
            return secret
        message = (
            f"A secret with (name/id) {'/'.join(call.parameters.values())} was not found in this key vault. If you "
            "recently deleted this secret you may be able to recover it using the correct recovery command. For help "
            "resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182"
        )
        raise Refusal(_error(404, "SecretNotFound", message))


def _body(call: Call) -> Json:
    try:
        body = call.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refusal(_error(400, "BadParameter", "The request body is not valid JSON"))
    return body


def _apply(secret: Secret, body: Json) -> None:
    attributes = body.get("attributes") or {}
    secret.updated = int(time.time())
    secret.enabled = bool(attributes.get("enabled", secret.enabled))
    secret.expires = attributes.get("exp", secret.expires)
    secret.not_before = attributes.get("nbf", secret.not_before)
    secret.content_type = body.get("contentType", secret.content_type)
    secret.tags = body.get("tags", secret.tags)


def _attributes(secret: Secret) -> Json:
    times = {"nbf": secret.not_before, "exp": secret.expires}
    fixed = {"created": secret.created, "updated": secret.updated, "recoveryLevel": "Recoverable+Purgeable"}
    known = {name: value for name, value in times.items() if value is not None}
    return {"enabled": secret.enabled, **known, **fixed, "recoverableDays": 90}


def _bundle(call: Call, secret: Secret) -> Json:
    more = {"contentType": secret.content_type, "tags": secret.tags}
    return {
        "id": f"https://{call.host}/secrets/{secret.name}/{secret.version}",
        "attributes": _attributes(secret),
        **{name: value for name, value in more.items() if value},
    }


def _item(call: Call, secret: Secret, *, with_version: bool = True) -> Json:
    item = _bundle(call, secret)
    return item if with_version else item | {"id": item["id"].rpartition("/")[0]}


def _challenge(cloud: EmulatedCloud, reason: str) -> Answer:
    where = f'authorization="https://{cloud.login_hosts[0]}/{seed.TENANT_ID}", resource="{cloud.vault_resource}"'
    error = "" if reason == "missing" else ', error="invalid_token"'
    answer = _error(401, "Unauthorized", _BAD_TOKENS[reason].format(resource=cloud.vault_resource))
    answer.headers["WWW-Authenticate"] = f"Bearer {where}{error}"
    return answer


def _forbidden_by_role(call: Call, claims: Json) -> Answer:
    action = f"Microsoft.KeyVault/vaults/secrets/{_ACTIONS.get(call.method, 'readMetadata')}/action"
    message = (
        "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role "
        "definitions were changed recently, please observe propagation time.\r\n"
        f"Caller: appid={claims.get('appid')};oid={claims.get('oid')};iss={claims.get('iss')}\r\n"
        f"Action: '{action}'\r\nAssignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: null \r\n"
        f"Vault: {seed.KEY_VAULT_NAME};location=westeurope\r\n"
    )
    return _error(403, "Forbidden", message, {"innererror": {"code": "ForbiddenByRbac"}})


def _error(status: int, code: str, message: str, inner: Json | None = None) -> Answer:
    return Answer(status, {"error": {"code": code, "message": message, **(inner or {})}})
