"""Who calls, and what they may do where.

Power BI has 401 and 403 the wrong way round: a token at fault is 403, a valid caller without access is 401.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from emulator.clouds import CLOUDS
from emulator.entra.tokens import TokenRefused
from emulator.http import Call, Json, Refusal
from emulator.powerbi import answers
from emulator.powerbi.state import PERSONAL, RIGHTS, SHARED, State
from emulator.powerbi.times import moment
from emulator.seed import TENANT_ID

RESOURCES = {
    f"api.{domain}": f"https://{analysis}/powerbi/api" for cloud in CLOUDS for domain, analysis in cloud.powerbi.items()
}
SERVICE_APP_ID = "00000009-0000-0000-c000-000000000000"


class Authority(Protocol):
    """Checks access tokens; raises TokenRefused."""

    def verify(self, token: str, audiences: Collection[str]) -> Json:
        """The claims of a valid token for one of the audiences."""


@dataclass(frozen=True)
class Caller:
    """A principal of the directory, perhaps acting as one of its profiles, with the claims of its token."""

    principal: Json
    claims: Json
    profile: str = ""

    @property
    def is_app(self) -> bool:
        """A service principal, rather than a person."""
        return bool(self.principal["kind"] == "App")

    @property
    def key(self) -> str:
        """How memberships name it."""
        return principal_key(self.principal, self.profile)

    @property
    def client_id(self) -> str:
        """The application that asked for the token."""
        return str(self.claims.get("appid") or self.claims.get("azp") or self.principal["clientId"])

    def has_scope(self, wanted: Collection[str]) -> bool:
        """Whether a user's token has one of the scopes; `user_impersonation` stands for all that were consented to."""
        return not {*wanted, "user_impersonation"}.isdisjoint(str(self.claims.get("scp", "")).split())


def principal_key(principal: Json, profile: str = "") -> str:
    """People are known by UPN, everyone else by object id; a profile by its own id behind its owner's."""
    key = principal["upn"].lower() if principal["kind"] == "User" else principal["id"]
    return f"{key}|{profile}" if profile else key


def audiences(host: str) -> frozenset[str]:
    """What a token for this host may name as its audience: the resource, the host itself, or the service's app id."""
    names = (RESOURCES.get(host, RESOURCES["api.powerbi.com"]), f"https://{host}")
    return frozenset(form for name in names for form in (name, f"{name}/")) | {SERVICE_APP_ID}


def authenticate(call: Call, authority: Authority, state: State) -> Caller:
    """The caller, or the refusal that the service has for a token of that kind."""
    if not call.headers.get("authorization"):
        raise answers.header_only(403)
    try:
        claims = authority.verify(call.bearer, audiences(call.host))
    except TokenRefused as refused:
        raise _token_refusal(refused.reason, state) from refused
    principal = state.principals.get(str(claims.get("oid", "")).lower())
    call.client_id = str(claims.get("appid") or claims.get("azp") or "")
    if principal is None or principal["kind"] == "Group" or claims.get("tid", TENANT_ID) != TENANT_ID:
        raise answers.header_only(403, "InvalidToken")
    if principal["kind"] == "App" and not (
        principal["allowedByTenant"] and state.switches["servicePrincipalsMayUseApis"]
    ):
        raise _tenant_refusal(state)
    return Caller(principal, claims, _profile(call, principal, state))


def _token_refusal(reason: str, state: State) -> Refusal:
    if reason != "expired":
        return answers.header_only(403, "InvalidToken")
    if state.switches["expiredToken"] == "header":
        return answers.header_only(403, "TokenExpired")
    message = "Access token has expired, resubmit with a new access token"
    return answers.invalid(message, status=403, code="TokenExpired")


def _tenant_refusal(state: State) -> Refusal:
    form = state.switches["tenantRefusal"]
    if form == "message":
        return answers.not_for_applications()
    if form == "header":
        return answers.header_only(401, "ServicePrincipalIsNotAllowedByTenantAdminSwitch")
    return answers.not_authorized()


def _profile(call: Call, principal: Json, state: State) -> str:
    """The profile that the caller acts as, if it says so; only its own."""
    wanted = call.headers.get("x-powerbi-profile-id", "").lower()
    if not wanted:
        return ""
    profile = state.profiles.get(wanted)
    if profile is None or profile["owner"] != principal["id"] or not state.switches["servicePrincipalsMayUseProfiles"]:
        raise answers.not_authorized(state.switches["unknownProfileStatus"])
    return wanted


def right_in(state: State, workspace: Json, caller: Caller, now: datetime) -> str:
    """The strongest right that the caller has in the workspace, itself or through a group; `None` without one."""
    keys = {caller.key} | (set() if caller.profile else groups_of(state, caller.principal))
    rights = [
        member["right"]
        for key, member in workspace["members"].items()
        if key in keys and _visible(state, member, caller, now)
    ]
    if workspace["created"] and now < moment(workspace["created"]) + state.lasts("workspaceAccessLag"):
        return "None"
    return max(rights, key=RIGHTS.index, default="None")


def personal_workspace(state: State, caller: Caller) -> Json:
    """The caller's "My workspace": the personal one of which it is a member, or an empty one where there is none."""
    personal = (workspace for workspace in state.workspaces.values() if workspace["type"] == PERSONAL)
    found = next((workspace for workspace in personal if caller.key in workspace["members"]), None)
    return found or state.blank("workspaces")


def new_personal_workspace(state: State, caller: Caller) -> Json:
    """The caller's "My workspace", made if there was none: something is about to be put there."""
    found = personal_workspace(state, caller)
    if found["id"] in state.workspaces:
        return found
    name, members = f"PersonalWorkspace {caller.principal['displayName']}", {caller.key: {"right": "Admin"}}
    return state.add("workspaces", {"name": name, "type": PERSONAL, "members": members})


def groups_of(state: State, principal: Json) -> set[str]:
    """Object ids of the security groups that the principal is in, directly or through other groups."""
    found: set[str] = set()
    reached = {principal["id"], principal_key(principal)}
    while True:
        more = {
            key
            for key, group in state.principals.items()
            if group["kind"] == "Group" and key not in found and not reached.isdisjoint(group["members"])
        }
        if not more:
            return found
        found |= more
        reached |= more


def _visible(state: State, member: Json, caller: Caller, now: datetime) -> bool:
    """A grant shows after the lag, or once the caller had its permissions refreshed after it."""
    if not member.get("since"):
        return True
    granted = moment(member["since"])
    if now >= granted + state.lasts("grantLag"):
        return True
    refreshed = caller.principal["permissionsRefreshed"]
    return bool(
        refreshed and moment(refreshed) >= granted and now >= moment(refreshed) + state.lasts("permissionRefreshDelay")
    )


def is_at_least(right: str, needed: str) -> bool:
    """Compare two rights in a workspace."""
    return RIGHTS.index(right) >= RIGHTS.index(needed)


def capacity_of(workspace: Json, now: datetime) -> str:
    """The capacity that the workspace is on at this moment: an assignment counts from its end on."""
    assignment = workspace["assignment"]
    if assignment and now < moment(assignment["ends"]):
        return str(assignment["previous"])
    return str(workspace["capacityId"])


def is_dedicated(workspace: Json, now: datetime) -> bool:
    """On a capacity of its own, rather than on shared capacity."""
    return capacity_of(workspace, now) != SHARED
