"""How long things may take in the refresh engine: arguments, so that a test of days takes milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Timing:
    """What refresh.yaml does not say."""

    overdue: timedelta = timedelta(minutes=1)
    """A look that is due for longer counts as none: its message was lost, or whoever had it died."""
    post_within: timedelta = timedelta(seconds=30)
    """A POST begins no later than this after its claim."""
    call: timedelta = timedelta(seconds=30)
    """The deadline of a POST; it ends well before the claim does."""
    claim_after_post: timedelta = timedelta(minutes=1)
    """How long after the latest beginning of the POST the claim is left alone."""
    appears: timedelta = timedelta(minutes=10)
    """After this, while nothing else is refreshing, a refresh that the history does not show never began."""
    after_adopted: timedelta = timedelta(minutes=10)
    """No POST for so long after a refresh that may not have been ours: ours may still begin."""
    executing: timedelta = timedelta(seconds=30)
    """No POST for so long after one was refused because of another refresh; doubled each time, up to:"""
    longest_executing: timedelta = timedelta(minutes=5)
    used_up: timedelta = timedelta(minutes=75)
    """No POST for so long after one was refused because the day's are used up, unless Power BI asks for longer. Nobody
    says when there are more, and a day of asking is to be about twenty calls."""
    longest_refresh: timedelta = timedelta(hours=25)
    """What is in progress for longer is not: Power BI ends a refresh after a day."""
    incident: timedelta = timedelta(minutes=30)
    """The pause after a run that failed for good; doubled each time, up to:"""
    longest_incident: timedelta = timedelta(hours=24)
    cancel_again: timedelta = timedelta(minutes=1)
    """A refresh that goes on so long after it was cancelled is cancelled again."""
    first_look: timedelta = timedelta(seconds=5)
    shortest_step: timedelta = timedelta(seconds=1)
    """Queues know whole seconds."""
    longest_step: timedelta = timedelta(minutes=30)
    tombstones: timedelta = timedelta(days=8)
    """For so long a redelivered event is recognised: queues keep messages for a week."""
    most_objects: int = 50
    """A refresh of more partitions and tables is one of whole tables, or else of the whole model."""
    most_landings: int = 20_000
    """Landings that one look reads and covers; where more are pending, the next looks and refreshes go on."""
    most_waiting: int = 20
    """Runs with a body of their own that may wait for one dataset."""
    after_strike: timedelta = timedelta(minutes=1)
    """How long a dataset rests after its look was given up; doubled each time, up to:"""
    longest_strike: timedelta = timedelta(hours=1)
    writes: int = 10
    """How often a write that somebody else forestalled is tried anew."""


def grown(first: timedelta, times: int, longest: timedelta) -> timedelta:
    """`first`, doubled for each time after the first one."""
    return min(first * (1 << min(max(times - 1, 0), 20)), longest)
