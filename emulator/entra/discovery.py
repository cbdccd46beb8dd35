"""Entra's documents for clients that find their way: OpenID configuration, keys, instances, user realms."""

from __future__ import annotations

from collections.abc import Callable, Collection
from urllib.parse import urlsplit

from emulator.clouds import CLOUDS, EmulatedCloud, cloud_of_login
from emulator.entra.claims import issuer
from emulator.entra.errors import EntraRefused
from emulator.entra.tokens import TokenAuthority
from emulator.http import Answer, Call, Json
from emulator.seed import TENANT_DOMAIN, TENANT_ID

_TENANTLESS_ISSUER = "{tenantid}"


class Discovery:
    """The documents; `tenants` are the names under which a tenant may be asked for."""

    def __init__(self, authority: TokenAuthority, tenants: Collection[str]) -> None:
        self._authority = authority
        self._tenants = tenants

    def openid_v1(self, call: Call) -> Answer:
        """Metadata of version 1."""
        return Answer(200, self._openid(call, 1))

    def openid_v2(self, call: Call) -> Answer:
        """Metadata of version 2."""
        return Answer(200, self._openid(call, 2))

    def keys(self, call: Call) -> Answer:
        """The JWKS document, the same for every tenant."""
        self._tenant(call)
        return Answer(200, self._authority.published(issuer(cloud_of_login(call.host), 2)))

    def instances(self, call: Call) -> Answer:
        """Which hosts are one and the same cloud."""
        wanted = urlsplit(call.query.get("authorization_endpoint", ""))
        known = {host for cloud in CLOUDS for host in cloud.login_hosts}
        if wanted.hostname not in known:
            raise EntraRefused(50049)
        tenant = wanted.path.strip("/").partition("/")[0] or "common"
        return Answer(
            200,
            {
                "tenant_discovery_endpoint": f"https://{wanted.hostname}/{tenant}/v2.0/.well-known/openid-configuration",
                "api-version": "1.1",
                "metadata": [_instance(cloud) for cloud in CLOUDS],
            },
        )

    def user_realm(self, call: Call) -> Answer:
        """Where a user signs in: here, or nowhere that we know."""
        user = call.parameters["user"]
        cloud = cloud_of_login(call.host)
        realm: Json = {
            "ver": "1.0",
            "account_type": "Managed" if user.lower().endswith(f"@{TENANT_DOMAIN}") else "Unknown",
            "domain_name": user.rpartition("@")[2],
            "cloud_instance_name": cloud.login_hosts[0].partition(".")[2],
            "cloud_audience_urn": "urn:federation:MicrosoftOnline",
        }
        return Answer(200, realm)

    def _tenant(self, call: Call) -> str:
        tenant = call.parameters.get("tenant", "common").lower()
        if tenant not in self._tenants:
            raise EntraRefused(90002, tenant)
        return tenant

    def _openid(self, call: Call, version: int) -> Json:
        tenant, cloud = self._tenant(call), cloud_of_login(call.host)
        own = tenant not in ("common", "organizations", "consumers")
        name = TENANT_ID if own else tenant
        base, v2 = f"https://{call.host}/{name}", "/v2.0" if version == 2 else ""
        issued_by = issuer(cloud, version)
        return {
            "token_endpoint": f"{base}/oauth2{v2}/token",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "jwks_uri": f"{base if own else f'https://{call.host}/common'}/discovery{v2}/keys",
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "issuer": issued_by if own else issued_by.replace(TENANT_ID, _TENANTLESS_ISSUER),
            "authorization_endpoint": f"{base}/oauth2{v2}/authorize",
            "device_authorization_endpoint": f"{base}/oauth2{v2}/devicecode",
            "end_session_endpoint": f"{base}/oauth2{v2}/logout",
            "tenant_region_scope": "EU" if own else None,
            "cloud_instance_name": cloud.login_hosts[0].partition(".")[2],
        }


def _instance(cloud: EmulatedCloud) -> Json:
    first = str(urlsplit(cloud.v2_issuer).hostname)
    return {
        "preferred_network": first,
        "preferred_cache": cloud.login_hosts[1] if cloud.name == "public" else first,
        "aliases": list(cloud.login_hosts),
    }


DISCOVERY_ROUTES: tuple[tuple[str, Callable[[Discovery, Call], Answer]], ...] = (
    ("/common/discovery/instance", Discovery.instances),
    ("/common/userrealm/{user}", Discovery.user_realm),
    ("/{tenant}/.well-known/openid-configuration", Discovery.openid_v1),
    ("/{tenant}/v2.0/.well-known/openid-configuration", Discovery.openid_v2),
    ("/{tenant}/discovery/keys", Discovery.keys),
    ("/{tenant}/discovery/v2.0/keys", Discovery.keys),
)
