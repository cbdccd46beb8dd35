"""A file that lands is one row, and sees to it that a look at its dataset comes in time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from shared import telemetry
from shared.refresh.context import Context
from shared.refresh.decision import needed_by, with_run
from shared.refresh.landings import landing_key
from shared.refresh.records import DatasetHead, Landing
from shared.refresh.timing import Timing

if TYPE_CHECKING:
    from shared.refresh.documents import DatasetPolicy
    from shared.refresh.events import Landed
    from shared.refresh.rules import Match

MOMENT = timedelta(seconds=1)


class Arrivals:
    """What lands, of one instance of the app; shared by all threads."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._recently = RecentlySeen(context.timing)

    def land(self, landed: Landed, matches: Sequence[Match]) -> int:
        """Record a file for every dataset that it concerns; answers how many looks it led to.

        When this returns, each dataset is sure to be looked at in time. A repeat changes nothing.
        """
        return sum(self._land(landed, match) for match in matches)

    def _land(self, landed: Landed, match: Match) -> bool:
        landing = Landing(
            key=landing_key(landed.url, landed.etag),
            objects=match.objects,
            immediate=match.immediate,
            event_time=landed.event_time,
            arrived_at=self._context.now(),
        )
        fresh = self._context.store.landings.add(match.dataset_id, landing)
        policy = self._context.policies(match.dataset_id)
        if policy is None or policy.paused:
            return False
        by = needed_by(DatasetHead(match.dataset_id), landing, policy)
        if fresh and self._recently.looked_after(match.dataset_id, by, landing.arrived_at):
            return False
        return self._call_for(landing, policy, fresh)

    def _call_for(self, landing: Landing, policy: DatasetPolicy, fresh: bool) -> bool:
        """See that a look comes in time; True if none was to come. One read of the head where one is."""
        dataset_id, context = policy.dataset_id, self._context
        known_pending = fresh

        def call(head: DatasetHead) -> DatasetHead | None:
            nonlocal known_pending
            now = context.now()
            by = now if head.flight else needed_by(head, landing, policy)
            if head.looked_after(by, now, context.timing.overdue):
                self._recently.note(head, now)
                return None
            known_pending = known_pending or context.store.landings.is_pending(dataset_id, landing.key)
            return self._with_run(head, landing).calling(max(by, now)) if known_pending else None

        written = context.change_head(dataset_id, call)
        if written is None:
            return False
        self._recently.note(written, context.now())
        context.ensure_runs(written, policy)
        telemetry.event("data-landed", "calls for a look", target=dataset_id, until=written.due)
        return True

    def _with_run(self, head: DatasetHead, landing: Landing) -> DatasetHead:
        """With a run that will cover the landing; a refresh in flight has its own way of finding what lands."""
        if head.flight or head.joinable:
            return head
        new_id = self._context.new_id
        return with_run(head, landing.arrived_at, new_id(), telemetry.correlation_id() or new_id())


class RecentlySeen:
    """Which datasets were seen, a moment ago, to have a look coming: so that a burst of files reads no head for each.

    A landing has to be written before the head is read, or a look that ends in between strands it. Within a second of
    having seen a head that waits for a look more than a minute ahead nothing can end: a refresh that somebody starts
    now is looked at a second later at the earliest. And should it happen all the same, the sweep finds the landing.
    """

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
