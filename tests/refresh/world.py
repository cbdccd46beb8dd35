"""A make-believe Power BI for one dataset: one refresh at a time, a late history, lost answers, strangers.

It remembers which files had truly landed when each refresh began, and notes every harm that a wrong engine would do.
"""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shared.errors import AppError, Evidence, Invalid, NotFound, Throttled, Unavailable
from shared.powerbi.refreshes import RefreshDetails, RefreshEntry
from shared.refresh.rules import RefreshObject
from tests.doubles.taps import Tap, untapped

Json = dict[str, Any]

# how a POST may fare, other than well
THROTTLED = "throttled"
AWAY = "away"  # it can't be reached: nothing happens
LOST = "lost"  # carried out, but the answer does not arrive
LATE = "late"  # no answer arrives, and it is carried out later
NEVER = "never"  # no answer arrives, and nothing happens
DROPPED = "dropped"  # accepted, and forgotten
INSIDE = "inside"  # accepted, and begun a while later
NAMELESS = "nameless"  # carried out, and no id is sent back

LATEST_EFFECT = timedelta(minutes=2)
"""After its deadline a POST has had its effect or never will."""
LONGEST_WAIT = timedelta(minutes=2)
"""A refresh that was accepted begins within this while nothing else runs."""
EXECUTING = "Invalid dataset refresh request. Another refresh request is already executing"


@dataclass
class Refresh:
    """One refresh. `begins` is when it may begin, `started` when it did; both by the true clock."""

    id: str
    ours: bool
    kind: str
    body: Json | None
    begins: datetime
    visible_at: datetime
    lasts: timedelta
    outcome: str = "Completed"
    error: str = ""
    started: datetime | None = None
    ended: datetime | None = None
    dropped: bool = False
    read: frozenset[str] = frozenset()
    """Files that had landed when it began."""

    @property
    def running(self) -> bool:
        return self.started is not None and self.ended is None

    @property
    def waiting(self) -> bool:
        return self.started is None and not self.dropped


@dataclass
class World:
    """`fates` say how the next POSTs fare, `outcomes` how the next refreshes of ours end: (outcome, error)."""

    now: Callable[[], datetime]
    tap: Tap = untapped
    lasts: timedelta = timedelta(minutes=3)
    lag: timedelta = timedelta(0)
    skew: timedelta = timedelta(0)
    """By how much Power BI's clock is ahead."""
    refreshes: list[Refresh] = field(default_factory=list)
    late: list[tuple[datetime, Json | None]] = field(default_factory=list)
    landed: dict[str, datetime] = field(default_factory=dict)
    wanted: dict[str, tuple[RefreshObject, ...]] = field(default_factory=dict)
    """What of the model each file is for; nothing is all of it."""
    fates: deque[str | AppError] = field(default_factory=deque)
    reading: deque[AppError] = field(default_factory=deque)
    """Errors of the next reads of the history."""
    outcomes: deque[tuple[str, str]] = field(default_factory=deque)
    calls: Counter[str] = field(default_factory=Counter)
    harm: list[str] = field(default_factory=list)
    ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    deleted: bool = False

    # ---- what the app may call
    def start(self, workspace_id: str, dataset_id: str, body: Json | None, *, deadline: float) -> str:
        """The POST."""
        with self.tap("powerbi start"):
            self.calls["start"] += 1
            self.pass_time()
            return self._by_fate(self.fates.popleft() if self.fates else "", body)

    def history(self, workspace_id: str, dataset_id: str) -> list[RefreshEntry]:
        """What it shows now, the newest first."""
        with self.tap("powerbi history"):
            self.calls["history"] += 1
            self.pass_time()
            if self.reading:
                raise self.reading.popleft()
            if self.deleted:
                raise NotFound("no such dataset", evidence=Evidence(code="PowerBIEntityNotFound"))
            shown = [each for each in self.refreshes if each.started and each.visible_at <= self.now()]
            return [self._entry(each) for each in sorted(shown, key=lambda each: each.started or each.begins)][::-1]

    def details(self, workspace_id: str, dataset_id: str, request_id: str) -> RefreshDetails:
        """An enhanced refresh."""
        with self.tap("powerbi details"):
            self.calls["details"] += 1
            self.pass_time()
            found = next((each for each in self.refreshes if each.id == request_id and each.body is not None), None)
            if found is None or found.body is None:
                raise Invalid("not an enhanced one")
            objects = tuple((one["table"], one.get("partition", "")) for one in found.body.get("objects", []))
            messages = ({"type": "Error", "message": found.error},) if found.error and not found.running else ()
            return RefreshDetails(**vars(self._entry(found)), objects=objects, messages=messages)

    def cancel(self, workspace_id: str, dataset_id: str, request_id: str) -> None:
        """The DELETE."""
        with self.tap("powerbi cancel"):
            self.calls["cancel"] += 1
            self.pass_time()
            found = next((each for each in self.refreshes if each.id == request_id), None)
            if found is None or found.body is None or not found.running:
                raise Invalid("nothing to cancel")
            if not found.ours:
                self.harm.append("a stranger's refresh is cancelled")
            self._end(found, "Cancelled")

    # ---- what others do
    def stranger(self, kind: str = "Scheduled", outcome: str = "Completed", lasts: timedelta | None = None) -> bool:
        """Somebody else starts a refresh; False if one is running."""
        self.pass_time()
        if self.executing():
            return False
        body: Json | None = {"objects": [{"table": "Other"}]} if kind == "ViaEnhancedApi" else None
        self._begin(self._accept(body, kind=kind, ours=False, lasts=lasts, ends=(outcome, "")))
        return True

    def lands(self, file: str) -> None:
        """A file is there from now on."""
        self.pass_time()
        self.landed[file] = self.now()

    def pass_time(self) -> None:
        """Whatever was to happen by now has happened, in its order."""
        while (moment := self._next_moment()) is not None and moment <= self.now():
            self._happen(moment)

    # ---- what tests ask
    def executing(self) -> Refresh | None:
        return next((each for each in self.refreshes if each.running), None)

    def ours(self) -> list[Refresh]:
        return [each for each in self.refreshes if each.ours]

    def truly_covered(self, file: str) -> bool:
        """A refresh that read it, and all that it is for, has completed."""
        return any(
            file in each.read and each.ended and each.outcome == "Completed" and self._takes_in(each, file)
            for each in self.refreshes
        )

    def _takes_in(self, refresh: Refresh, file: str) -> bool:
        if refresh.body is None or not refresh.body.get("objects"):
            return True
        done = {(one["table"], one.get("partition", "")) for one in refresh.body["objects"]}
        wanted = self.wanted.get(file) or ()
        return bool(wanted) and all((one.table, one.partition) in done or (one.table, "") in done for one in wanted)

    # ---- inside
    def _by_fate(self, fate: str | AppError, body: Json | None) -> str:
        if isinstance(fate, AppError):
            raise fate
        if fate == THROTTLED:
            raise Throttled("slow down", retry_after=90)
        if fate == AWAY:
            raise Unavailable("can't be reached", retry_after=15)
        if fate in (LATE, NEVER):
            if fate == LATE:
                self.late.append((self.now() + LATEST_EFFECT, body))
            raise Unavailable("no answer", effect_unknown=True)
        if self.executing():
            raise Invalid(EXECUTING, evidence=Evidence(status=400, code="InvalidRequest", message=EXECUTING))
        made = self._take(body, fate)
        if fate == LOST:
            raise Unavailable("no answer", effect_unknown=True)
        return "" if fate == NAMELESS else made.id

    def _take(self, body: Json | None, fate: str = "") -> Refresh:
        kind = "ViaApi" if body is None else "ViaEnhancedApi"
        ends = self.outcomes.popleft() if self.outcomes else ("Completed", "")
        made = self._accept(body, kind=kind, ours=True, ends=ends)
        if fate == DROPPED:
            made.dropped = True
        elif fate == INSIDE:
            made.begins += LONGEST_WAIT
        else:
            self._begin(made)
        if sum(1 for each in self.refreshes if each.ours and (each.running or each.waiting)) > 1:
            self.harm.append("two refreshes of ours in flight")
        return made

    def _accept(
        self, body: Json | None, *, kind: str, ours: bool, ends: tuple[str, str], lasts: timedelta | None = None
    ) -> Refresh:
        now = self.now()
        made = Refresh(
            f"r{next(self.ids)}", ours, kind, body, now, now + self.lag, lasts or self.lasts, ends[0], ends[1]
        )
        self.refreshes.append(made)
        return made

    def _begin(self, refresh: Refresh, at: datetime | None = None) -> None:
        refresh.started = at or self.now()
        refresh.visible_at = refresh.started + self.lag
        refresh.read = frozenset(file for file, landed in self.landed.items() if landed <= refresh.started)

    def _end(self, refresh: Refresh, outcome: str, at: datetime | None = None) -> None:
        refresh.outcome, refresh.ended = outcome, at or self.now()

    def _next_moment(self) -> datetime | None:
        running = self.executing()
        moments = [at for at, _ in self.late]
        if running and running.started:
            moments.append(running.started + running.lasts)
        else:
            moments += [each.begins for each in self.refreshes if each.waiting]
        return min(moments, default=None)

    def _happen(self, moment: datetime) -> None:
        running = self.executing()
        if running and running.started and running.started + running.lasts <= moment:
            self._end(running, running.outcome, running.started + running.lasts)
            for each in self.refreshes:  # who waited begins after this, not before
                each.begins = max(each.begins, moment + LONGEST_WAIT / 2) if each.waiting else each.begins
            return
        for at, body in [each for each in self.late if each[0] <= moment]:
            self.late.remove((at, body))
            if not running:  # else the service refuses it
                self._take(body)
            return
        waiting = next((each for each in self.refreshes if each.waiting and each.begins <= moment), None)
        if waiting and not running:
            self._begin(waiting, moment)

    def _entry(self, refresh: Refresh) -> RefreshEntry:
        enhanced = refresh.kind == "ViaEnhancedApi"
        final = "Failed" if refresh.outcome == "TimedOut" else refresh.outcome
        return RefreshEntry(
            request_id=refresh.id,
            refresh_type=refresh.kind,
            start_time=refresh.started + self.skew if refresh.started else None,
            end_time=refresh.ended + self.skew if refresh.ended else None,
            status=final if refresh.ended else "Unknown",
            extended_status=(refresh.outcome if refresh.ended else "InProgress") if enhanced else "",
            service_exception=refresh.error if refresh.ended else "",
        )
