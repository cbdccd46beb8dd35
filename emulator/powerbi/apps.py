"""Apps that were published from workspaces: list, get. Service principals can't."""

from __future__ import annotations

from emulator.http import Answer, Json
from emulator.powerbi import answers
from emulator.powerbi.access import groups_of
from emulator.powerbi.operation import Operation, Visit
from emulator.powerbi.times import moment, wire


def rendered(app: Json) -> Json:
    """An App."""
    shown = {name: app[name] for name in ("id", "name", "description", "publishedBy")}
    return shown | ({"lastUpdate": wire(moment(app["updated"]))} if app["updated"] else {})


def list_apps(visit: Visit) -> Answer:
    """Those that were given to the caller, itself or through a group."""
    return answers.listing("apps", [rendered(app) for app in _own(visit)])


def get_app(visit: Visit) -> Answer:
    """One of them."""
    found = next((app for app in _own(visit) if app["id"] == visit.parameter("appId")), None)
    if found is None:
        raise answers.not_found()
    return answers.entity("apps", rendered(found))


def _own(visit: Visit) -> list[Json]:
    if visit.caller.is_app:
        raise answers.not_for_applications(visit.switch("myWorkspaceForApplicationsStatus"))
    keys = {visit.caller.key} | groups_of(visit.state, visit.caller.principal)
    return [app for app in visit.state.maps["apps"].values() if not keys.isdisjoint(app["members"])]


OPERATIONS = (
    Operation("GET", "/apps", list_apps, ("App.Read.All",)),
    Operation("GET", "/apps/{appId}", get_app, ("App.Read.All",)),
)
