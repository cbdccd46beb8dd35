"""One pass over rows that may have been neglected: what both engines' timers do each minute."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import timedelta

from shared import telemetry
from shared.errors import Retryable
from shared.times import Now

LONGEST_SWEEP = timedelta(seconds=45)
"""How long one may take: the next comes a minute after this one began."""


def sweep(operation: str, tasks: Iterable[tuple[str, Callable[[], bool]]], now: Now) -> int:
    """Look after each of `tasks`, (whose, how): answers how many needed it. Bounded in time: whoever gives the tasks
    begins elsewhere each minute, so that all have their turn. One that can't be handled stands in nobody's way.
    """
    began, found = now(), 0
    for whose, look_after in tasks:
        try:
            found += look_after()
        except Retryable as error:
            telemetry.event(operation, "later", target=whose, level=logging.WARNING, why=error.detail)
        except Exception:
            logging.getLogger(telemetry.LOGGER).exception("%s: %s can't be looked after.", operation, whose)
        if now() - began > LONGEST_SWEEP:
            telemetry.event(operation, "out of time", found=found, level=logging.WARNING)
            break
    return found
