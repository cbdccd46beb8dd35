"""How long messages have been waiting: measured here, because Azure Monitor has no such figure for storage queues.

One log line a queue and minute; the alert `oldest-message` and the workbook read them.

How long a message has waited is not how old it is. Its age overstates the waiting where it was sent with a delay (a
peek shows no message before its time, and afterwards shows when it was put there), and where a worker had it and did
not finish. So:

- Our own messages tell of their delay (`HIDDEN`), which is taken off. That is believed only in queues to which nobody
  but the app sends: a message in a poison queue is a copy that is visible at once, with the text of the original.
- What a delivery that failed adds is minutes at most, and seen only in the seconds until the message is taken again.
  The alert therefore asks for waiting in every one of its samples, not for one long wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol

from shared import telemetry
from shared.errors import AppError, Unavailable
from shared.storage.queues import Front

OPERATION = "queue-watch"
OWN_QUEUES = ("workflow-steps", "refresh-looks")
"""To which nobody but the app sends."""
TRIGGER_QUEUES = ("provisioning-requests", "data-landed", *OWN_QUEUES)
WORKED_QUEUES = (*TRIGGER_QUEUES, *(f"{name}-poison" for name in TRIGGER_QUEUES))
"""Each of them has a function."""
EVENTS_QUEUE = "operations-events"
"""Read by others, if by anybody: in the workbook, but without an alert, which would be about somebody else's app."""


NONE = timedelta(0)


class Watched(Protocol):
    """A queue to look at."""

    def front(self) -> Front: ...


class QueueWatch:
    """Looks at `queues`, each by its name."""

    def __init__(self, queues: Mapping[str, Watched]) -> None:
        self._queues = queues

    def look(self) -> None:
        """One line for each queue: `count` (about, with what is invisible) and `oldestSeconds` (0: nothing waits).

        A queue that is missing, refuses us or is throttled has its own line, and the others are looked at all the same.
        Raises Unavailable where storage as a whole is away: the next minute comes soon enough.
        """
        for name, queue in self._queues.items():
            try:
                self._look(name, queue)
            except Unavailable:
                raise
            except AppError:
                continue  # `timed` has logged it, with what to do

    def _look(self, name: str, queue: Watched) -> None:
        with telemetry.timed(OPERATION, target=name) as line:
            front = queue.front()
            line["count"] = front.length
            line["oldestSeconds"] = round(longest_wait(front, delayed=name in OWN_QUEUES).total_seconds())


def longest_wait(front: Front, *, delayed: bool) -> timedelta:
    """For how long the message that has waited longest has been there to be taken; zero if there is none.

    `delayed`: the delays of which messages tell are taken off. Never negative, although the time of an answer is cut to
    the second and that of a message is not.
    """
    waits = (front.seen_at - each.inserted_at - (each.hidden if delayed else NONE) for each in front.messages)
    return max((NONE, *waits))
