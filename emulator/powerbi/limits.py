"""How often each operation may be called: a sliding window per operation and tenant, or per caller."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from emulator.http import Json


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
