"""Who is signed in to the portal, by a random number that only their browser has."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

LIFETIME = 8 * 3600.0
"""Seconds after which somebody signs in again, however busy they were."""
MOST = 1000


class Sessions:
    """In memory, so they end with this process, and the oldest gives way. A real portal has a place for them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, customer: str) -> str:
        """A new session's number, which nobody could have known before."""
        number = secrets.token_urlsafe(32)
        with self._lock:
            self._begun[number] = (customer, self._clock())
            if len(self._begun) > MOST:
                self._begun.popitem(last=False)
        return number

    def customer(self, number: str) -> str:
        """Whose session it is, or empty."""
        with self._lock:
            customer, began = self._begun.get(number, ("", 0.0))
        return customer if self._clock() - began < LIFETIME else ""

    def end(self, number: str) -> None:
        """Forget it."""
        with self._lock:
            self._begun.pop(number, None)
