"""How long things may take in the engine: arguments, so that a test of hours takes milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Timing:
    """The lease outlives the budget by the longest call, so no call begins that the lease does not outlive."""

    budget: timedelta = timedelta(minutes=4)
    """An invocation begins no call after this."""
    lease: timedelta = timedelta(minutes=5, seconds=30)
    grace: timedelta = timedelta(seconds=60)
    """By how much the clocks of two workers may differ: a lease is respected this much longer."""
    turn_after_project: timedelta = timedelta(seconds=30)
    """How often a workflow that waits for its project asks again, if nobody wakes it."""
    parked: timedelta = timedelta(minutes=5)
    """How long a workflow rests that this version of the app can't run, or whose invocation broke."""
    woken: timedelta = timedelta(minutes=2)
    """How long the sweep gives a message that it sent before it sends another."""
    orphan: timedelta = timedelta(hours=1)
    """A row in `open` without a head, or a place reserved, for so long belongs to an acceptance that was never
    answered."""
    most_in_line: int = 100
    """Workflows of one project, the one in turn included: each of them asks for its turn again and again, and the
    project's row has to hold them all."""
    strikes: int = 25
    """What turns a workflow round, and while it is taking back ends it, in the weights below: all at one step. An
    invocation that breaks is delivered five times before it is poison; a restart of the app kills what runs, so that
    one or two of those say nothing."""
    broke: int = 1
    died: int = 5
    poisoned: int = 5
    after_strike: timedelta = timedelta(seconds=30)
    """How long a workflow rests after a poisoned message."""
