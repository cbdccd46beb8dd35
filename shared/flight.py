"""A cache in which each value is made once, however many threads ask for it at the same moment."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

from shared.errors import Unavailable

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class FlightCache(Generic[K, V]):
    """Keeps up to `entries` values, least recently used out first.

    While one thread makes a value the others wait for it, `patience` seconds at most, and then give up with
    `Unavailable`: a slow service must not take all threads of the app with it. An error of the maker reaches
    everybody who waited, and nothing is kept, so that the next to ask tries again.
    """

    def __init__(self, what: str, *, entries: int = 1024, patience: float = 5.0) -> None:
        self._what = what
        self._entries = entries
        self._patience = patience
        self._lock = threading.Lock()
        self._kept: OrderedDict[K, V] = OrderedDict()
        self._flights: dict[K, Future[V]] = {}

    def get(self, key: K, make: Callable[[], V], fresh: Callable[[V], bool] = lambda _: True) -> V:
        """The kept value if it is `fresh`, else the one that `make` gives (called by one thread at a time per key).

        Whoever waited for a value that was begun too early to be fresh for them has it made once more.
        """
        value, ours = self._kept_or_made(key, make, fresh)
        return value if ours or fresh(value) else self._kept_or_made(key, make, fresh)[0]

    def _kept_or_made(self, key: K, make: Callable[[], V], fresh: Callable[[V], bool]) -> tuple[V, bool]:
        """The value, and whether this thread has made it."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and fresh(kept):
                self._kept.move_to_end(key)
                return kept, False
            flight = self._flights.get(key)
            ours = flight is None
            if flight is None:
                flight = self._flights[key] = Future()
        return self._fly(key, make, flight) if ours else self._await(flight), ours

    def forget(self, key: K) -> None:
        """Drop the value of `key`; one that is being made now is still kept when it comes."""
        with self._lock:
            self._kept.pop(key, None)

    def _fly(self, key: K, make: Callable[[], V], flight: Future[V]) -> V:
        try:
            value = make()
        except BaseException as error:
            with self._lock:
                del self._flights[key]
            flight.set_exception(error)
            raise
        with self._lock:
            del self._flights[key]
            self._kept[key] = value
            self._kept.move_to_end(key)
            while len(self._kept) > self._entries:
                self._kept.popitem(last=False)
        flight.set_result(value)
        return value

    def _await(self, flight: Future[V]) -> V:
        try:
            return flight.result(timeout=self._patience)
        except TimeoutError:
            if flight.done():  # the maker's own error, not our patience
                raise
            message = f"Waiting for {self._what} took longer than {self._patience:g} s. Try again in a moment."
            raise Unavailable(message, retry_after=self._patience) from None
