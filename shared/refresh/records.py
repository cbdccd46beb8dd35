"""What the refresh engine keeps: one head for each dataset, one row for each landing and each run.

Rows are values: a change makes a new one, and the store writes it only if nobody wrote in between (`etag`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from shared.powerbi.refreshes import VIA_API, VIA_ENHANCED_API
from shared.refresh.rules import RefreshObject

Json = dict[str, Any]


class Trigger(StrEnum):
    """Why a run began, in the words of the run document."""

    DATA_LANDED = "dataLanded"
    MANUAL = "manual"


class RunStatus(StrEnum):
    """A run's status, in the words of the run document."""

    QUEUED = "queued"
    WAITING = "waiting"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    TIMED_OUT = "timedOut"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"


FINAL = frozenset({RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.TIMED_OUT, RunStatus.CANCELLED, RunStatus.SKIPPED})


@dataclass(frozen=True)
class Landing:
    """One file for one dataset; no objects are the whole model. `key` is the hash of its URL and ETag."""

    key: str
    objects: tuple[RefreshObject, ...]
    immediate: bool
    event_time: datetime
    """When it landed, by storage's clock."""
    arrived_at: datetime
    """When its event reached us, by ours."""


@dataclass(frozen=True)
class Queued:
    """A run that has not been started, or is to be started again; `body`: with a body of its caller's."""

    run_id: str
    trigger: Trigger
    since: datetime
    correlation_id: str
    caller: Json = field(default_factory=dict)
    body: bool = False
    asked: bool = False
    """Somebody asked for it: it is carried out whether or not anything has landed."""
    urgent: bool = False
    """Neither quiet period nor a failure's delay holds it back."""
    attempts: int = 0
    """Attempts that have ended."""
    not_before: datetime | None = None
    """The delay before another attempt."""
    to_tables: bool = False
    """The model lacks a partition that the rules name: whole tables are refreshed."""

    @property
    def joinable(self) -> bool:
        """A request without a body is served by this run, and it covers what has landed."""
        return not self.body


@dataclass(frozen=True)
class Flight:
    """A refresh that was announced, and perhaps sent: from the claim until its end is recorded.

    Without `request_id` nobody knows whether Power BI took it; `adopted` says that the id was found in the history, so
    that it may be somebody else's.
    """

    entry: Queued
    claim: str
    """Names this announcement: the keys that it is to cover are kept under it."""
    workspace_id: str
    enhanced: bool
    objects: tuple[RefreshObject, ...]
    """What it refreshes; empty: the whole model, or what the caller's own body says."""
    claimed_at: datetime
    post_by: datetime
    """The POST must not begin after this."""
    claimed_until: datetime
    """Until here the one who claimed may still be at it."""
    since: datetime
    """From when it counts that nothing has appeared in the history."""
    timeout: timedelta
    known: tuple[str, ...] = ()
    """The history as it was: request ids that can't be ours."""
    request_id: str = ""
    adopted: bool = False
    cancel_requested: bool = False
    cancel_sent_at: datetime | None = None
    timed_out: bool = False
    """It takes too long, and is cancelled for that."""
    refused_at: datetime | None = None
    """From when on Power BI has refused to show its history."""

    @property
    def refresh_type(self) -> str:
        """As the refresh history calls it."""
        return VIA_ENHANCED_API if self.enhanced else VIA_API


@dataclass(frozen=True)
class Ending:
    """How an attempt, or a run that never began, ended: decided once by a write of the head, and carried out (run
    document, event) by whoever meets it there, perhaps twice and always the same.
    """

    entry: Queued
    status: RunStatus
    at: datetime
    claim: str = ""
    """Which attempt; empty for a run that never began."""
    reason: str = ""
    request_id: str = ""
    started_at: datetime | None = None
    """By Power BI's clock, as `ended_at`."""
    ended_at: datetime | None = None
    error: Json | None = None
    again: bool = False
    """The run goes on with another attempt."""


@dataclass(frozen=True)
class DatasetHead:
    """One dataset. `number` counts looks: a message for another number is stale."""

    dataset_id: str
    due: datetime | None = None
    """When the next look comes; None while there is nothing to look at."""
    number: int = 0
    flight: Flight | None = None
    endings: tuple[Ending, ...] = ()
    queue: tuple[Queued, ...] = ()
    rests_until: datetime | None = None
    """After a run that failed: none for what has landed before this, unless somebody asks for it."""
    no_post_before: datetime | None = None
    """A POST of ours may still take effect, or was refused: none is sent before this, whoever asks."""
    no_call_before: datetime | None = None
    """Power BI (or Entra, or Key Vault) said that it must not be asked before."""
    incidents: int = 0
    """Runs in a row that ended without covering anything."""
    refusals: int = 0
    """POSTs in a row that were refused because another refresh was executing."""
    strikes: int = 0
    """Looks in a row that were given up by the host."""
    etag: str = field(default="", compare=False)

    @property
    def joinable(self) -> Queued | None:
        """The run that the next refresh without a caller's body will be."""
        return next((each for each in self.queue if each.joinable), None)

    def overdue(self, now: datetime, patience: timedelta) -> bool:
        """The look that was to come is long past: it counts as none."""
        return self.due is not None and self.due < now - patience

    def looked_after(self, by: datetime, now: datetime, patience: timedelta) -> bool:
        """A look comes in time for something that has to be looked at `by` then."""
        if self.due is None or self.overdue(now, patience):
            return False
        return self.flight is not None or self.due <= by

    def calling(self, due: datetime) -> DatasetHead:
        """A look is to come: every earlier message is stale."""
        return replace(self, due=due, number=self.number + 1)

    def enqueued(self, entry: Queued, *, first: bool = False) -> DatasetHead:
        """With one more run, or with this version of it."""
        others = tuple(each for each in self.queue if each.run_id != entry.run_id)
        return replace(self, queue=(entry, *others) if first else (*others, entry))

    def without(self, run_id: str) -> DatasetHead:
        """The run is not waiting here any more."""
        return replace(self, queue=tuple(each for each in self.queue if each.run_id != run_id))


@dataclass(frozen=True)
class Attempt:
    """One refresh of a run. `status` is empty while it runs."""

    number: int
    claim: str
    started_at: datetime
    request_id: str = ""
    ended_at: datetime | None = None
    status: str = ""
    error: Json | None = None

    def document(self) -> Json:
        """As values of the run document; times are datetimes."""
        return {
            "number": self.number,
            "requestId": self.request_id or None,
            "startedAt": self.started_at,
            "endedAt": self.ended_at,
            "status": self.status or "running",
            "error": self.error,
        }


@dataclass(frozen=True)
class Run:
    """One run: from the first landing or request until its refresh, or the last retry of it, has ended."""

    id: str
    dataset: str
    """The alias in refresh.yaml."""
    workspace_id: str
    dataset_id: str
    trigger: Trigger
    queued_at: datetime
    correlation_id: str
    caller: Json = field(default_factory=dict)
    """The verified caller of a manual run."""
    status: RunStatus = RunStatus.QUEUED
    reason: str = ""
    request_id: str = ""
    """Power BI's, of the last attempt."""
    refresh_type: str = ""
    """As the refresh history calls it: ViaApi or ViaEnhancedApi; empty before the first attempt."""
    attempts: tuple[Attempt, ...] = ()
    events: int = 0
    """Landings that the last attempt covers, or would have."""
    objects: tuple[RefreshObject, ...] = ()
    """What the last attempt refreshes; empty: the whole model, or what the caller's own body says."""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    error: Json | None = None
    """code, class, message, retryable, remedy."""
    cancel_requested: bool = False
    cancels: tuple[str, ...] = ()
    """Ids of the latest requests for its end, by which a repeat of one is known."""
    etag: str = field(default="", compare=False)

    @property
    def final(self) -> bool:
        """Nothing will change any more."""
        return self.status in FINAL


@dataclass(frozen=True)
class Change:
    """One change made outside. `claim` and `action` name it: a repeat is the same record."""

    action: str
    """`startRefresh` or `cancelRefresh`."""
    claim: str
    outcome: str
    """`done`, `refused`, or `unknown`: it was to be sent, or was sent, and the answer is not known (yet)."""
    request_id: str = ""
    detail: str = ""
