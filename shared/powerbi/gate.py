"""While Power BI asks for fewer calls, none is sent: whoever calls meanwhile is told at once how long that lasts."""

from __future__ import annotations

import math
import threading
from datetime import datetime, timedelta

from shared.errors import Evidence, Throttled
from shared.times import Now


class Gate:
    """Closed for an identity and operation while Power BI's Retry-After runs."""

    def __init__(self, now: Now, entries: int = 256) -> None:
        self._now = now
        self._entries = entries
        self._lock = threading.Lock()
        self._until: dict[tuple[str, str], datetime] = {}

    def check(self, identity: str, operation: str) -> None:
        """Raise Throttled with the seconds that remain."""
        with self._lock:
            until = self._until.get((identity, operation))
            left = (until - self._now()).total_seconds() if until else 0.0
            if until and left <= 0:
                del self._until[identity, operation]
        if left > 0:
            detail = f"Power BI throttles {operation}. It may be called again in {math.ceil(left)} s."
            raise Throttled(detail, retry_after=left, evidence=Evidence(operation=operation))

    def close(self, identity: str, operation: str, seconds: float) -> None:
        """For so long; a longer time that runs already stays."""
        with self._lock:
            until = self._now() + timedelta(seconds=seconds)
            key = (identity, operation)
            self._until[key] = max(until, self._until.get(key, until))
            while len(self._until) > self._entries:
                del self._until[min(self._until, key=self._until.__getitem__)]
