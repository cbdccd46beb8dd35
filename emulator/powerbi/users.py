"""Who has which right in a workspace: list, add, update, remove; and the call that ends the lag of new grants."""

from __future__ import annotations

from emulator.http import Answer, Json
from emulator.powerbi import answers
from emulator.powerbi.access import is_at_least, principal_key
from emulator.powerbi.operation import Operation, Visit, both, writing
from emulator.powerbi.state import RIGHTS, State
from emulator.powerbi.times import stored

_GROUP_USER: Json = {
    "groupUserAccessRight": RIGHTS,
    "identifier": "string",
    "emailAddress": "string",
    "displayName": "string",
    "graphId": "string",
    "userType": "string",
    "principalType": ("None", "User", "Group", "App"),
    "profile": {"id": "string", "displayName": "string"},
}
_PAGE = 5000


def rendered(state: State, key: str, right: str) -> Json:
    """A GroupUser: people by their address, everyone else by object id."""
    identifier, _, profile_id = key.partition("|")
    principal = find(state, identifier)
    kind = principal["kind"] if principal else "User"
    shown: Json = {"groupUserAccessRight": right, "identifier": identifier, "principalType": kind}
    if principal:
        shown["displayName"] = principal["displayName"]
    if kind == "User":
        shown["emailAddress"] = identifier
    if profile_id:
        shown["profile"] = {"id": profile_id, "displayName": state.profiles.get(profile_id, {}).get("displayName", "")}
    return shown


def members_of(state: State, workspace: Json) -> list[Json]:
    """All GroupUsers of a workspace."""
    return [rendered(state, key, member["right"]) for key, member in workspace["members"].items()]


def list_users(visit: Visit) -> Answer:
    """What was granted, whether or not the ones who got it notice yet."""
    users = members_of(visit.state, visit.workspace())
    return answers.listing("users", visit.page(users, _PAGE))


def add_user(visit: Visit) -> Answer:
    """A principal that has no right of its own yet; Admins may grant anything, Members up to Member."""
    workspace = visit.workspace("Member")
    right = _right(visit)
    key = _key_of_body(visit)
    _check_rank(visit, workspace, right)
    if key in workspace["members"]:
        raise answers.domain(400, "AddingAlreadyExistsGroupUserNotSupportedError")
    workspace["members"][key] = {"right": right, "since": stored(visit.now)}
    return answers.done()


def update_user(visit: Visit) -> Answer:
    """Another right for a principal that has one."""
    workspace = visit.workspace("Member")
    right = _right(visit)
    key = _key_of_body(visit)
    member = workspace["members"].get(key)
    if member is None:
        raise answers.not_found()
    _check_rank(visit, workspace, right)
    _check_rank(visit, workspace, member["right"])
    workspace["members"][key] = {"right": right, "since": stored(visit.now)}
    return answers.done()


def remove_user(visit: Visit) -> Answer:
    """The path names a person by address, anyone else by object id; a profile by the query as well."""
    workspace = visit.workspace("Admin")
    principal = find(visit.state, visit.parameter("user"))
    identifier = principal_key(principal) if principal else visit.parameter("user")
    profile_id = visit.call.query.get("profileId", "").lower()
    if workspace["members"].pop(f"{identifier}|{profile_id}" if profile_id else identifier, None) is None:
        raise answers.not_found()
    return answers.done()


def refresh_permissions(visit: Visit) -> Answer:
    """Grants that were made until now show after a while, however long they would lag otherwise."""
    visit.caller.principal["permissionsRefreshed"] = stored(visit.now)
    return answers.done()


def _right(visit: Visit) -> str:
    right = str(visit.body.get("groupUserAccessRight", "None"))
    if right == "None":
        raise answers.invalid("Parameter userDetails.GroupUserAccessRight is missing or invalid")
    return right


def _check_rank(visit: Visit, workspace: Json, right: str) -> None:
    """Nobody hands out, or takes away, more than they have."""
    if not is_at_least(visit.right(workspace), right):
        raise answers.not_authorized(visit.switch("insufficientRoleStatus"))


def _key_of_body(visit: Visit) -> str:
    """The principal that the body means. Apps are known by their service principal's object id, not by client id."""
    body = visit.body
    address = body.get("emailAddress", "")
    kind = body.get("principalType", "User" if address else "None")
    identifier = body.get("identifier") or (address if kind == "User" else "")
    if kind == "None":
        raise answers.invalid("Parameter userDetails.PrincipalType is missing or invalid")
    if kind == "User" and "@" not in identifier and find(visit.state, identifier) is None:
        raise answers.invalid("Parameter userDetails.UserEmailAddress is missing or invalid")
    principal = find(visit.state, identifier)
    if principal is None or principal["kind"] != kind:
        raise answers.invalid(
            "Parameter userDetails.Identifier is missing or invalid", status=visit.switch("unknownPrincipalStatus")
        )
    return principal_key(principal, _profile_of_body(visit, principal))


def _profile_of_body(visit: Visit, principal: Json) -> str:
    wanted = str(visit.body.get("profile", {}).get("id", "")).lower()
    if wanted and visit.state.profiles.get(wanted, {}).get("owner") != principal["id"]:
        raise answers.invalid("Parameter userDetails.Profile is missing or invalid")
    return wanted


def find(state: State, identifier: str) -> Json | None:
    """The principal of that object id or address."""
    wanted = identifier.lower()
    by_address = (person for person in state.principals.values() if person["upn"] and person["upn"].lower() == wanted)
    return state.principals.get(wanted) or next(by_address, None)


_USERS = "/groups/{groupId}/users"
OPERATIONS = (
    Operation("GET", _USERS, list_users, both("Workspace")),
    Operation("POST", _USERS, add_user, writing("Workspace"), _GROUP_USER),
    Operation("PUT", _USERS, update_user, writing("Workspace"), _GROUP_USER),
    Operation("DELETE", _USERS + "/{user}", remove_user, writing("Workspace")),
    Operation("POST", "/RefreshUserPermissions", refresh_permissions),
)
