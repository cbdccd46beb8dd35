"""The Functions host as far as one queue of the app sees it: who gets a message when, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import TypeVar

from tests.doubles.clock import MINUTE, SECOND, Clock
from tests.doubles.storage import MemoryQueue, Sent
from tests.doubles.taps import Crash, Tap, untapped

T = TypeVar("T")

GIVEN_BACK_AFTER_A_CRASH = 10 * MINUTE
GIVEN_BACK_AFTER_A_FAILURE = 30 * SECOND
DEQUEUES = 5
"""After so many a message is poison."""


class Host:
    """A deployment's clock, its queue of that name, and the tap around every call that the app makes."""

    def __init__(self, queue: str, tap: Tap) -> None:
        self.clock = Clock()
        self.tap = tap
        self.queue = MemoryQueue(self.clock, self.tapped, queue)
        self.poison: list[Sent] = []

    def tapped(self, call: str) -> AbstractContextManager[None]:
        """The tap as it is by the time of the call."""
        return self.tap(call)

    def untapped(self, read: Callable[[], T]) -> T:
        """Look without being noticed."""
        tap, self.tap = self.tap, untapped
        try:
            return read()
        finally:
            self.tap = tap

    def deliver_to(self, function: Callable[[bytes], object], message: Sent) -> None:
        """Run the function once for a message: it is removed, or given back, or poison."""
        self.queue.sent.remove(message)
        message.dequeued += 1
        try:
            function(message.body)
        except Crash:
            self._give_back(message, GIVEN_BACK_AFTER_A_CRASH)
        except Exception:  # noqa: BLE001 - the host's own rule
            self._give_back(message, GIVEN_BACK_AFTER_A_FAILURE)

    def _give_back(self, message: Sent, after: timedelta) -> None:
        if message.dequeued >= DEQUEUES:
            self.poison.append(message)
        else:
            message.visible_at = self.clock() + after
            self.queue.sent.append(message)
