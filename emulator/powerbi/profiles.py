"""Service principal profiles: each belongs to one service principal, for ever."""

from __future__ import annotations

from emulator.http import Answer, Json
from emulator.powerbi import answers
from emulator.powerbi.operation import Operation, Visit

_BODY: Json = {"displayName": "string"}
_PAGE = 5000


def list_profiles(visit: Visit) -> Answer:
    """The caller's own."""
    own = [_rendered(profile) for profile in _own(visit)]
    return answers.listing("profiles", visit.page(visit.filtered(own), _PAGE))


def get_profile(visit: Visit) -> Answer:
    """One of the caller's own."""
    return answers.entity("profiles", _rendered(_one(visit)))


def create_profile(visit: Visit) -> Answer:
    """A new one, with a name of its own."""
    own = _own(visit)
    if len(own) >= visit.switch("profilesPerPrincipal"):
        raise answers.invalid("The service principal has as many profiles as it may have")
    profile = {"displayName": _name(visit, own), "owner": visit.caller.principal["id"]}
    return answers.entity("profiles", _rendered(visit.state.add("profiles", profile)))


def update_profile(visit: Visit) -> Answer:
    """Another name."""
    profile = _one(visit)
    profile["displayName"] = _name(visit, [other for other in _own(visit) if other is not profile])
    return answers.entity("profiles", _rendered(profile))


def delete_profile(visit: Visit) -> Answer:
    """With it go its rights in workspaces."""
    profile = _one(visit)
    del visit.state.profiles[profile["id"]]
    for workspace in visit.state.workspaces.values():
        workspace["members"].pop(f"{profile['owner']}|{profile['id']}", None)
    return answers.done()


def _own(visit: Visit) -> list[Json]:
    """The caller's profiles; people and profiles themselves can have none."""
    if not visit.caller.is_app or visit.caller.profile or not visit.switch("servicePrincipalsMayUseProfiles"):
        raise answers.not_authorized()
    owner = visit.caller.principal["id"]
    return [profile for profile in visit.state.profiles.values() if profile["owner"] == owner]


def _one(visit: Visit) -> Json:
    wanted = visit.parameter("profileId")
    found = next((profile for profile in _own(visit) if profile["id"] == wanted), None)
    if found is None:
        raise answers.not_found()
    return found


def _name(visit: Visit, others: list[Json]) -> str:
    name = str(visit.body.get("displayName", "")).strip()
    if not name:
        raise answers.invalid("Parameter displayName is missing or invalid")
    if any(other["displayName"] == name for other in others):
        raise answers.domain(400, "PowerBIEntityAlreadyExistsException", culprit=False)
    return name


def _rendered(profile: Json) -> Json:
    return {"id": profile["id"], "displayName": profile["displayName"]}


OPERATIONS = (
    Operation("GET", "/profiles", list_profiles),
    Operation("POST", "/profiles", create_profile, body=_BODY),
    Operation("GET", "/profiles/{profileId}", get_profile),
    Operation("PUT", "/profiles/{profileId}", update_profile, body=_BODY),
    Operation("DELETE", "/profiles/{profileId}", delete_profile),
)
