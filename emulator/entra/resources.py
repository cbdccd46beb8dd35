"""What a token is asked for: from `resource` or `scope` to an audience, scopes and the version of the token."""

from __future__ import annotations

from dataclasses import dataclass

from emulator.clouds import EmulatedCloud
from emulator.entra.errors import EntraRefused
from emulator.seed import ALL_ROLES, API_APP_ID, API_APP_URI

_OPENID = frozenset({"openid", "profile", "email", "offline_access"})
_DEFAULT = "/.default"
_POWERBI_SCOPES = (
    "App.Read.All",
    "Capacity.ReadWrite.All",
    "Content.Create",
    "Dashboard.Read.All",
    "Dataflow.Read.All",
    "Dataset.ReadWrite.All",
    "Pipeline.Read.All",
    "Report.ReadWrite.All",
    "Workspace.ReadWrite.All",
)
"""What the organisation's apps were consented to: all that a master user's scripts ask for, short of governing."""


@dataclass(frozen=True)
class Wanted:
    """The resource that is asked for, as the caller wrote it, and the delegated scopes."""

    resource: str
    scopes: tuple[str, ...] = (_DEFAULT,)
    openid: frozenset[str] = frozenset()

    @property
    def is_our_api(self) -> bool:
        """Is it the API of this project, by its App ID URI or its application id?"""
        return self.resource in (API_APP_URI, API_APP_ID)

    def audience(self, api_version: int) -> str:
        """The `aud` claim: version 2 names our API by its id, version 1 as the caller did."""
        return API_APP_ID if self.is_our_api and api_version == 2 else self.resource

    def delegated(self) -> str:
        """The `scp` claim: the scopes that were asked for; all that are consented where it was `.default`."""
        consented = ALL_ROLES if self.is_our_api else _POWERBI_SCOPES if "powerbi" in self.resource else ()
        return " ".join(consented if _DEFAULT in self.scopes else self.scopes) or "user_impersonation"


def from_resource(resource: str, cloud: EmulatedCloud, *, delegated: bool = False) -> Wanted:
    """Of the version 1 endpoint, which gives a user's client an ID and a refresh token unasked; raises EntraRefused."""
    return _known(Wanted(resource, openid=frozenset({"openid", "offline_access"} if delegated else ())), cloud)


def from_scope(scope: str, cloud: EmulatedCloud, *, delegated: bool) -> Wanted:
    """Of the version 2 endpoint; without a user only `<resource>/.default` will do. Raises EntraRefused.

    Published clients ask for `offline_access` without a user too (pbicli on npm): there it comes to nothing.
    """
    asked = scope.split()
    named = [part for part in asked if part not in _OPENID]
    if not named:
        raise EntraRefused(70011, scope)
    split = [_split(part, scope, delegated=delegated) for part in named]
    if len({resource for resource, _ in split}) > 1:
        raise EntraRefused(28000, scope)
    scopes = tuple(name for _, name in split)
    openid = _OPENID.intersection(asked) if delegated else frozenset[str]()
    return _known(Wanted(split[0][0], scopes, openid), cloud)


def _split(part: str, scope: str, *, delegated: bool) -> tuple[str, str]:
    if part.endswith(_DEFAULT):
        return part.removesuffix(_DEFAULT), _DEFAULT
    resource, slash, name = part.rpartition("/")
    if not delegated or not slash or not resource.rstrip("/") or not name:
        raise EntraRefused(70011, scope)
    return resource, name


def _known(wanted: Wanted, cloud: EmulatedCloud) -> Wanted:
    """Refuse a resource that this cloud does not have, and a scope that our API does not expose."""
    if wanted.resource.rstrip("/") not in (API_APP_URI, API_APP_ID, *cloud.resources()):
        raise EntraRefused(500011, wanted.resource)
    normal = Wanted(wanted.resource.rstrip("/"), wanted.scopes, wanted.openid)
    unknown = set(normal.scopes) - {_DEFAULT, *ALL_ROLES} if normal.is_our_api else set()
    if unknown:
        raise EntraRefused(70011, " ".join(sorted(unknown)))
    return normal
