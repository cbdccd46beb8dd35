"""The administrator's view of workspaces: all of them, one, its users."""

from __future__ import annotations

from emulator.http import Answer, Json
from emulator.powerbi import admin_items, answers, groups
from emulator.powerbi.admin_items import check_grant, check_word
from emulator.powerbi.operation import Operation, Visit
from emulator.powerbi.users import members_of

MOST = 5000
EXPANDABLE = ("users", "reports", "dashboards", "datasets", "dataflows", "workbooks")


def list_groups(visit: Visit) -> Answer:
    """Every workspace, deleted ones too. `$top` is mandatory; the filter may look into `users`."""
    check_grant(visit)
    top = _top(visit)
    expanded = _expanded(visit)
    found = visit.filtered([_rendered(visit, workspace) for workspace in visit.state.workspaces.values()])
    start = visit.whole_number("$skip", 0)
    page = [_without(group, set(EXPANDABLE) - expanded) for group in found]
    return answers.listing("groups", page[start : start + top], **{"@odata.count": len(found)})


def get_group(visit: Visit) -> Answer:
    """One workspace, with what is expanded."""
    expanded = _expanded(visit)
    group = _rendered(visit, admin_items.workspace(visit))
    return answers.entity("groups", _without(group, set(EXPANDABLE) - expanded))


def list_users(visit: Visit) -> Answer:
    """Of one workspace."""
    return answers.listing("users", members_of(visit.state, admin_items.workspace(visit)))


def _top(visit: Visit) -> int:
    if "$top" not in visit.call.query:
        raise answers.invalid("Parameter $top is missing or invalid", status=visit.switch("missingTopStatus"))
    top = visit.whole_number("$top", MOST, lowest=1)
    if top > MOST:
        raise answers.invalid("Parameter $top is missing or invalid", status=visit.switch("missingTopStatus"))
    return top


def _expanded(visit: Visit) -> set[str]:
    names = {name.strip() for name in visit.call.query.get("$expand", "").split(",")} - {""}
    check_word(names, EXPANDABLE)
    return names


def _rendered(visit: Visit, workspace: Json) -> Json:
    """An AdminGroup with all that can be expanded."""
    state, key = visit.state, workspace["id"]
    return groups.rendered(workspace, visit.now) | {
        "description": workspace["description"],
        "state": workspace["state"],
        "hasWorkspaceLevelSettings": False,
        "users": members_of(state, workspace),
        **{kind: [render(item) for item in state.within(kind, key)] for kind, render in admin_items.RENDERERS.items()},
        "workbooks": [],
    }


def _without(group: Json, hidden: set[str]) -> Json:
    return {name: value for name, value in group.items() if name not in hidden}


OPERATIONS = (
    Operation("GET", "/admin/groups", list_groups, admin_items.SCOPES),
    Operation("GET", "/admin/groups/{groupId}", get_group, admin_items.SCOPES),
    Operation("GET", "/admin/groups/{groupId}/users", list_users, admin_items.SCOPES),
)
