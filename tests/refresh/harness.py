"""The refresh engine with a clock, storage, a host and a Power BI that tests hold in their hands."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from shared.errors import Retryable
from shared.refresh.documents import DatasetPolicy
from shared.refresh.engine import RefreshEngine
from shared.refresh.events import Landed
from shared.refresh.landings import landing_key
from shared.refresh.ports import Refresher
from shared.refresh.records import Change, DatasetHead, Run, RunStatus
from shared.refresh.rules import Match, RefreshObject
from shared.refresh.store import RefreshStore, RefreshTables
from shared.refresh.timing import Timing
from tests.doubles.clock import DAY, HOUR, MINUTE, NOON
from tests.doubles.host import GIVEN_BACK_AFTER_A_CRASH, Host
from tests.doubles.storage import MemoryContainer, MemoryTable, Sent
from tests.doubles.taps import Crash, Tap, untapped
from tests.refresh.world import World

T = TypeVar("T")

DATASET = "d0000000-0000-0000-0000-000000000001"
WORKSPACE = "a0000000-0000-0000-0000-000000000001"
SHARED = DatasetPolicy(
    alias="sales",
    workspace_id=WORKSPACE,
    dataset_id=DATASET,
    premium=False,
    quiet_period=2 * MINUTE,
    max_wait=15 * MINUTE,
    timeout=2 * HOUR,
    attempts=3,
    retry_delay=5 * MINUTE,
    backoff=2,
    paused=False,
)
"""The policy of the tests' dataset; what it says is written out, so that a changed default changes no test."""
PREMIUM = replace(SHARED, premium=True)


@dataclass
class Event:
    """A message of the queue `data-landed`: `file` landed when it says, and what the rules make of that."""

    file: str
    event_time: datetime
    objects: tuple[RefreshObject, ...] = ()
    immediate: bool = False
    dataset_id: str = DATASET
    visible_at: datetime = NOON
    dequeued: int = 0

    @property
    def landed(self) -> Landed:
        url = f"https://landing.invalid/landing/{self.file}"
        return Landed(url, f"landing/{self.file}", "0x1", self.event_time, f"e-{self.file}", "PutBlob")

    @property
    def key(self) -> str:
        return landing_key(self.landed.url, self.landed.etag)


@dataclass
class Told:
    """What left the engine for others. `changes`: rows of the audit, where a known one replaces an unknown one."""

    tap: Tap = untapped
    changes: dict[tuple[str, str, str], Change] = field(default_factory=dict)
    ends: list[tuple[str, RunStatus]] = field(default_factory=list)
    at: list[datetime] = field(default_factory=list)
    """When each end was told."""
    now: Callable[[], datetime] = field(default=lambda: NOON)

    def changed(self, run: Run, change: Change) -> None:
        with self.tap("audit record"):
            key = run.id, change.claim, change.action
            if key not in self.changes or self.changes[key].outcome == "unknown":
                self.changes[key] = change

    def ended(self, run: Run) -> None:
        with self.tap("events tell"):
            self.ends.append((run.id, run.status))
            self.at.append(self.now())


class Harness(Host):
    """One deployment with one dataset, or with those of `policies`."""

    def __init__(self, policy: DatasetPolicy = SHARED, tap: Tap = untapped, timing: Timing | None = None) -> None:
        super().__init__("refresh-looks", tap)
        self.timing = timing or Timing()
        self.operations: Counter[str] = Counter()
        self.datasets = MemoryTable("datasets", self.tapped)
        self.landings = MemoryTable("landings", self.tapped)
        self.runs = MemoryTable("runs", self.tapped)
        self.blobs = MemoryContainer("runs", self.tapped)
        self.world = World(self.clock, self.tapped)
        self.outside_world: Refresher = self.world
        self.told = Told(self.tapped, now=self.clock)
        self.policies: dict[str, DatasetPolicy] = {policy.dataset_id: policy}
        self.store = RefreshStore(RefreshTables(self.datasets, self.landings, self.runs), self.blobs)
        self.events: list[Event] = []
        self.delivered: list[Event] = []
        self.engines: dict[timedelta, RefreshEngine] = {}
        self._ids = itertools.count(1)

    @contextmanager
    def tapped(self, call: str) -> Iterator[None]:
        self.operations[call] += 1
        with self.tap(call):
            yield

    def untapped(self, read: Callable[[], T]) -> T:
        counted = self.operations.copy()
        try:
            return super().untapped(read)
        finally:
            self.operations = counted

    # ---- the app
    def engine(self, offset: timedelta = timedelta(0)) -> RefreshEngine:
        """The instance whose clock is `offset` ahead."""
        if offset not in self.engines:
            self.engines[offset] = self._engine(offset)
        return self.engines[offset]

    def _engine(self, offset: timedelta) -> RefreshEngine:
        now: Callable[[], datetime] = lambda: self.clock() + offset  # noqa: E731
        return RefreshEngine(
            self.store,
            self.queue,
            self.outside_world,
            self.policies.get,
            self.told,
            now,
            self.timing,
            lambda: list(self.policies),
            lambda: f"id{next(self._ids)}",
        )

    @property
    def policy(self) -> DatasetPolicy:
        return self.policies[DATASET]

    def change_policy(self, **changes: Any) -> None:
        """Somebody uploads another refresh.yaml."""
        self.policies[DATASET] = replace(self.policy, **changes)

    def start(self, run_id: str = "m1", body: dict[str, Any] | None = None) -> Run:
        """Somebody asks for a refresh."""
        return self.engine().start(
            self.policy, run_id=run_id, caller={"clientId": "c"}, body=body, correlation_id=f"c-{run_id}"
        )

    # ---- what stands in storage
    def head(self, dataset_id: str = DATASET) -> DatasetHead:
        """The dataset's head; an empty one where there is none."""
        return self.untapped(lambda: self.store.head(dataset_id)) or DatasetHead(dataset_id)

    def run(self, id: str) -> Run:
        """A run; it has to be there."""
        found = self.untapped(lambda: self.store.run(id))
        assert found is not None
        return found

    def all_runs(self) -> list[Run]:
        """All runs, the oldest first."""
        found = self.untapped(lambda: self.engine().listed("", "", 1000))
        return [run for _, run in found if run][::-1]

    def pending(self, dataset_id: str = DATASET) -> set[str]:
        """Keys that no refresh has covered."""
        return {each.key for each in self.untapped(lambda: self.store.landings.pending(dataset_id))}

    def counted(self) -> dict[str, int]:
        """Storage calls since the last time this was asked."""
        found = {name: count for name, count in self.operations.items() if not name.startswith("powerbi")}
        self.operations.clear()
        return found

    # ---- files
    def file(
        self,
        name: str,
        *objects: RefreshObject,
        immediate: bool = False,
        dataset_id: str = DATASET,
        delay: timedelta = timedelta(0),
        skew: timedelta = timedelta(0),
    ) -> Event:
        """A file lands; its event is on its way."""
        self.world.lands(name)
        self.world.wanted[name] = objects
        event = Event(name, self.clock() + skew, objects, immediate, dataset_id, self.clock() + delay)
        self.events.append(event)
        return event

    def land(self, name: str, *objects: RefreshObject, **options: Any) -> Event:
        """A file lands and its event arrives."""
        event = self.file(name, *objects, **options)
        self.deliver_event(event)
        return event

    def deliver_event(self, event: Event, offset: timedelta = timedelta(0)) -> bool:
        """Run the function once for an event, as the host does."""
        self.events.remove(event)
        event.dequeued += 1
        try:
            self.engine(offset).land(event.landed, [Match(event.dataset_id, event.objects, event.immediate)])
        except Crash:
            event.visible_at = self.clock() + GIVEN_BACK_AFTER_A_CRASH
            self.events.append(event)
            return False
        except Retryable as error:
            event.visible_at = self.clock() + timedelta(seconds=error.retry_after)
            self.events.append(event)
            return False
        self.delivered.append(event)
        return True

    # ---- the host
    def deliver(self, message: Sent, offset: timedelta = timedelta(0)) -> None:
        """Run the function once for a look."""

        def look(raw: bytes) -> None:
            body = json.loads(raw)
            try:
                self.engine(offset).look(body["datasetId"], body["number"])
            except Retryable as error:
                self.queue.sent.append(Sent(raw, self.clock() + timedelta(seconds=error.retry_after)))

        self.deliver_to(look, message)

    def sweep(self, offset: timedelta = timedelta(0)) -> None:
        """The timer fires."""
        try:
            self.engine(offset).sweep()
        except (Crash, Retryable):
            return

    def deliver_all(self, limit: int = 300) -> int:
        """Deliver until nothing is visible; answers how many messages that were."""
        for count in range(limit):
            arrived = [event for event in self.events if event.visible_at <= self.clock()]
            if arrived:
                self.deliver_event(arrived[0])
            elif self.poison:
                self.engine().poisoned(json.loads(self.poison.pop(0).body)["datasetId"])
            elif visible := self.queue.visible():
                self.deliver(visible[0])
            else:
                return count
        raise AssertionError("messages do not die out")

    def at_rest(self) -> bool:
        """Nothing is left to do."""
        heads = [self.head(id) for id in self.policies]
        busy = any(head.due or head.flight or head.endings or head.queue for head in heads)
        return not (busy or self.queue.sent or self.events or self.poison or any(map(self.pending, self.policies)))

    def settle(self, patience: timedelta = 10 * DAY, *, sweeps: bool = True) -> None:
        """Let time pass, and sweep each minute where nothing else happens, until nothing is left to do."""
        end = self.clock() + patience
        while True:
            self.deliver_all()
            if self.at_rest():
                return
            assert self.clock() < end, f"never comes to rest: {self.head()} {self.queue.messages()}"
            self.pass_to_next(sweeps=sweeps)

    def pass_to_next(self, *, sweeps: bool = True) -> None:
        """To the next message, or to the next sweep where none comes within a minute."""
        coming = min(self._coming(), default=self.clock() + MINUTE)
        if coming - self.clock() >= MINUTE and sweeps:
            self.clock.advance(MINUTE)
            self.sweep()
            self.deliver_all()
            coming = min([coming, *(each.visible_at for each in self.queue.sent)])
        self.clock.now = max(self.clock.now, coming)

    def _coming(self) -> list[datetime]:
        """When messages become visible."""
        return [*(each.visible_at for each in self.queue.sent), *(each.visible_at for each in self.events)]

    def pass_time(self, by: timedelta, *, sweeps: bool = True) -> None:
        """Let so much time pass, and deliver whatever comes meanwhile."""
        end = self.clock() + by
        while self.clock() < end:
            self.deliver_all()
            coming = [each for each in self._coming() if each > self.clock()]
            soon = min([*coming, self.clock() + MINUTE, end])
            self.clock.now = soon
            if sweeps:
                self.sweep()
        self.deliver_all()
