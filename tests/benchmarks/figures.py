"""Prints figures as lines of a table, so that they can be copied to docs/performance.md."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass


@dataclass(frozen=True)
class Load:
    """What a load of identical calls took: calls a second, and milliseconds at the median and the 95th percentile."""

    a_second: float
    median: float
    slow: float

    def __str__(self) -> str:
        return f"{self.a_second:.0f} a second, {self.median:.1f} ms at the median, {self.slow:.1f} ms at 95 %"


def under_load(call: Callable[[int], object], times: int, threads: int) -> Load:
    """`call(number)` so many times by so many threads."""
    took: list[float] = []

    def timed(number: int) -> None:
        began = time.perf_counter()
        call(number)
        took.append((time.perf_counter() - began) * 1000)

    began = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(timed, range(times)))
    seconds = time.perf_counter() - began
    return Load(times / seconds, statistics.median(took), statistics.quantiles(took, n=20)[-1])


def say(what: str, figure: object) -> None:
    """One line of the table."""
    print(f"\n| {what} | {figure} |", flush=True)
