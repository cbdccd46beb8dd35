"""Every behaviour that nobody has confirmed, or that a test wants otherwise: one line each, with its default.

`PATCH state {"switches": {name: value}}` sets one; null gives the default back. The type of a value is that of its
default; durations are ISO 8601.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from emulator.durations import parse_duration
from emulator.powerbi.limits import PUBLISHED


@dataclass(frozen=True)
class Switch:
    """One switch. `allowed`: the values of an enumerated one; `lasts`: the value is a duration."""

    default: Any
    meaning: str
    allowed: tuple[Any, ...] = ()
    lasts: bool = False


def _status(default: int, meaning: str) -> Switch:
    return Switch(default, f"Status for {meaning}.", allowed=(400, 401, 403, 404, 409, 429))


def _choice(allowed: tuple[str, ...], meaning: str) -> Switch:
    return Switch(allowed[0], meaning, allowed=allowed)


def _lag(default: str, meaning: str) -> Switch:
    return Switch(default, meaning, lasts=True)


_ACCESS = {
    "noWorkspaceAccess": _choice(
        ("PowerBINotAuthorizedException", "GroupNotAccessible", "PowerBIEntityNotFound"),
        "What an unknown workspace, or one without a role in it, answers: 401 in two forms, or 404.",
    ),
    "tenantRefusal": _choice(
        ("header", "PowerBINotAuthorizedException", "message"),
        "How a service principal that the tenant settings exclude is told.",
    ),
    "expiredToken": _choice(("body", "header"), "Where 403 TokenExpired stands."),
    "servicePrincipalsMayUseApis": Switch(True, "Tenant setting: service principals (of the group) may call the API."),
    "myWorkspaceForApplicationsStatus": _status(403, "a service principal that asks for My workspace or for apps"),
    "servicePrincipalsMayCreateWorkspaces": Switch(True, "Tenant setting that gates POST /groups, maybe."),
    "servicePrincipalsMayUseProfiles": Switch(True, "Tenant setting: service principals may create and use profiles."),
    "servicePrincipalsMayReadAdminApis": Switch(
        True, "Tenant setting: service principals may use read-only admin API."
    ),
    "delegatedScopesMatter": Switch(True, "A user's token needs one of the scopes that the operation names."),
    "missingScopeStatus": _status(403, "a user's token without the scope"),
    "insufficientRoleStatus": _status(403, "a role in the workspace that is too weak for the operation"),
    "unknownProfileStatus": _status(403, "X-PowerBI-Profile-Id of a profile that is not the caller's"),
}
_GROUPS = {
    "grantLag": _lag("PT0S", "How long a grant is invisible to access checks of the one who got it."),
    "permissionRefreshDelay": _lag("PT2M", "How long after RefreshUserPermissions lagging grants become visible."),
    "workspaceListLag": _lag("PT0S", "How long a new workspace is missing from lists."),
    "workspaceAccessLag": _lag("PT0S", "How long a new workspace is refused even to its creator."),
    "workspaceNamesIgnoreCase": Switch(True, "Names that differ only in case count as the same when one is taken."),
    "workspacesPerPrincipal": Switch(1000, "How many workspaces one principal may hold."),
    "tooManyWorkspacesStatus": _status(403, "one workspace more than a principal may hold"),
    "groupsPageSize": Switch(5000, "How many workspaces a list without $top gives at most."),
    "unknownPrincipalStatus": _status(400, "a grant to a group or app that the directory does not know"),
    "capacityWithoutRightStatus": _status(401, "AssignToCapacity without a right on the capacity"),
    "capacityPending": _lag("PT0.2S", "How long a capacity assignment is Pending."),
    "capacityAssignment": _lag("PT1S", "How long a capacity assignment takes in all."),
}
_REFRESHES = {
    "dailyRefreshLimit": Switch(8, "Refreshes a day of one dataset on shared capacity, scheduled and by API."),
    "dailyLimitStatus": _status(400, "one refresh more than the day allows"),
    "dailyLimitWindow": _choice(("rolling", "day"), "Whether a day is the last 24 hours, or starts at 00:01 UTC."),
    "enhancedOnSharedStatus": _status(400, "an enhanced refresh on shared capacity"),
    "notifyOptionWithEnhanced": _choice(("refuse", "ignore"), "An enhanced refresh that carries notifyOption."),
    "mailByServicePrincipal": _choice(("refuse", "ignore"), "A mail notification asked for by a service principal."),
    "refreshWhileRunning": _choice(
        ("refuse", "queue", "drop"), "A refresh while one runs: 400; or 202 and it waits; or 202 and nothing happens."
    ),
    "refreshStart": _lag("PT0S", "How long an enhanced refresh is NotStarted."),
    "historyLag": _lag("PT0S", "How long a new refresh is missing from the history."),
    "historyIgnoresTop": Switch(False, "The history gives all it has, whatever $top says."),
    "cancelDuration": _lag("PT0S", "How long a cancelled refresh goes on."),
    "notEnhancedStatus": _status(400, "details or cancel of a refresh that is not enhanced, or has ended"),
    "unknownRefreshObjects": _choice(("accept", "fail"), "A refresh of a table or partition that the model lacks."),
    "scheduleTimes": _choice(("halfHours", "any"), "Which times of day a schedule may name."),
}
_CONTENT = {
    "datasetExecuteQueries": Switch(True, "Tenant setting: Dataset Execute Queries REST API."),
    "queryRefusedStatus": _status(400, "a query by a service principal on a model with row-level security"),
}
_ADMIN = {
    "enhancedAdminResponses": Switch(True, "Tenant setting: scans may tell the schema of datasets."),
    "tooManyScanIdsStatus": _status(400, "a scan of no workspace, or of more than 100"),
    "scanPending": _lag("PT0.2S", "How long a scan is NotStarted."),
    "scanDuration": _lag("PT1S", "How long a scan takes in all."),
    "activityLogDays": Switch(30, "How many days back the activity log reaches."),
}
_TOKENS = {
    "tooManyTokenItemsStatus": _status(400, "more than 50 reports, datasets or target workspaces in one token"),
    "tokenWithoutAccessStatus": _status(403, "an embed token for what the caller has no sufficient role in"),
    "unknownRole": _choice(("refuse", "accept"), "An identity with a role that the model does not have."),
    "identityWithoutDatasets": _choice(("refuse", "all"), "An identity that names neither datasets nor reports."),
    "embedTokenLife": _lag("PT0S", "How long an embed token lives at most; PT0S: as its Entra token and request say."),
    "trialTokens": Switch(1000, "How many tokens a caller gets for content that is on no capacity."),
    "profilesPerPrincipal": Switch(100_000, "How many profiles one service principal may have."),
}
_LIMITS = {
    "missingTopStatus": _status(400, "an admin list without the mandatory $top"),
    "rateLimits": Switch(
        PUBLISHED,
        "Calls that each operation allows in a time; `per` is tenant (default) or caller. A null lifts a limit.",
    ),
}

SWITCHES: dict[str, Switch] = _ACCESS | _GROUPS | _REFRESHES | _CONTENT | _TOKENS | _ADMIN | _LIMITS


def defaults() -> dict[str, Any]:
    """All switches at their defaults."""
    return {name: deepcopy(switch.default) for name, switch in SWITCHES.items()}


def check(name: str, value: Any) -> None:
    """Raises ValueError, naming the switch, if there is none of that name or it does not take that value."""
    switch = SWITCHES.get(name)
    if switch is None:
        raise ValueError(f"There is no switch {name!r}; there are {', '.join(sorted(SWITCHES))}")
    if type(value) is not type(switch.default):
        raise ValueError(f"Switch {name!r} takes a {type(switch.default).__name__}, not {value!r}")
    if switch.allowed and value not in switch.allowed:
        raise ValueError(f"Switch {name!r} takes one of {switch.allowed}, not {value!r}")
    if switch.lasts:
        parse_duration(value)
