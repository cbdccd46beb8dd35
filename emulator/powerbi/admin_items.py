"""The administrator's view of what is in workspaces: of the tenant, or of one workspace; and of everything else."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import partial

from emulator.http import Answer, Json
from emulator.powerbi import (
    answers,
    apps,
    capacities,
    dashboards,
    dataflows,
    dataset_users,
    datasets,
    pipelines,
    reports,
    users,
)
from emulator.powerbi.operation import Operation, Visit

MOST = 5000
SCOPES = ("Tenant.Read.All", "Tenant.ReadWrite.All")
_RIGHTS = {"Viewer": "Read", "Contributor": "ReadWrite", "Member": "ReadReshare", "Admin": "Owner"}
"""What a role in the workspace means on a report or dashboard in it."""


def check_grant(visit: Visit) -> None:
    """Administrators; service principals of the group, if their app has no application permissions of Power BI."""
    caller = visit.caller
    granted = caller.principal["administrator"]
    if caller.is_app:
        granted = granted and visit.switch("servicePrincipalsMayReadAdminApis") and not caller.claims.get("roles")
    if not granted:
        raise answers.not_authorized()


def check_word(names: Iterable[str], known: Collection[str]) -> None:
    """Refuses an `$expand` of something unknown."""
    if not set(names) <= set(known):
        raise answers.invalid("Parameter $expand is missing or invalid")


def workspace(visit: Visit) -> Json:
    """The workspace of the path, whoever is in it."""
    check_grant(visit)
    found = visit.state.workspaces.get(visit.parameter("groupId"))
    if found is None:
        raise answers.not_found()
    return found


def _report(report: Json) -> Json:
    shown = {"id": report["id"], "reportType": reports.kind_of(report), "name": report["name"]}
    return shown | ({"datasetId": report["datasetId"]} if report["datasetId"] else {})


def _dashboard(dashboard: Json) -> Json:
    return dashboards.listed(dashboard) | {"tiles": []}


RENDERERS: dict[str, Callable[[Json], Json]] = {
    "reports": _report,
    "datasets": datasets.rendered,
    "dashboards": _dashboard,
    "dataflows": dataflows.rendered,
}
"""How an administrator sees an item, by kind."""


def list_of_tenant(kind: str, visit: Visit) -> Answer:
    """All items of that kind, each with its workspace."""
    check_grant(visit)
    render = RENDERERS[kind]
    found = [render(item) | {"workspaceId": item["workspaceId"]} for item in visit.state.maps[kind].values()]
    return _page(kind, visit, found)


def list_of_group(kind: str, visit: Visit) -> Answer:
    """All items of that kind in one workspace."""
    render, home = RENDERERS[kind], workspace(visit)["id"]
    shown: Json = {} if kind == "dataflows" else {"workspaceId": home}
    return _page(kind, visit, [render(item) | shown for item in visit.state.within(kind, home)])


def list_dataset_users(visit: Visit) -> Answer:
    """Who may do what with a dataset."""
    return answers.listing("users", dataset_users.users_of(visit.state, _item(visit, "datasets", "datasetId")))


def list_item_users(kind: str, visit: Visit) -> Answer:
    """Who may do what with a report or dashboard, by the roles in its workspace."""
    home = visit.state.workspaces[_item(visit, f"{kind}s", f"{kind}Id")["workspaceId"]]
    members = users.members_of(visit.state, home)
    shown = [{f"{kind}UserAccessRight": _RIGHTS[member["groupUserAccessRight"]]} | _bare(member) for member in members]
    return answers.listing("users", shown)


def list_capacity_users(visit: Visit) -> Answer:
    """Who has which right on a capacity."""
    rights = _item(visit, "capacities", "capacityId")["rights"]
    shown = [
        {"capacityUserAccessRight": right} | _bare(users.rendered(visit.state, key, right))
        for key, right in rights.items()
    ]
    return answers.listing("users", shown)


def _bare(member: Json) -> Json:
    """A GroupUser without its right in the group."""
    return {name: value for name, value in member.items() if name != "groupUserAccessRight"}


def list_dataset_sources(visit: Visit) -> Answer:
    """Where a dataset gets its data, as the state has it."""
    found = _item(visit, "datasets", "datasetId")
    return answers.listing("datasources", [dict(source) for source in found["datasources"]])


def list_tiles(visit: Visit) -> Answer:
    """Of a dashboard."""
    found = _item(visit, "dashboards", "dashboardId")
    return answers.listing("tiles", [dashboards.tile_of(tile, found, visit.call.host) for tile in found["tiles"]])


def list_capacities(visit: Visit) -> Answer:
    """Every capacity, with the caller's right on it."""
    check_grant(visit)
    found = visit.state.capacities.values()
    return answers.listing("capacities", [capacities.rendered(one, capacities.right_on(visit, one)) for one in found])


def list_apps(visit: Visit) -> Answer:
    """Every app, with the workspace from which it was published. `$top` is mandatory."""
    check_grant(visit)
    if "$top" not in visit.call.query:
        raise answers.invalid("Parameter $top is missing or invalid", status=visit.switch("missingTopStatus"))
    found = [apps.rendered(app) | {"workspaceId": app["workspaceId"]} for app in visit.state.maps["apps"].values()]
    return answers.listing("apps", visit.page(found, MOST))


def list_pipelines(visit: Visit) -> Answer:
    """Every deployment pipeline, with its stages if they are asked for."""
    check_grant(visit)
    expanded = {name.strip().lower() for name in visit.call.query.get("$expand", "").split(",")} - {""}
    check_word(expanded, ("stages", "users"))
    shown = [_pipeline(visit, pipeline, expanded) for pipeline in visit.state.maps["pipelines"].values()]
    return _page("pipelines", visit, shown)


def _pipeline(visit: Visit, pipeline: Json, expanded: set[str]) -> Json:
    shown = pipelines.rendered(pipeline)
    if "stages" in expanded:
        shown["stages"] = pipelines.stages_of(visit.state, pipeline)
    if "users" in expanded:
        members = [users.rendered(visit.state, key, "Admin") for key in pipeline["admins"]]
        names = ("identifier", "principalType")
        shown["users"] = [{"accessRight": "Admin"} | {name: member[name] for name in names} for member in members]
    return shown


def _item(visit: Visit, kind: str, name: str) -> Json:
    check_grant(visit)
    found = visit.state.maps[kind].get(visit.parameter(name))
    if found is None:
        raise answers.not_found()
    return found


def _page(kind: str, visit: Visit, records: list[Json]) -> Answer:
    """Those that pass `$filter`, from `$skip` on, no more than `$top`."""
    return answers.listing(kind, visit.page(visit.filtered(records), MOST))


OPERATIONS = (
    *(Operation("GET", f"/admin/{kind}", partial(list_of_tenant, kind), SCOPES) for kind in RENDERERS),
    *(
        Operation("GET", f"/admin/groups/{{groupId}}/{kind}", partial(list_of_group, kind), SCOPES)
        for kind in RENDERERS
    ),
    Operation("GET", "/admin/datasets/{datasetId}/users", list_dataset_users, SCOPES),
    Operation("GET", "/admin/datasets/{datasetId}/datasources", list_dataset_sources, SCOPES),
    Operation("GET", "/admin/dashboards/{dashboardId}/tiles", list_tiles, SCOPES),
    Operation("GET", "/admin/reports/{reportId}/users", partial(list_item_users, "report"), SCOPES),
    Operation("GET", "/admin/dashboards/{dashboardId}/users", partial(list_item_users, "dashboard"), SCOPES),
    Operation("GET", "/admin/capacities", list_capacities, SCOPES),
    Operation("GET", "/admin/capacities/{capacityId}/users", list_capacity_users, SCOPES),
    Operation("GET", "/admin/apps", list_apps, SCOPES),
    Operation("GET", "/admin/pipelines", list_pipelines, SCOPES),
)
