"""The engine with a clock, storage, a host and a world that tests hold in their hands."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.errors import Retryable
from shared.storage.queues import put_back
from shared.workflow.engine import Acceptance, Engine
from shared.workflow.records import Head, Json, StepRow
from shared.workflow.steps import Change, Kind
from shared.workflow.store import Store, Tables
from shared.workflow.timing import Timing
from shared.workflow.triggers import Triggers
from tests.doubles.clock import MINUTE
from tests.doubles.host import Host
from tests.doubles.storage import MemoryContainer, MemoryTable, Sent
from tests.doubles.taps import Crash, Tap, untapped
from tests.workflow.kind import Provision
from tests.workflow.world import World


@dataclass
class Told:
    """What left the engine for others."""

    tap: Tap = untapped
    changes: list[tuple[str, str, Change]] = field(default_factory=list)
    ends: list[tuple[str, int, str]] = field(default_factory=list)

    def changed(self, head: Head, act: str, change: Change) -> None:
        with self.tap("audit record"):
            self.changes.append((head.id, act, change))

    def ended(self, head: Head) -> None:
        with self.tap("events tell"):
            self.ends.append((head.id, head.generation, head.status.value))


class Functions(Triggers):
    """The functions with what `shared.messages` puts around them: what is Retryable sends the message again."""

    def __init__(self, engine: Engine, harness: Harness, now: Callable[[], datetime]) -> None:
        super().__init__(engine, harness.rejected, now)
        self._queue = harness.queue

    def go_on(self, body: bytes) -> None:
        try:
            super().go_on(body)
        except Retryable as error:
            put_back(self._queue, body, error)

    def poisoned(self, body: bytes) -> None:
        """What would be put back is lost here: the worst case, which the sweep has to find."""
        with suppress(Retryable):
            super().poisoned(body)

    def sweep(self) -> None:
        with suppress(Retryable):
            super().sweep()


class Harness(Host):
    """One deployment. `tap` wraps every call that the engine makes to storage and to the world."""

    def __init__(self, tap: Tap = untapped, timing: Timing | None = None) -> None:
        super().__init__("workflow-steps", tap)
        self.timing = timing or Timing()
        self.workflows = MemoryTable("workflows", self.tapped)
        self.opened = MemoryTable("open", self.tapped)
        self.projects = MemoryTable("projects", self.tapped)
        self.requests = MemoryContainer("requests", self.tapped)
        self.rejected = MemoryContainer("rejected", self.tapped)
        self.world = World(self.clock, self.tapped)
        self.world.holder = lambda id: str(self.workflows.rows[id, "head"][0]["owner"])
        self.told = Told(self.tapped)
        self.kind = Provision(self.world)
        self.kinds: dict[str, Kind] = {"provision": self.kind}
        self.store = Store(Tables(self.workflows, self.opened, self.projects), self.requests)

    # ---- the app
    def engine(self, offset: timedelta = timedelta(0)) -> Engine:
        """An instance whose clock is `offset` ahead."""
        now: Callable[[], datetime] = lambda: self.clock() + offset  # noqa: E731
        return Engine(self.store, self.queue, self.told, self.kinds, now, self.timing)

    def triggers(self, offset: timedelta = timedelta(0)) -> Functions:
        """The functions of an instance."""
        return Functions(self.engine(offset), self, lambda: self.clock() + offset)

    def request(self, id: str = "w1", project: str = "FIN", principal: str = "ana") -> Acceptance:
        """A request for the project's workspace."""
        body = {"principal": principal, "project": project}
        return Acceptance(id, "provision", project, "client", {"clientId": "client"}, body, principal, f"c-{id}")

    # ---- what stands in storage
    def head(self, id: str = "w1") -> Head:
        """The head; it has to be there."""
        found = self.untapped(lambda: self.store.head(id))
        assert found is not None
        return found

    def rows(self, id: str = "w1") -> dict[str, StepRow]:
        """Step rows of the present generation, by step name."""
        _, rows = self.untapped(lambda: self.store.journal(id))
        return {key.rsplit("-", 1)[1]: row for key, row in rows.items()}

    def alive(self) -> list[tuple[str, list[str]]]:
        """Workspaces that exist, with their members."""
        return [(each.name, sorted(each.members)) for each in self.world.workspaces if each.alive]

    def order(self, project: str = "FIN") -> tuple[str, ...]:
        """Who stands in line for the project."""
        return self.untapped(lambda: self.store.project(project)).order

    def registered(self, project: str = "FIN") -> Json:
        """What the registry says of the project."""
        return self.untapped(lambda: self.store.project(project)).environments

    # ---- the host
    def deliver(self, message: Sent, triggers: Triggers | None = None) -> None:
        """Run the function once for a message."""
        self.deliver_to((triggers or self.triggers()).go_on, message)

    def deliver_all(self, limit: int = 200) -> int:
        """Deliver until nothing is visible; answers how many messages that were."""
        for count in range(limit):
            if self.poison:
                self.triggers().poisoned(self.poison.pop(0).body)
            visible = self.queue.visible()
            if not visible and not self.poison:
                return count
            if visible:
                self.deliver(visible[0])
        raise AssertionError("messages do not die out")

    def sweep(self) -> None:
        """The timer fires."""
        try:
            self.triggers().sweep()
        except Crash:
            return

    def resting(self) -> bool:
        """Nothing is left to do."""
        return not (self.queue.sent or self.poison or self.opened.rows)

    def settle(self, patience: timedelta = timedelta(hours=8)) -> None:
        """Let time pass until nothing is left to do: messages are delivered when they come, the sweep each minute."""
        end, timer = self.clock() + patience, self.clock() + MINUTE
        while True:
            self.deliver_all()
            if self.resting():
                return
            assert self.clock() < end, f"never comes to rest: {self.queue.messages()} {list(self.opened.rows)}"
            coming = min((message.visible_at for message in self.queue.sent), default=timer)
            self.clock.now = max(self.clock.now, min(coming, timer))
            if self.clock() >= timer:
                timer += MINUTE
                self.sweep()

    def go_on_until(self, done: Callable[[], bool], minutes: int = 60) -> None:
        """Deliver and sweep until something has happened."""
        for _ in range(minutes):
            self.deliver_all()
            if done():
                return
            self.clock.advance(MINUTE)
            self.sweep()
        raise AssertionError("it never happens")

    def accept(self, asked: Acceptance | None = None, attempts: int = 5) -> Head:
        """A client that repeats its request until it is told that it was accepted."""
        for _ in range(attempts):
            try:
                return self.engine().accept(asked or self.request())
            except (Crash, Retryable):
                self.clock.advance(timedelta(seconds=5))
        raise AssertionError("never accepted")

    def send(self, **message: object) -> None:
        """Put a message on the queue as somebody else would."""
        self.queue.sent.append(Sent(json.dumps(message).encode(), self.clock()))
