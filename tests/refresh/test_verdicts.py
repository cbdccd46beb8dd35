"""Every state in which a refresh can end or seem to, and what is made of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from shared.powerbi.refreshes import RefreshEntry
from shared.refresh.endings import NEVER_APPEARED, after, ended, refused
from shared.refresh.failures import Failure, failure_of
from shared.refresh.history import State, covered_by, durations, in_progress, state_of
from shared.refresh.records import DatasetHead, Flight, Landing, RunStatus
from shared.refresh.rules import RefreshObject
from shared.refresh.timing import Timing
from shared.refresh.verdicts import Adopt, GiveUp, Going, NotYet, Over, judge
from tests.doubles.clock import HOUR, MINUTE, NOON, SECOND
from tests.refresh.harness import SHARED
from tests.refresh.moves import CLAIMED, ENTRY, OURS

MARGIN = timedelta(minutes=2)
TIMING = Timing()


def entry(
    id: str = "ours",
    status: str = "Unknown",
    extended: str = "",
    *,
    kind: str = "ViaApi",
    start: datetime | None = NOON + 5 * SECOND,
    end: datetime | None = None,
    error: str = "",
) -> RefreshEntry:
    return RefreshEntry(id, kind, start, end, status, extended, error)


# ---- one entry
@pytest.mark.parametrize(
    ("status", "extended", "has_ended", "state"),
    [
        # in progress
        ("Unknown", "", False, State.RUNNING),
        ("Unknown", "NotStarted", False, State.RUNNING),
        ("Unknown", "InProgress", False, State.RUNNING),
        ("Unknown", "Unknown", False, State.RUNNING),
        ("InProgress", "InProgress", False, State.RUNNING),
        ("NotStarted", "", False, State.RUNNING),
        ("", "", False, State.RUNNING),
        ("SomethingNew", "", False, State.RUNNING),
        # completed, surely
        ("Completed", "", True, State.COMPLETED),
        ("Completed", "", False, State.COMPLETED),
        ("completed", "Completed", True, State.COMPLETED),
        ("Unknown", "Completed", True, State.COMPLETED),
        ("Completed", "Unknown", True, State.COMPLETED),
        # completed, perhaps
        ("Unknown", "Completed", False, State.RUNNING),
        ("Completed", "InProgress", False, State.RUNNING),
        ("Completed", "NotStarted", True, State.RUNNING),
        ("Completed", "Failed", True, State.FAILED),
        ("Completed", "Cancelled", True, State.CANCELLED),
        ("Completed", "SomethingNew", True, State.UNCLEAR),
        ("Unknown", "", True, State.UNCLEAR),
        ("SomethingNew", "", True, State.UNCLEAR),
        # ended otherwise
        ("Failed", "", True, State.FAILED),
        ("Failed", "", False, State.FAILED),
        ("Failed", "Failed", True, State.FAILED),
        ("Failed", "TimedOut", True, State.TIMED_OUT),
        ("Failed", "Cancelled", True, State.CANCELLED),
        ("Failed", "Completed", True, State.FAILED),
        ("Unknown", "Failed", False, State.FAILED),
        ("Unknown", "TimedOut", True, State.TIMED_OUT),
        ("Cancelled", "", True, State.CANCELLED),
        ("Cancelled", "Cancelled", True, State.CANCELLED),
        ("TimedOut", "", True, State.TIMED_OUT),
        ("Disabled", "", True, State.DISABLED),
        ("Disabled", "Disabled", False, State.DISABLED),
    ],
)
def test_what_an_entry_stands_for(status: str, extended: str, has_ended: bool, state: State) -> None:
    assert state_of(entry(status=status, extended=extended, end=NOON + MINUTE if has_ended else None)) is state


def test_an_entry_in_progress_for_longer_than_any_refresh_lasts_is_a_leftover() -> None:
    assert in_progress(entry(), NOON + 24 * HOUR, TIMING)
    assert not in_progress(entry(), NOON + 26 * HOUR, TIMING)


# ---- a refresh of ours
LATER = NOON + 3 * MINUTE
CASES = {
    "its id runs": (OURS, [entry()], LATER, Going(entry())),
    "its id runs before the claim is over": (OURS, [entry()], NOON + 10 * SECOND, Going(entry())),
    "its id is not shown yet": (OURS, [], LATER, NotYet(OURS.since)),
    "its id is not shown, and another runs": (OURS, [entry("x")], LATER, NotYet(LATER, entry("x"))),
    "its id is not shown, and another has ended": (
        OURS,
        [entry("x", "Completed", end=LATER)],
        LATER,
        NotYet(LATER),
    ),
    "its id never appeared": (OURS, [], OURS.since + 10 * MINUTE, GiveUp()),
    "its id almost never appeared": (OURS, [], OURS.since + 10 * MINUTE - SECOND, NotYet(OURS.since)),
    "its id never appeared, while another runs": (
        OURS,
        [entry("x", start=LATER)],
        OURS.since + HOUR,
        NotYet(OURS.since + HOUR, entry("x", start=LATER)),
    ),
    "its id has had no time to appear since another ended that nobody saw": (
        OURS,
        [entry("x", "Completed", end=NOON + HOUR)],
        NOON + HOUR + 11 * MINUTE,
        NotYet(NOON + HOUR + MARGIN),
    ),
    "unanswered, with no time to appear since another ended": (
        CLAIMED,
        [entry("x", "Failed", kind="Scheduled", end=NOON + HOUR)],
        NOON + HOUR + 11 * MINUTE,
        NotYet(NOON + HOUR + MARGIN),
    ),
    "its id never appeared beside a leftover": (
        OURS,
        [entry("x", start=NOON - 30 * HOUR)],
        OURS.since + 10 * MINUTE,
        GiveUp(),
    ),
    "it runs for ever": (OURS, [entry()], NOON + 26 * HOUR, Over(entry(), State.UNCLEAR)),
    "unanswered, and nothing appeared": (
        CLAIMED,
        [entry("before", "Completed", end=NOON - HOUR)],
        LATER,
        NotYet(CLAIMED.since),
    ),
    "unanswered, and it appeared": (CLAIMED, [entry("x")], LATER, Adopt(entry("x"))),
    "unanswered, and it has ended": (
        CLAIMED,
        [entry("x", "Failed", end=LATER)],
        LATER,
        Adopt(entry("x", "Failed", end=LATER)),
    ),
    "unanswered, and it began by an earlier clock": (
        CLAIMED,
        [entry("x", start=NOON - MINUTE)],
        LATER,
        Adopt(entry("x", start=NOON - MINUTE)),
    ),
    "unanswered, and an older one appeared late": (
        CLAIMED,
        [entry("x", "Completed", start=NOON - 3 * MINUTE, end=NOON)],
        LATER,
        NotYet(NOON + MARGIN),
    ),
    "unanswered, and one of another type appeared": (
        CLAIMED,
        [entry("x", kind="Scheduled")],
        LATER,
        NotYet(LATER, entry("x", kind="Scheduled")),
    ),
    "unanswered, and two appeared": (
        CLAIMED,
        [entry("y", start=NOON + 70 * SECOND), entry("x", "Completed", end=NOON + MINUTE)],
        LATER,
        Adopt(entry("x", "Completed", end=NOON + MINUTE)),
    ),
    "unanswered for good": (CLAIMED, [], CLAIMED.since + 10 * MINUTE, GiveUp()),
}


@pytest.mark.parametrize("case", CASES)
def test_what_became_of_a_refresh_that_was_announced(case: str) -> None:
    flight, entries, now, verdict = CASES[case]
    assert judge(flight, entries, now, MARGIN, TIMING) == verdict


# ---- what follows from an end
CREDENTIALS = '{"errorCode":"ModelRefreshFailed_CredentialsNotSpecified"}'
GATEWAY = '{"errorCode":"DM_GWPipeline_Gateway_Offline"}'
END = NOON + 9 * MINUTE


def end_of(flight: Flight, shown: RefreshEntry) -> tuple[RunStatus, bool]:
    """The attempt's status, and whether the run goes on."""
    over = Over(shown, state_of(shown))
    failure = None if over.state is State.COMPLETED else failure_of(shown)
    ending = ended(flight, over, failure, SHARED, END)
    assert (ending.error is None) == (over.state is State.COMPLETED)
    return ending.status, ending.again


@pytest.mark.parametrize(
    ("status", "extended", "error", "result"),
    [
        ("Completed", "", "", (RunStatus.COMPLETED, False)),
        ("Failed", "", GATEWAY, (RunStatus.FAILED, True)),
        ("Failed", "", CREDENTIALS, (RunStatus.FAILED, False)),
        ("Failed", "", "", (RunStatus.FAILED, True)),
        ("Failed", "TimedOut", "", (RunStatus.TIMED_OUT, False)),
        ("Failed", "Cancelled", "", (RunStatus.CANCELLED, False)),
        ("Cancelled", "", "", (RunStatus.CANCELLED, False)),
        ("Disabled", "", "", (RunStatus.FAILED, False)),
        ("Unknown", "", "", (RunStatus.FAILED, True)),
    ],
)
def test_how_a_run_ends(status: str, extended: str, error: str, result: tuple[RunStatus, bool]) -> None:
    assert end_of(OURS, entry(status=status, extended=extended, end=END, error=error)) == result


def test_the_last_attempt_is_the_last() -> None:
    shown = entry(status="Failed", end=END, error=GATEWAY)
    assert end_of(replace(OURS, entry=replace(ENTRY, attempts=1)), shown) == (RunStatus.FAILED, True)
    assert end_of(replace(OURS, entry=replace(ENTRY, attempts=2)), shown) == (RunStatus.FAILED, False)


def test_a_run_that_is_to_be_cancelled_is_not_tried_again() -> None:
    shown = entry(status="Failed", end=END, error=GATEWAY)
    assert end_of(replace(OURS, cancel_requested=True), shown) == (RunStatus.FAILED, False)


def test_a_refresh_that_we_cancelled_for_its_length_has_timed_out() -> None:
    shown = entry(status="Cancelled", end=END)
    assert end_of(replace(OURS, timed_out=True), shown) == (RunStatus.TIMED_OUT, False)
    assert end_of(replace(OURS, timed_out=True, cancel_requested=True), shown) == (RunStatus.CANCELLED, False)


def test_a_refresh_that_completed_in_spite_of_a_cancel_has_completed() -> None:
    shown = entry(status="Completed", end=END)
    assert end_of(replace(OURS, cancel_requested=True, timed_out=True), shown) == (RunStatus.COMPLETED, False)


def test_a_refresh_that_never_appeared_is_tried_again() -> None:
    ending = refused(OURS, NEVER_APPEARED, SHARED, END, skip=False)
    assert (ending.status, ending.again) == (RunStatus.FAILED, True)


def test_each_attempt_waits_longer_than_the_one_before() -> None:
    failing = entry(status="Failed", end=END, error=GATEWAY)
    for attempts, delay in ((0, 5 * MINUTE), (1, 10 * MINUTE)):
        flight = replace(OURS, entry=replace(ENTRY, attempts=attempts, urgent=True))
        ending = ended(flight, Over(failing, State.FAILED), failure_of(failing), SHARED, END)
        head = after(DatasetHead("d", flight=flight), ending, SHARED, END, TIMING)
        assert head.queue == (replace(ENTRY, attempts=attempts + 1, not_before=END + delay),)
        assert head.flight is None
        assert head.rests_until is None


def test_each_run_that_fails_for_good_is_followed_by_a_longer_pause() -> None:
    failure = Failure("c", "credentials", "m", False, "r")
    head = DatasetHead("d")
    pauses = []
    for _ in range(8):
        flying = replace(head, flight=OURS)
        head = after(flying, refused(OURS, failure, SHARED, END, skip=False), SHARED, END, TIMING)
        assert head.rests_until is not None
        pauses.append((head.rests_until - END) / MINUTE)
    assert pauses == [30, 60, 120, 240, 480, 960, 1440, 1440]
    done = Over(entry(status="Completed", end=END), State.COMPLETED)
    head = after(replace(head, flight=OURS), ended(OURS, done, None, SHARED, END), SHARED, END, TIMING)
    assert (head.incidents, head.rests_until) == (0, None)


def test_after_a_refresh_that_may_not_have_been_ours_none_is_sent_for_ten_minutes() -> None:
    flight = replace(OURS, adopted=True)
    done = ended(flight, Over(entry(status="Completed", end=END), State.COMPLETED), None, SHARED, END)
    assert after(DatasetHead("d", flight=flight), done, SHARED, END, TIMING).no_post_before == END + 10 * MINUTE
    assert after(DatasetHead("d", flight=OURS), done, SHARED, END, TIMING).no_post_before is None


# ---- what covers
@pytest.mark.parametrize(
    ("kind", "status", "begins_after", "covers"),
    [
        ("Scheduled", "Completed", 121, True),
        ("OnDemand", "Completed", 121, True),
        ("ViaApi", "Completed", 121, True),
        ("Scheduled", "Completed", 120, False),
        ("Scheduled", "Completed", -60, False),
        ("Scheduled", "Failed", 600, False),
        ("Scheduled", "Unknown", 600, False),
        ("ViaEnhancedApi", "Completed", 600, False),
        ("ViaXmlaEndpoint", "Completed", 600, False),
        ("OnDemandTraining", "Completed", 600, False),
    ],
)
def test_which_refreshes_cover_what_had_landed(kind: str, status: str, begins_after: int, covers: bool) -> None:
    landing = Landing("k", (RefreshObject("Sales"),), False, NOON, NOON)
    start = NOON + begins_after * SECOND
    end = start + MINUTE if status != "Unknown" else None
    found = covered_by([entry(status=status, kind=kind, start=start, end=end)], [landing], MARGIN)
    assert found == (["k"] if covers else [])


def test_durations_are_those_of_the_same_type_if_there_are_any() -> None:
    shown = [
        entry("a", "Completed", end=NOON + 65 * SECOND),
        entry("b", "Completed", kind="Scheduled", end=NOON + 125 * SECOND),
        entry("c", "Failed", end=NOON + 10 * SECOND),
        entry("d"),
    ]
    assert durations(shown, "ViaApi") == [MINUTE]
    assert durations(shown, "ViaEnhancedApi") == [MINUTE, 2 * MINUTE]
