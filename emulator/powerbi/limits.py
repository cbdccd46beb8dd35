"""How often each operation may be called: a sliding window per operation and tenant, or per caller."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from emulator.http import Json

HOUR, MINUTE = 3600, 60


def _hourly(calls: int) -> list[Json]:
    return [{"calls": calls, "seconds": HOUR}]


_TWO_HUNDRED = (
    "GET /admin/groups/{groupId}",
    "GET /admin/groups/{groupId}/users",
    "GET /admin/groups/{groupId}/reports",
    "GET /admin/groups/{groupId}/datasets",
    "GET /admin/groups/{groupId}/dashboards",
    "GET /admin/groups/{groupId}/dataflows",
    "GET /admin/datasets/{datasetId}/users",
    "GET /admin/reports/{reportId}/users",
    "GET /admin/dashboards/{dashboardId}/users",
    "GET /admin/dashboards/{dashboardId}/tiles",
    "GET /admin/capacities/{capacityId}/users",
    "GET /admin/dataflows",
    "GET /admin/capacities",
    "GET /admin/apps",
    "GET /admin/pipelines",
    "GET /admin/activityevents",
)
_FIVE_A_MINUTE = ("datasets", "reports", "dashboards")
_QUERIES = [{"calls": 120, "seconds": MINUTE, "per": "caller"}]
PUBLISHED: dict[str, list[Json]] = {
    "GET /admin/groups": [*_hourly(50), {"calls": 15, "seconds": MINUTE}],
    **{f"GET /admin/{kind}": [*_hourly(50), {"calls": 5, "seconds": MINUTE}] for kind in _FIVE_A_MINUTE},
    "GET /admin/workspaces/modified": _hourly(30),
    "POST /admin/workspaces/getInfo": _hourly(500),
    "GET /admin/workspaces/scanResult/{scanId}": _hourly(500),
    "GET /admin/workspaces/scanStatus/{scanId}": _hourly(10_000),
    **{name: _hourly(200) for name in _TWO_HUNDRED},
    "POST /datasets/{datasetId}/executeQueries": _QUERIES,
    "POST /groups/{groupId}/datasets/{datasetId}/executeQueries": _QUERIES,
    "POST /RefreshUserPermissions": [{"calls": 1, "seconds": HOUR, "per": "caller"}],
}
"""Every number that Microsoft publishes for an operation that is emulated."""


class RateLimiter:
    """Remembers the calls that were let through. Follows Power BI's clock, so advancing it ends a window."""

    def __init__(self) -> None:
        self._calls: dict[tuple[str, str], list[datetime]] = defaultdict(list)

    def wait(self, operation: str, caller: str, limits: Sequence[Json], now: datetime) -> int:
        """Whole seconds until the operation may be called again; 0, and the call is counted, if it may be now."""
        waits = [self._wait(operation, caller, limit, now) for limit in limits]
        if max(waits, default=0):
            return max(waits)
        for key in {_key(operation, caller, limit) for limit in limits}:
            self._calls[key].append(now)
        return 0

    def _wait(self, operation: str, caller: str, limit: Json, now: datetime) -> int:
        window = timedelta(seconds=limit["seconds"])
        recent = [at for at in self._calls[_key(operation, caller, limit)] if now - window < at <= now]
        if len(recent) < limit["calls"]:
            return 0
        free = (recent[-limit["calls"]] if limit["calls"] else now) + window
        return max(1, math.ceil((free - now).total_seconds()))


def _key(operation: str, caller: str, limit: Json) -> tuple[str, str]:
    return operation, caller if limit.get("per") == "caller" else ""
