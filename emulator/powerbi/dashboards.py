"""Dashboards and their tiles: what is read of them."""

from __future__ import annotations

from emulator.http import Answer, Json
from emulator.powerbi import answers
from emulator.powerbi.operation import IN_GROUP, Operation, Visit, both, in_my_workspace


def rendered(dashboard: Json, api_host: str) -> Json:
    """A Dashboard."""
    return listed(dashboard) | {
        "webUrl": f"https://{_app(api_host)}/groups/{dashboard['workspaceId']}/dashboards/{dashboard['id']}",
        "embedUrl": f"https://{_app(api_host)}/dashboardEmbed?dashboardId={dashboard['id']}"
        f"&groupId={dashboard['workspaceId']}&config={answers.region_config()}",
        "users": [],
        "subscriptions": [],
    }


def listed(dashboard: Json) -> Json:
    """What administrators see of it too."""
    return {name: dashboard[name] for name in ("id", "displayName", "isReadOnly")}


def tile_of(tile: Json, dashboard: Json, api_host: str) -> Json:
    """A Tile."""
    embed = f"https://{_app(api_host)}/embed?dashboardId={dashboard['id']}&tileId={tile['id']}"
    return {"rowSpan": 0, "colSpan": 0} | tile | {"embedUrl": f"{embed}&groupId={dashboard['workspaceId']}"}


def list_dashboards(visit: Visit) -> Answer:
    """All of the workspace; there is no paging."""
    found = visit.state.within("dashboards", visit.workspace()["id"])
    return answers.listing("dashboards", [rendered(record, visit.call.host) for record in found])


def get_dashboard(visit: Visit) -> Answer:
    """One dashboard."""
    return answers.entity("dashboards", rendered(visit.dashboard(visit.workspace()), visit.call.host))


def list_tiles(visit: Visit) -> Answer:
    """All of the dashboard, as the state has them."""
    dashboard = visit.dashboard(visit.workspace())
    return answers.listing("tiles", [tile_of(tile, dashboard, visit.call.host) for tile in dashboard["tiles"]])


def get_tile(visit: Visit) -> Answer:
    """One tile."""
    dashboard = visit.dashboard(visit.workspace())
    found = next((tile for tile in dashboard["tiles"] if tile["id"].lower() == visit.parameter("tileId")), None)
    if found is None:
        raise answers.not_found()
    return answers.entity("tiles", tile_of(found, dashboard, visit.call.host))


def _app(api_host: str) -> str:
    return api_host.replace("api.", "app.", 1)


_DASHBOARDS = IN_GROUP + "/dashboards"
_IN_GROUP = (
    Operation("GET", _DASHBOARDS, list_dashboards, both("Dashboard")),
    Operation("GET", _DASHBOARDS + "/{dashboardId}", get_dashboard, both("Dashboard")),
    Operation("GET", _DASHBOARDS + "/{dashboardId}/tiles", list_tiles, both("Dashboard")),
    Operation("GET", _DASHBOARDS + "/{dashboardId}/tiles/{tileId}", get_tile, both("Dashboard")),
)
OPERATIONS = (*_IN_GROUP, *in_my_workspace(_IN_GROUP))
