"""Parts of the app in this process, built as wiring builds them: the cloud is emulated over the network, storage is in
memory, and time is real, but as much later as the test says.
"""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any

from shared.auth.tokens import AppTokens
from shared.powerbi.guardrails import Guard
from shared.powerbi.transport import Answer, Transport
from shared.provisioning.policy import PolicyDocument, read_policy_document
from shared.settings import Settings
from shared.times import utc_now
from tests.cloud import PROJECT, Cloud
from tests.doubles.clock import HOUR, MINUTE
from tests.doubles.storage import MemoryContainer, MemoryQueue, MemoryTable
from tests.doubles.taps import Tap, untapped
from tests.e2e.identities import Identities
from tests.seeded import ENTRA, POWER_BI

Json = dict[str, Any]


class Stage:
    """The app's identities, and a clock that a test can move."""

    def __init__(self, cloud: Cloud, tokens: AppTokens | None = None) -> None:
        self.cloud = cloud
        self.later = timedelta(0)
        self.settings = Settings.from_env(os.environ)
        self.tokens = tokens or Identities(self.settings, self.now).tokens

    def now(self) -> datetime:
        return utc_now() + self.later

    def advance(self, by: timedelta) -> None:
        """Time passes, here and at Power BI."""
        by = max(by, timedelta(milliseconds=1))
        self.later += by
        self.cloud.control("POST", "clock", {"advance": f"PT{by.total_seconds():.3f}S"})

    def sent(self, path: str = "", method: str = "") -> list[Json]:
        """The calls that Power BI got since the last reset, filtered by parts of the path."""
        return self.cloud.calls(host=POWER_BI, path=path, method=method)

    def token_requests(self) -> int:
        """How often the app asked for a token for Power BI: callers get theirs from the same Entra."""
        calls = self.cloud.calls(host=ENTRA, path="oauth2/v2.0/token", method="POST")
        return len([call for call in calls if "analysis.windows.net" in json.dumps(call["body"])])


class TappedTransport(Transport):
    """The transport, with the tap around each call."""

    tap: Tap = staticmethod(untapped)

    def call(self, operation: str, method: str, path: str, **more: Any) -> Answer:
        with self.tap(f"powerbi {operation}"):
            return super().call(operation, method, path, **more)


class WorkingStage(Stage, ABC):
    """With what changes things: the policy, audit and events, and the host for the queue by which work goes on.

    `tap` wraps every storage operation and every call to Power BI. The tokens live by the real time, and those of the
    stage `before` are used again: getting them is not what is tested.
    """

    def __init__(self, cloud: Cloud, queue: str, tap: Tap = untapped, before: WorkingStage | None = None) -> None:
        settings = Settings.from_env(os.environ)
        super().__init__(cloud, before.tokens if before else Identities(settings).tokens)
        self.tap = tap
        self.policy: PolicyDocument | None = read_policy_document((PROJECT / "config/policy.yaml").read_bytes())
        self.transport = TappedTransport(self.settings.cloud, self.tokens, self.now, Guard(lambda: self.policy))
        self.transport.tap = self.tapped
        self.audit = MemoryTable("audit", self.tapped)
        self.events = MemoryQueue(self.now, self.tapped, "operations-events")
        self.rejected = MemoryContainer("rejected", self.tapped)
        self.queue = MemoryQueue(self.now, self.tapped, queue)

    def tapped(self, call: str) -> AbstractContextManager[None]:
        """The tap as it is by the time of the call."""
        return self.tap(call)

    # ---- the host
    @abstractmethod
    def handle(self, message: bytes) -> None:
        """The function of the queue."""

    @abstractmethod
    def sweep(self) -> None:
        """The timer fires."""

    def deliver(self) -> bool:
        """Deliver the messages that are visible, once; False if there are none. What a function raises ends the test:
        outages are not to leave it.
        """
        visible = self.queue.visible()
        for message in visible:
            self.queue.sent.remove(message)
            self.handle(message.body)
        return bool(visible)

    def until(self, there: Callable[[], bool], patience: timedelta = 3 * HOUR) -> None:
        """Messages come when they are due, and the sweep each minute, until it is so."""
        end = self.now() + patience
        while not there():
            assert self.now() < end, "it never comes to that"
            if not self.deliver():
                self.pass_to_next()

    def pass_to_next(self) -> None:
        """Time passes until the next message is due, a minute at most; then the timer fires."""
        due = min((message.visible_at for message in self.queue.sent), default=self.now() + MINUTE)
        self.advance(min(due - self.now(), MINUTE))
        self.sweep()

    # ---- the policy
    def change_policy(self, **fields: Any) -> None:
        assert self.policy is not None
        self.policy = self.policy.model_copy(update=fields)

    def touch(self, **fields: Any) -> None:
        assert self.policy is not None
        self.change_policy(touch=self.policy.touch.model_copy(update=fields))

    # ---- what others are told
    def told(self) -> list[str]:
        """Types of the events."""
        return [message["type"] for message in self.events.messages()]

    def audited(self) -> list[str]:
        """Decisions."""
        return [str(entity["decision"]) for entity, _ in self.audit.rows.values()]
