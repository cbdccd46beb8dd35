"""Who may do what with one dataset: by a role in its workspace, or because it was shared with them."""

from __future__ import annotations

from emulator.http import Answer, Json
from emulator.powerbi import answers
from emulator.powerbi.operation import IN_GROUP, Operation, Visit, both, in_my_workspace, writing
from emulator.powerbi.state import State
from emulator.powerbi.users import find, members_of, rendered

BY_ROLE = {
    "Viewer": "Read",
    "Contributor": "ReadWriteExplore",
    "Member": "ReadWriteReshareExplore",
    "Admin": "ReadWriteReshareExplore",
}
"""What a role in the workspace means on a dataset in it."""
GIVEN = ("Read", "ReadReshare", "ReadExplore", "ReadReshareExplore")
"""Rights that can be given: none of them to write."""
_BODY: Json = {
    "identifier": "string",
    "principalType": ("User", "Group", "App", "None"),
    "datasetUserAccessRight": ("None", *GIVEN),
}


def users_of(state: State, dataset: Json) -> list[Json]:
    """DatasetUsers with all that administrators see of them."""
    members = members_of(state, state.workspaces[dataset["workspaceId"]])
    shared = [rendered(state, key, right) for key, right in dataset["users"].items()]
    return [_with_right(member, BY_ROLE) for member in members] + [_with_right(user, {}) for user in shared]


def _with_right(user: Json, meaning: dict[str, str]) -> Json:
    right = user.pop("groupUserAccessRight")
    return {"datasetUserAccessRight": meaning.get(right, right)} | user


def list_users(visit: Visit) -> Answer:
    """Only for who may share it: Members of its workspace."""
    dataset = visit.dataset(visit.workspace("Member"))
    names = ("identifier", "principalType", "datasetUserAccessRight")
    users = users_of(visit.state, dataset)
    return answers.listing("users", [{name: user[name] for name in names} for user in users])


def add_user(visit: Visit) -> Answer:
    """Share it with a person or a group; not with a service principal, and never to write."""
    dataset = visit.dataset(visit.workspace("Member"))
    right = visit.body.get("datasetUserAccessRight")
    if right not in GIVEN:
        raise answers.invalid("Parameter userDetails.DatasetUserAccessRight is missing or invalid")
    dataset["users"][_key(visit, dataset)] = right
    return answers.done()


def update_user(visit: Visit) -> Answer:
    """Another right for whom it was shared with; `None` ends that. What comes by a role stays."""
    dataset = visit.dataset(visit.workspace("Member"))
    key = _key(visit, dataset)
    if key not in dataset["users"]:
        raise answers.not_found()
    right = visit.body.get("datasetUserAccessRight", "None")
    if right == "None":
        del dataset["users"][key]
    else:
        dataset["users"][key] = right
    return answers.done()


def _key(visit: Visit, dataset: Json) -> str:
    """The principal of the body, which has no right by a role."""
    principal = find(visit.state, visit.body.get("identifier", ""))
    kind = visit.body.get("principalType")
    if principal is None or kind != principal["kind"] or kind == "App":
        raise answers.invalid("Parameter userDetails.Identifier is missing or invalid")
    key = str(principal["upn"].lower() if kind == "User" else principal["id"])
    if key in visit.state.workspaces[dataset["workspaceId"]]["members"]:
        raise answers.invalid("A right that comes by a role in the workspace can't be changed")
    return key


_USERS = IN_GROUP + "/datasets/{datasetId}/users"
_IN_GROUP = (
    Operation("GET", _USERS, list_users, both("Dataset")),
    Operation("POST", _USERS, add_user, writing("Dataset"), _BODY),
    Operation("PUT", _USERS, update_user, writing("Dataset"), _BODY),
)
OPERATIONS = (*_IN_GROUP, *in_my_workspace(_IN_GROUP))
