"""When to look at a refresh again: pure. Learned from how long earlier ones took, as the refresh history says.

Before the time at which refreshes of this dataset use to end, few looks, so that an early failure is seen; around that
time close ones; after it ever wider ones. Without any history each look comes by a constant factor later.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from shared.refresh.timing import Timing

EARLY = 4.0
"""By which factor looks go on before the usual end."""
SHARP = 1.08
"""… and around it: so much of the duration is the longest delay."""
LATE = 1.1
BLIND = 1.6
"""… and where nothing is known: twenty calls for a refresh of two hours."""
MUCH_LATER = 1.6
"""After so many times the longest usual duration, looks are as wide as where nothing is known."""
CLOSE_LOOKS = 10
"""At most so many around the usual end, however much durations vary."""
JUST_AFTER = 1.02
"""A look just after the usual end finds what is as usual."""


def next_look(elapsed: timedelta, durations: Sequence[timedelta], timing: Timing) -> timedelta:
    """How long to wait, when a refresh has been going on for `elapsed` and earlier ones took `durations`."""
    seconds = max(elapsed.total_seconds(), 0.0)
    first = timing.first_look.total_seconds()
    known = sorted(each.total_seconds() for each in durations if each > timedelta(0))
    point = _known_pace(seconds, known, first) if known else max(seconds * BLIND, first)
    step = timedelta(seconds=point - seconds)
    return min(max(step, timing.shortest_step), timing.longest_step)


def _known_pace(seconds: float, known: Sequence[float], first: float) -> float:
    """The next moment after `seconds`, from the refresh's beginning."""
    soonest, usual, latest = (_quantile(known, part) * JUST_AFTER for part in (0.1, 0.5, 0.9))
    if seconds < soonest:
        return min(max(seconds * EARLY, first), soonest)
    if seconds < latest:
        factor = max(SHARP, (latest / soonest) ** (1 / CLOSE_LOOKS))
        close = min(seconds * factor, latest)
        return usual if seconds < usual < close else close
    return seconds * (LATE if seconds < latest * MUCH_LATER else BLIND)


def _quantile(ordered: Sequence[float], part: float) -> float:
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)]
