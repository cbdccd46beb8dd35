"""Which datasets were seen, a moment ago, to have a look coming: so that a burst of files reads no head for each.

A landing has to be written before the head is read, or a look that ends in between strands it. Within a second of
having seen a head that waits for a look more than a minute ahead nothing can end: a refresh that somebody starts now is
looked at a second later at the earliest. And should it happen all the same, the sweep finds the landing.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.refresh.records import DatasetHead
from shared.refresh.timing import Timing

MOMENT = timedelta(seconds=1)


class RecentlySeen:
    """Of one process; shared by all threads."""

    def __init__(self, timing: Timing) -> None:
        self._ahead = timing.overdue
        self._moment = min(MOMENT, timing.shortest_step)
        self._seen: dict[str, tuple[datetime, datetime]] = {}

    def note(self, head: DatasetHead, now: datetime) -> None:
        """The head as it was read, or written, now."""
        if head.flight is None and head.joinable and head.due and head.due > now + self._ahead:
            self._seen[head.dataset_id] = now, head.due
        else:
            self._seen.pop(head.dataset_id, None)

    def looked_after(self, dataset_id: str, by: datetime, now: datetime) -> bool:
        """Whether a look surely comes until then."""
        seen, due = self._seen.get(dataset_id, (None, None))
        if seen is None or due is None or not timedelta(0) <= now - seen < self._moment:
            return False
        return now + self._ahead < due <= by
