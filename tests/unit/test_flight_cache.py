"""Each value is made once for all who ask at the same moment, and for nobody who needs a later one."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.errors import Unavailable
from shared.flight import FlightCache

PATIENCE = 10.0


class Slow:
    """Makes 1, 2, 3 … and stops in the first until it is let go."""

    def __init__(self) -> None:
        self.made = 0
        self.began, self.go_on = threading.Event(), threading.Event()

    def __call__(self) -> int:
        self.made += 1
        number = self.made
        if number == 1:
            self.began.set()
            assert self.go_on.wait(PATIENCE)
        return number


def waiting(cache: FlightCache[str, int]) -> threading.Event:
    """Is set when somebody waits for another's value."""
    waits, wait = threading.Event(), cache._await
    cache._await = lambda flight: (waits.set(), wait(flight))[1]  # type: ignore[method-assign, func-returns-value]
    return waits


@pytest.mark.parametrize(("newest", "given"), [(1, 1), (2, 2)])
def test_who_waits_takes_the_value_unless_it_was_begun_too_early_for_them(newest: int, given: int) -> None:
    cache: FlightCache[str, int] = FlightCache("a thing", patience=PATIENCE)
    make, waits = Slow(), waiting(cache)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.get, "key", make)
        assert make.began.wait(PATIENCE)
        second = pool.submit(cache.get, "key", make, lambda value: value >= newest)
        assert waits.wait(PATIENCE)
        make.go_on.set()
        assert (first.result(PATIENCE), second.result(PATIENCE)) == (1, given)
    assert make.made == given


def test_who_waited_long_enough_gives_up() -> None:
    cache: FlightCache[str, int] = FlightCache("a thing", patience=0.05)
    make = Slow()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(cache.get, "key", make)
        assert make.began.wait(PATIENCE)
        with pytest.raises(Unavailable, match="a thing"):
            cache.get("key", make)
        make.go_on.set()
        assert first.result(PATIENCE) == 1
