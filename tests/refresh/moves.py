"""States that tests bring the engine into, failures by the names that Power BI gives them, and what came of a run."""

from __future__ import annotations

from dataclasses import replace

from shared.refresh.documents import DatasetPolicy
from shared.refresh.records import Flight, Queued, Run, Trigger
from shared.refresh.rules import RefreshObject
from tests.doubles.clock import HOUR, MINUTE, NOON, SECOND
from tests.doubles.taps import Interference
from tests.refresh.harness import SHARED, Harness

NOVEMBER = RefreshObject("Sales", "2026-11")
GATEWAY = ("Failed", '{"errorCode":"DM_GWPipeline_Gateway_Offline"}')
"""An end that may pass."""
CREDENTIALS = ("Failed", '{"errorCode":"ModelRefreshFailed_CredentialsNotSpecified"}')
"""An end that will not pass."""
NO_PARTITION = ("Failed", "The model has no partition '2026-11' in table 'Sales'")
OWN: dict[str, object] = {"type": "Full", "objects": [{"table": "Other"}]}
"""What a caller wants to have refreshed."""

ENTRY = Queued("run", Trigger.DATA_LANDED, NOON, "c")
CLAIMED = Flight(
    entry=ENTRY,
    claim="claim",
    workspace_id="w",
    enhanced=False,
    objects=(),
    claimed_at=NOON,
    post_by=NOON + 30 * SECOND,
    claimed_until=NOON + 90 * SECOND,
    since=NOON + 90 * SECOND,
    timeout=2 * HOUR,
    known=("before",),
)
"""A refresh that was announced at noon; nobody knows yet whether it began."""
OURS = replace(CLAIMED, request_id="ours")
"""The same, and Power BI has given it an id."""


def landed(policy: DatasetPolicy = SHARED, *objects: RefreshObject) -> Harness:
    """One file has landed; it is refreshed in two minutes."""
    h = Harness(policy)
    h.land("a", *objects)
    return h


def about_to_start() -> tuple[Harness, Interference]:
    """The quiet period is over, and the only look is the one that starts the refresh."""
    interference = Interference()
    h = Harness(tap=interference)
    h.land("a")
    h.clock.advance(2 * MINUTE)
    interference.arm({})
    return h, interference


def calls_of_a_start() -> list[str]:
    """What a look that starts a refresh calls, in order."""
    h, interference = about_to_start()
    h.deliver(h.queue.sent[0])
    return interference.calls


def call_of_a_start(name: str) -> int:
    """Which of these is the first of that name (1 is the first of all)."""
    return calls_of_a_start().index(name) + 1


def started(h: Harness) -> list[float]:
    """Minutes from the beginning at which refreshes of ours began."""
    return [(each.started - h.clock.start) / MINUTE for each in h.world.ours() if each.started]


def only(h: Harness) -> Run:
    [run] = h.all_runs()
    return run


def audited(h: Harness) -> list[str]:
    """How the changes in the audit ended."""
    return [change.outcome for change in h.told.changes.values()]
