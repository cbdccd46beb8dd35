"""Power BI's clock: the real one plus what the control API advanced it by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """Only Power BI's states follow this clock; tokens, the vault and the queues keep real time."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        """The present moment for Power BI, in UTC."""
        return datetime.now(UTC) + self._ahead

    def advance(self, by: timedelta) -> datetime:
        """Move on by `by`, and tell the new time."""
        self._ahead += by
        return self.now()

    def reset(self) -> None:
        """Back to real time."""
        self._ahead = timedelta(0)
